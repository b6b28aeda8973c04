// The same rows in several planes; what is brushed in one lights up in all.

import { element, pictureCanvas, svg } from "./elements.js";
import { numbersOf } from "./numbers.js";
import { Plane, rangeOf, sprite } from "./plane.js";
import { COLOURS, hueOf, SYMBOLS, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { LinkedData, OnChange, PanelData, Range } from "./types.d.ts" */
/** @import { Sprite } from "./plane.js" */

/** @typedef {{ plane: Plane, pairs: Float32Array, canvas: HTMLCanvasElement, lasso: number[] | null,
 *   full: HTMLCanvasElement | null, dim: HTMLCanvasElement | null }} Panel
 *   full and dim are its layers, with all points bright or faint */

const NEAR_REM = 1.1; // pointing highlights what lies this near
const FEWEST_MOVES = 4; // a shorter drag is a click, which clears
const LISTED = 24; // values of u that get a button
const MOST_COUNTED = 6; // values of u in the sentence about the chosen rows

/**
 * Whether (x, y) lies in the polygon x0, y0, x1, y1 ...: a ray to the right crosses it an odd number of times.
 * @param {number[]} lasso
 * @param {number} x
 * @param {number} y
 */
function inLasso(lasso, x, y) {
  let inside = false;
  for (let i = 0, j = lasso.length - 2; i < lasso.length; j = i, i += 2) {
    const [xi, yi, xj, yj] = [lasso[i], lasso[i + 1], lasso[j], lasso[j + 1]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** @extends {View<LinkedData>} */
class Linked extends View {
  /** @param {HTMLElement} root @param {LinkedData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("linked");
    this.text = "";
    /** @type {Panel[]} */
    this.panels = [];
    /** @type {number[]} u of every row */
    this.codes = [];
    /** @type {number[]} */
    this.values = [];
    /** @type {Set<number>} values of u */
    this.picked = new Set();
    /** @type {number[] | null} rows, while there is a lasso */
    this.lassoed = null;
    /** @type {number[] | null} rows near the pointer */
    this.near = null;
    /** @type {Panel | null} */
    this.drawing = null;
    /** @type {Map<number, Sprite>} */
    this.bright = new Map();
    /** @type {HTMLButtonElement[]} */
    this.buttons = [];
    this.clearButton = element("button", { type: "button", textContent: "Clear", onclick: () => this.clear() });
    this.picks = element("div", { class: "picks", role: "group", "aria-label": "Highlight a value of u" });
    this.status = element("p", { class: "status", role: "status" });
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
  }

  /** @param {LinkedData} data */
  update(data) {
    const text = JSON.stringify(data);
    if (this.text !== text) {
      this.text = text;
      this.data = data;
      this.picked.clear();
      this.lassoed = this.near = null;
      this.build();
    }
    this.lay();
  }

  build() {
    const { data } = this;
    this.panels = [];
    const figures = data.panels.map((panel) => this.figureOf(panel));
    this.codes = data.hues ?? new Array(data.rows).fill(0);
    this.values = data.hues ? [...new Set(data.hues)].sort((a, b) => a - b) : [0];
    this.body.replaceChildren(element("div", { class: "four" }, ...figures), this.picks, this.status);
  }

  /** @param {PanelData} data */
  figureOf({ title, points, names, missing, square }) {
    const heading = element("h3", { textContent: title });
    const pairs = numbersOf(points);
    if (!pairs) return element("figure", {}, heading, element("div", { class: "empty", textContent: missing }));
    const canvas = pictureCanvas(`${title}: ${this.data.rows} points, ${names[0]} and ${names[1]}`);
    const plane = new Plane(canvas, { xName: names[0], yName: names[1] });
    const range = rangeOf(pairs, 0.05);
    plane.range = square ? squared(range) : range;
    const panel = { plane, pairs, canvas, lasso: null, full: null, dim: null };
    this.panels.push(panel);
    this.brush(panel);
    return element("figure", {}, heading, canvas);
  }

  /** @param {number} value */
  colourOf(value) {
    const { colours, hues } = this.data;
    return colours ? colours[value] : hues ? hueOf(value, this.theme) : COLOURS.data;
  }

  /** @param {number} value */
  symbolOf(value) {
    return this.data.colours || !this.data.hues ? 0 : (value + Math.floor(value / 10)) % SYMBOLS.length;
  }

  /** @param {number} value */
  nameOf(value) {
    return this.data.labels[value] ?? String(value);
  }

  showLegend() {
    const { data, values } = this;
    this.buttons = data.hues && values.length <= LISTED ? values.map((value) => this.legendButton(value)) : [];
    const heading = this.buttons.length ? [element("span", { class: "of", textContent: data.name })] : [];
    this.picks.replaceChildren(...heading, ...this.buttons, this.clearButton);
    this.showPicked();
  }

  /** @param {number} value */
  legendButton(value) {
    const path = svg("path", { d: SYMBOLS[this.symbolOf(value)], fill: this.colourOf(value) });
    const shape = svg("svg", { viewBox: "-1.3 -1.3 2.6 2.6", "aria-hidden": "true" }, path);
    const name = this.nameOf(value);
    const label = `Highlight ${this.data.name} ${name}`;
    const look = { type: "button", "aria-label": label, onclick: () => this.pick(value) };
    return element("button", look, shape, element("span", { textContent: name }));
  }

  showPicked() {
    for (const [i, button] of this.buttons.entries()) {
      button.setAttribute("aria-pressed", String(this.picked.has(this.values[i])));
    }
    this.clearButton.hidden = !this.picked.size && !this.lassoed;
  }

  /** @param {number} value */
  pick(value) {
    if (!this.picked.delete(value)) this.picked.add(value);
    this.lassoed = null;
    for (const panel of this.panels) panel.lasso = null;
    this.changed();
  }

  clear() {
    this.picked.clear();
    this.lassoed = this.near = null;
    for (const panel of this.panels) panel.lasso = null;
    this.changed();
  }

  changed() {
    this.showPicked();
    this.request();
  }

  // --- the brush

  /** @param {Panel} panel */
  brush(panel) {
    const { canvas, plane, pairs } = panel;
    const at = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const rowsWhere = (/** @type {(x: number, y: number) => boolean} */ test) =>
      this.allRows.filter((r) => test(plane.toX(pairs[2 * r]), plane.toY(pairs[2 * r + 1])));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      for (const other of this.panels) other.lasso = null;
      panel.lasso = at(event);
      this.drawing = panel;
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      const { lasso } = panel;
      if (this.drawing === panel && lasso) {
        lasso.push(x, y);
        if (lasso.length >= 2 * FEWEST_MOVES) {
          this.picked.clear();
          this.lassoed = rowsWhere((px, py) => inLasso(lasso, px, py));
        }
        this.near = null;
      } else if (!this.lassoed && !this.picked.size && event.pointerType !== "touch") {
        const reach = (NEAR_REM * this.theme.rem) ** 2;
        this.near = rowsWhere((px, py) => (px - x) ** 2 + (py - y) ** 2 < reach);
      }
      this.changed();
    });
    const end = () => {
      if (this.drawing !== panel) return;
      this.drawing = null;
      if (!panel.lasso || panel.lasso.length < 2 * FEWEST_MOVES || !this.lassoed?.length) {
        panel.lasso = null;
        this.lassoed = null;
      }
      this.changed();
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => {
      if (this.drawing) return;
      this.near = null;
      this.request();
    });
  }

  get allRows() {
    return Array.from({ length: this.data.rows }, (_, r) => r);
  }

  /** Rows that stand out: of the picked values, in the lasso, or near the pointer; null for all. */
  get chosen() {
    if (this.picked.size) return this.allRows.filter((r) => this.picked.has(this.codes[r]));
    return this.lassoed ?? (this.near?.length ? this.near : null);
  }

  // --- drawing

  lay() {
    this.theme = themeOf(this.root);
    this.showLegend();
    const radius = (this.data.rows > 800 ? 0.15 : 0.19) * this.theme.rem;
    const sprites = (/** @type {number} */ alpha, /** @type {number} */ scale) =>
      new Map(this.values.map((v) => [v, sprite(this.symbolOf(v), this.colourOf(v), radius * scale, alpha)]));
    this.bright = sprites(1, 1.15);
    const [plain, faint] = [sprites(0.7, 1), sprites(0.13, 1)];
    for (const panel of this.panels) {
      panel.full = this.layer(panel, plain);
      panel.dim = this.layer(panel, faint);
    }
    this.request();
  }

  /**
   * The axes with all points, on a canvas of its own; null while the panel has no size.
   * @param {Panel} panel
   * @param {Map<number, Sprite>} sprites
   */
  layer({ plane, pairs }, sprites) {
    plane.still = element("canvas");
    const isLaid = plane.lay(this.theme, (ctx) => this.stamp(ctx, plane, pairs, this.allRows, sprites));
    return isLaid ? plane.still : null;
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   * @param {Float32Array} pairs
   * @param {number[]} rows
   * @param {Map<number, Sprite>} sprites
   */
  stamp(ctx, plane, pairs, rows, sprites) {
    const groups = this.grouped(rows);
    for (const [value, point] of sprites) plane.stamp(ctx, pairs, groups.get(value) ?? [], point);
  }

  /** @param {number[]} rows */
  grouped(rows) {
    /** @type {Map<number, number[]>} */
    const groups = new Map(this.values.map((v) => [v, []]));
    for (const r of rows) groups.get(this.codes[r])?.push(r);
    return groups;
  }

  draw() {
    if (this.closed) return;
    this.countFrame();
    const { chosen } = this;
    for (const { plane, pairs, full, dim, lasso } of this.panels) {
      const layer = chosen ? dim : full;
      if (!layer) continue;
      plane.still = layer;
      const ctx = plane.begin();
      if (chosen) this.stamp(ctx, plane, pairs, chosen, this.bright);
      if (lasso) this.drawLasso(ctx, lasso);
      plane.end();
    }
    this.root.dataset.chosen = chosen ? String(chosen.length) : "";
    const text = chosen ? this.countText(chosen) : this.helpText;
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {number[]} lasso */
  drawLasso(ctx, lasso) {
    ctx.beginPath();
    for (let i = 0; i < lasso.length; i += 2) ctx.lineTo(lasso[i], lasso[i + 1]);
    ctx.closePath();
    ctx.strokeStyle = this.theme.text;
    ctx.lineWidth = 1.5;
    ctx.setLineDash([5, 4]);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /** @param {number[]} rows */
  countText(rows) {
    const groups = [...this.grouped(rows)].filter(([, own]) => own.length);
    const parts = groups.map(([value, own]) => `${own.length} of ${this.data.name} ${this.nameOf(value)}`);
    const areListed = this.values.length > 1 && parts.length && parts.length <= MOST_COUNTED;
    return `${rows.length.toLocaleString("en")} rows${areListed ? `: ${parts.join(", ")}` : ""}`;
  }

  get helpText() {
    const { rows, all, name } = this.data;
    const thinned = rows < all ? ` (${rows.toLocaleString("en")} of ${all.toLocaleString("en")} drawn)` : "";
    const how = `Point at examples, drag a lasso, or pick a value of ${name}`;
    return `${how}: the same rows light up in every panel${thinned}.`;
  }
}

/**
 * The range with one scale on both axes, so that a rotation looks like one.
 * @param {Range} range
 * @returns {Range}
 */
function squared({ x, y }) {
  const half = Math.max(x[1] - x[0], y[1] - y[0]) / 2;
  /** @param {[number, number]} side @returns {[number, number]} */
  const around = ([lo, hi]) => [(lo + hi) / 2 - half, (lo + hi) / 2 + half];
  return { x: around(x), y: around(y) };
}

export const mount = mountOf(Linked);
