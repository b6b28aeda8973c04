// A sheet of examples, given or decoded, line under line; for 2-D data a scatter panel for each row.

import { decodeInto } from "./decode.js";
import { Bitmap, fit, kindOf, namesOf, smallBars } from "./draw.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { number, numbersOf, quantile, thin } from "./numbers.js";
import { ARROWS, nearestTo, nextFrom, Plane, rangeOf, ring, sprite } from "./plane.js";
import { COLOURS, themeOf } from "./theme.js";
import { DRAGGED, mountOf, pump, View } from "./view.js";

/** @import { CellsData, OnChange, SheetData } from "./types.d.ts" */

/** @typedef {Omit<CellsData, "x" | "z" | "at"> & { x: Float32Array | null, z: Float32Array | null,
 *   at: Float32Array | null, decoded: Float32Array[] }} Row */
/** @typedef {{ row: Row, from: number, to: number, canvas: HTMLCanvasElement, at: number }} Line
 *   at is the column that the keyboard is at, -1 for none */
/** @typedef {{ line: Line, column: number, stale: boolean }} Cell */
/** @typedef {{ row: Row, canvas: HTMLCanvasElement, plane: Plane, pairs: Float32Array, at: number }} Panel */

const SHEET_BUDGET_MS = 12;
const NARROWEST_REM = 3; // a cell; fewer columns stand side by side on a narrow page

/** @extends {View<SheetData>} */
class Sheet extends View {
  /** @param {HTMLElement} root @param {SheetData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("sheet");
    this.pumping = { cursor: 0 };
    this.text = "";
    this.member = data.member;
    this.kind = kindOf(data);
    /** @type {Row[]} */
    this.rows = [];
    this.columns = 0; // that stand on the page; 0 before it is built
    /** @type {Line[]} */
    this.lines = [];
    /** @type {Cell[]} */
    this.cells = [];
    /** @type {Panel[]} */
    this.panels = [];
    this.range = rangeOf([]);
    /** @type {Bitmap | null} */
    this.bitmap = null;
    this.limits = [0, 1]; // of all bars
    this.gap = 0;
  }

  /** @param {SheetData} data */
  update(data) {
    this.theme = themeOf(this.root);
    const text = JSON.stringify(data);
    if (this.text !== text) {
      this.text = text;
      this.data = data;
      this.member = data.member;
      this.kind = kindOf(data);
      const numbers = (/** @type {CellsData} */ { x, z, at }) => ({
        x: numbersOf(x),
        z: numbersOf(z),
        at: numbersOf(at),
      });
      this.rows = data.rows.map((row) => ({ ...row, ...numbers(row), decoded: [] }));
      this.columns = 0;
    }
    this.follow(data.plan, () => {
      for (const row of this.rows) row.decoded = [];
      this.columns = 0;
      this.lay();
    });
    this.lay();
  }

  /**
   * Where example k of a row lies in the latents, or null.
   * @param {Row} row
   * @param {number} k
   */
  latentsOf(row, k) {
    const { d_z } = this.data;
    const z = row.z ?? row.at;
    return z ? Array.from(z.subarray(k * d_z, (k + 1) * d_z), (v) => Number(v.toFixed(4))) : null;
  }

  /**
   * Report which example was chosen.
   * @param {Row} row
   * @param {number} k
   */
  pick(row, k) {
    const z = this.latentsOf(row, k);
    if (z) this.reportPick({ row: this.rows.indexOf(row), z });
  }

  /**
   * Let examples of a canvas be clicked, chosen by keys, or dragged away.
   * @param {HTMLCanvasElement} canvas
   * @param {Row} row
   * @param {{ exampleAt: (event: MouseEvent) => number, step: (k: number, direction: number[]) => number,
   *   show: (before: number, k: number) => void, name: (k: number) => string }} how -1 stands for no example
   */
  listen(canvas, row, { exampleAt, step, show, name }) {
    if (!this.data.pickable || !(row.z ?? row.at)) return;
    let at = -1;
    const label = canvas.getAttribute("aria-label");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${label}. Arrow keys choose one, Enter moves the sliders there.`);
    canvas.classList.add("pickable");
    canvas.title = "Click: the sliders go there. Or drag it to them.";
    const goTo = (/** @type {number} */ k) => {
      show(at, k);
      at = k;
      if (k >= 0) canvas.setAttribute("aria-description", name(k));
    };
    canvas.addEventListener("click", (event) => {
      const k = exampleAt(event);
      if (k >= 0) this.pick(row, k);
    });
    canvas.addEventListener("blur", () => goTo(-1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" && at >= 0) this.pick(row, at);
      else if (ARROWS[event.key]) goTo(step(at, ARROWS[event.key]));
      else return;
      event.preventDefault();
    });
    canvas.draggable = true;
    canvas.addEventListener("dragstart", (event) => {
      const k = exampleAt(event);
      if (k < 0 || !event.dataTransfer) {
        event.preventDefault();
        return;
      }
      event.dataTransfer.setData(DRAGGED, JSON.stringify({ plan: this.planId, z: this.latentsOf(row, k) }));
      event.dataTransfer.effectAllowed = "copy";
    });
  }

  /** @param {Row} row @param {number} k */
  exampleOf(row, k) {
    const { d_x, d_z } = this.data;
    if (row.x) return row.x.subarray(k * d_x, (k + 1) * d_x);
    const z = row.z?.subarray(k * d_z, (k + 1) * d_z) ?? [];
    row.decoded[k] ??= decodeInto(this.decoder, this.member, z, new Float32Array(d_x));
    return row.decoded[k];
  }

  lay() {
    if (!this.model) return;
    this.theme = themeOf(this.root);
    if (this.kind === "plane") this.layPanels();
    else this.layLines();
    this.request();
  }

  // --- pictures and bars: lines of cells

  layLines() {
    const { data, theme } = this;
    const most = Math.max(...this.rows.map((row) => row.count));
    const room = Math.floor((this.root.clientWidth - 9 * theme.rem) / (NARROWEST_REM * theme.rem));
    const columns = Math.max(1, Math.min(data.columns, most, room));
    if (this.columns !== columns) this.buildLines(columns, Math.ceil(most / columns));
    const [rows, wide] = data.x_shape ?? [1, 2];
    this.gap = (data.x_shape ? 0.2 : 0.9) * theme.rem;
    for (const { canvas } of this.lines) {
      canvas.style.height = `${((canvas.clientWidth / columns - this.gap) * rows) / wide}px`;
    }
    for (const { canvas } of this.lines) fit(canvas)?.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    for (const cell of this.cells) cell.stale = true;
  }

  /** @param {number} columns @param {number} lines */
  buildLines(columns, lines) {
    const { data, rows } = this;
    this.columns = columns;
    const order = data.paired
      ? Array.from({ length: lines }, (_, at) => rows.map((row) => ({ row, at }))).flat()
      : rows.flatMap((row) => Array.from({ length: lines }, (_, at) => ({ row, at })));
    this.lines = order
      .filter(({ row, at }) => at * columns < row.count)
      .map(({ row, at }) => {
        const from = at * columns;
        const to = Math.min(row.count, from + columns);
        return { row, from, to, canvas: pictureCanvas(`${row.label}, ${from + 1} to ${to}`), at: -1 };
      });
    const grid = element("div", { class: "lines" });
    let group = -1;
    for (const line of this.lines) {
      const { row, from, canvas } = line;
      const mark = element("i", { "aria-hidden": "true" });
      mark.style.background = COLOURS[row.colour];
      const name = element("span", { class: "name" }, mark, element("span", { textContent: row.label }));
      const next = data.paired ? Math.floor(from / columns) : rows.indexOf(row);
      if (group >= 0 && next !== group) for (const node of [name, canvas]) node.classList.add("apart");
      group = next;
      this.listenToLine(line);
      grid.append(name, canvas);
    }
    const cellsOf = (/** @type {Line} */ line) =>
      Array.from({ length: line.to - line.from }, (_, column) => ({ line, column, stale: true }));
    this.cells = this.lines.flatMap(cellsOf);
    this.body.replaceChildren(grid);
    this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
    if (!this.bitmap) this.limits = this.limitsOfAll();
  }

  /** @param {Line} line */
  listenToLine(line) {
    const { row, from, to, canvas } = line;
    const inside = (/** @type {number} */ k) => Math.max(from, Math.min(to - 1, k));
    this.listen(canvas, row, {
      exampleAt: ({ offsetX }) => inside(from + Math.floor((offsetX / canvas.clientWidth) * this.columns)),
      step: (k, [right, up]) => (k < 0 ? from : inside(k + right - up)),
      show: (before, k) => {
        line.at = k < 0 ? -1 : k - from;
        for (const cell of this.cells) {
          if (cell.line === line && [before, k].includes(from + cell.column)) cell.stale = true;
        }
        this.request();
      },
      name: (k) => `number ${k + 1}`,
    });
  }

  /** One scale for all bars of the sheet, so that they can be compared. */
  limitsOfAll() {
    const values = this.rows.flatMap((row) => Array.from({ length: row.count }, (_, k) => this.exampleOf(row, k)));
    const lowest = values.map((x) => Math.min(...x));
    const highest = values.map((x) => Math.max(...x));
    const lo = Math.min(0, quantile(lowest, 0.1));
    const hi = Math.max(0, quantile(highest, 0.9));
    return hi > lo ? [lo, hi] : [0, 1];
  }

  /** @param {Cell} cell */
  drawCell({ line, column }) {
    const { canvas, row, from } = line;
    const width = canvas.clientWidth / this.columns;
    const ctx = fit(canvas);
    if (!ctx) return;
    const x = this.exampleOf(row, from + column);
    const box = { x: column * width + this.gap / 2, y: 0, w: width - this.gap, h: canvas.clientHeight };
    ctx.clearRect(column * width, 0, width, box.h);
    if (this.bitmap) this.bitmap.show(x).paint(ctx, box.x, box.y, box.w, box.h);
    else smallBars(ctx, box, x, this.limits, COLOURS[row.colour], this.theme);
    if (line.at !== column) return;
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.2 * this.theme.rem;
    ctx.strokeRect(box.x + ctx.lineWidth / 2, box.y + ctx.lineWidth / 2, box.w - ctx.lineWidth, box.h - ctx.lineWidth);
  }

  // --- 2-D data: one panel per row

  layPanels() {
    if (!this.columns) this.buildPanels();
    for (const panel of this.panels) {
      const { row, plane, pairs } = panel;
      plane.range = this.range;
      const point = sprite(0, COLOURS[row.colour], 0.15 * this.theme.rem, row.count > 800 ? 0.45 : 0.75);
      const isLaid = plane.lay(this.theme, (ctx) => plane.stamp(ctx, pairs, thin(row.count, 5000), point));
      if (isLaid) this.showPanel(panel);
    }
  }

  buildPanels() {
    this.columns = 1;
    const [xName, yName] = namesOf(this.data, this.data.x_names);
    this.panels = this.rows.map((row) => {
      const canvas = pictureCanvas(`${row.label}: ${row.count} points in the plane of ${xName} and ${yName}`);
      const pairs = new Float32Array(2 * row.count);
      for (let k = 0; k < row.count; k++) pairs.set(this.exampleOf(row, k), 2 * k);
      return { row, canvas, plane: new Plane(canvas, { xName, yName }), pairs, at: -1 };
    });
    for (const panel of this.panels) {
      const { row, canvas, plane, pairs } = panel;
      this.listen(canvas, row, {
        exampleAt: ({ offsetX, offsetY }) => nearestTo(plane, pairs, offsetX, offsetY, this.theme.rem),
        step: (k, direction) => (k < 0 ? 0 : nextFrom(plane, pairs, k, direction)),
        show: (_, k) => {
          panel.at = k;
          this.showPanel(panel);
        },
        name: (k) => `${number(pairs[2 * k])}, ${number(pairs[2 * k + 1])}`,
      });
    }
    const figures = this.panels.map(({ row, canvas }) => {
      const title = legendEntry(0, COLOURS[row.colour], `${row.label}, ${row.count} points`);
      return element("figure", {}, element("figcaption", {}, title), canvas);
    });
    this.body.replaceChildren(element("div", { class: "panels" }, ...figures));
    // Given data set the axes; a decoder that runs away must not shrink them to nothing.
    const given = this.panels.filter(({ row }) => row.x);
    const all = (given.length ? given : this.panels).flatMap(({ pairs }) => Array.from(pairs));
    this.range = rangeOf(all, 0.15);
  }

  /** @param {Panel} panel */
  showPanel({ plane, pairs, at }) {
    if (!plane.isLaid) return;
    const ctx = plane.begin();
    if (at >= 0) ring(ctx, plane, pairs[2 * at], pairs[2 * at + 1], this.theme);
    plane.end();
  }

  draw() {
    if (!this.model || this.closed) return;
    this.countFrame();
    if (this.kind === "plane") return;
    if (pump(this.cells, this.pumping, SHEET_BUDGET_MS, (cell) => this.drawCell(cell))) this.request();
  }
}

export const mount = mountOf(Sheet);
