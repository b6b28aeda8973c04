// The filmstrip: rows of x decoded at nine steps (pictures, heat strips), or small planes with the curve of a row.

import { Bitmap, fit, Heat, MOST_NAMED, STEPS } from "./draw.js";
import { element, pictureCanvas } from "./elements.js";
import { thin } from "./numbers.js";
import { Plane, sprite } from "./plane.js";
import { preferenceOrder } from "./rates.js";
import { CURVE_POINTS, curveOf } from "./screen.js";
import { COLOURS } from "./theme.js";
import { pump } from "./view.js";

/** @import { FilmContent, FilmRow, Vector } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

const BUDGET_MS = 6; // of one display frame, after the picture itself has been painted
const EVERY_MS = 50; // while something moves: painting the strips takes the browser time as well
const REST_MS = 120; // without a new picture: the pointer rests
const GAP_REM = 0.12; // between pictures of a row

/** One row on the page. */
class Row {
  /** @param {Explorer} view @param {FilmRow} content */
  constructor(view, content) {
    const { kind, data } = view;
    this.content = content;
    this.canvas = pictureCanvas("");
    const { label, dead, note } = content;
    const look = { class: dead ? "name dead" : "name", textContent: dead ? `${label}, dead` : label };
    this.name = element(kind === "plane" ? "figcaption" : "span", look);
    if (note) this.name.append(element("small", { textContent: note }));
    this.plane = kind === "plane" ? new Plane(this.canvas, { bare: true }) : null;
    this.heat = kind === "bars" ? new Heat(STEPS, data.d_x) : null;
    this.cells = Array.from({ length: kind === "plane" ? 0 : STEPS }, (_, step) => ({ row: this, step, stale: true }));
    /** @type {Int32Array | null} */
    this.order = null; // of the lines of a heat strip
    this.isTouched = false; // a cell was drawn since the last mark
    /** @type {number | null} */
    this.marked = null;
    if (content.go && kind !== "plane") this.listen(content.go);
  }

  /** @param {(share: number) => void} go */
  listen(go) {
    this.canvas.classList.add("clickable");
    this.canvas.title = "Click a step to go there";
    this.canvas.addEventListener("click", ({ offsetX }) => {
      const step = Math.floor((offsetX / this.canvas.clientWidth) * STEPS);
      go(Math.max(0, Math.min(STEPS - 1, step)) / (STEPS - 1));
    });
  }
}

/** @typedef {{ row: Row, step: number, stale: boolean }} Cell */

export class Film {
  /** @param {Explorer} view @param {FilmContent} content */
  constructor(view, { rows, title, ends }) {
    this.view = view;
    this.title = title;
    this.rows = rows.map((row) => new Row(view, row));
    this.pumping = { cursor: 0 };
    this.isScheduled = false;
    this.drawnAt = 0;
    this.caption = element("p", { class: "caption" });
    this.x = new Float32Array(view.data.d_x);
    this.bitmap = view.data.x_shape ? new Bitmap(view.data.x_shape) : null;
    /** @type {Cell[]} */
    this.cells = this.rows.flatMap((row) => row.cells);
    const grid = element("div", { class: `film-${view.kind}` });
    if (view.kind === "plane") {
      const figureOf = (/** @type {Row} */ { canvas, name, content }) =>
        element("figure", { class: content.dead ? "dead" : "" }, canvas, name);
      grid.append(...this.rows.map(figureOf));
    } else {
      for (const { name, canvas } of this.rows) grid.append(name, canvas);
      const marks = ends.map((textContent) => element("span", { textContent }));
      grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...marks));
    }
    this.node = element("section", { class: "film", "aria-label": "Filmstrip" }, this.caption, grid);
    this.describe();
  }

  describe() {
    this.caption.textContent = this.title();
    for (const { canvas, content } of this.rows) {
      canvas.setAttribute("aria-label", `${content.label}: ${this.caption.textContent}`);
    }
  }

  /**
   * Decode all rows anew, except those that move this latent themselves.
   * @param {number | "t" | null} moved
   */
  stale(moved) {
    for (const cell of this.cells) if (moved === null || cell.row.content.own() !== moved) cell.stale = true;
  }

  /** Rows of pictures are as high as their cells are wide, by the shape of x. */
  lay() {
    const { view } = this;
    const { theme, data } = view;
    for (const row of this.rows) {
      if (data.x_shape) {
        const [height, width] = data.x_shape;
        const cell = row.canvas.clientWidth / STEPS - GAP_REM * theme.rem;
        row.canvas.style.height = `${(cell * height) / width + 0.55 * theme.rem}px`;
      }
      if (row.plane) this.layPlane(row.plane);
      row.order = row.heat && data.d_x > MOST_NAMED ? this.orderOf(row) : null;
    }
    this.stale(null);
  }

  /** @param {Plane} plane */
  layPlane(plane) {
    const { background, theme, scale } = this.view;
    if (scale) plane.range = scale.range;
    plane.lay(theme, (ctx) => {
      if (!background) return;
      const point = sprite(0, COLOURS.data, 0.09 * theme.rem, theme.dark ? 0.5 : 0.3);
      plane.stamp(ctx, background, thin(background.length / 2, 800), point);
    });
  }

  /**
   * Many lines can only be read where neighbours do the same: sort each strip by where its lines are highest.
   * @param {Row} row
   */
  orderOf(row) {
    const { d_x } = this.view.data;
    const table = new Float32Array(STEPS * d_x);
    for (let step = 0; step < STEPS; step++) {
      this.decode(row, row.content.at(step / (STEPS - 1)), table.subarray(step * d_x, (step + 1) * d_x));
    }
    return preferenceOrder(table, STEPS, d_x);
  }

  /** Draw in the time between frames; with a slow decoder, when the pointer rests. */
  drawWhenIdle() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    const { view } = this;
    const run = (/** @type {{ timeRemaining: () => number }} */ deadline) => {
      this.isScheduled = false;
      if (!view.model || view.closed || view.film !== this) return;
      const now = performance.now();
      const isResting = now - view.painted > REST_MS;
      if (!isResting && (view.cost > BUDGET_MS || now - this.drawnAt < EVERY_MS)) {
        this.isScheduled = true;
        view.later(EVERY_MS, () => run(WHOLE_BUDGET));
        return;
      }
      this.drawnAt = now;
      const budget = isResting ? 2 * BUDGET_MS : Math.min(BUDGET_MS, deadline.timeRemaining());
      if (this.draw(budget)) this.drawWhenIdle();
    };
    if ("requestIdleCallback" in globalThis) requestIdleCallback(run, { timeout: REST_MS });
    else view.later(0, () => run(WHOLE_BUDGET)); // Safari
  }

  /** Draw small planes at once, and cells as long as the budget lasts; true if some are left. */
  draw(budget = BUDGET_MS) {
    for (const row of this.rows) if (row.plane) this.drawPlane(row, row.plane);
    if (!this.cells.length) return false;
    const areLeft = pump(this.cells, this.pumping, budget, (cell) => this.drawCell(cell));
    this.mark();
    return areLeft;
  }

  /** @param {Row} row @param {Vector} z @param {Float32Array} out */
  decode({ content }, z, out) {
    const { through, member } = content;
    return this.view.decode(through ? through(z) : z, out, member ? member() : null);
  }

  /** @param {Row} row @param {Plane} plane */
  drawPlane(row, plane) {
    if (!plane.isLaid) return;
    const { theme, z } = this.view;
    const { rem } = theme;
    const colour = row.content.dead ? COLOURS.reference : COLOURS.latent;
    const pairs = curveOf((at, out) => this.decode(row, at, out), row.content.at);
    const ctx = plane.begin();
    plane.curve(ctx, pairs, colour, 0.16 * rem);
    ctx.fillStyle = colour;
    for (let k = 0; k < STEPS; k++) {
      const at = 2 * Math.round((k * (CURVE_POINTS - 1)) / (STEPS - 1));
      ctx.beginPath();
      ctx.arc(plane.toX(pairs[at]), plane.toY(pairs[at + 1]), 0.2 * rem, 0, 2 * Math.PI);
      ctx.fill();
    }
    const [x, y] = this.decode(row, z, new Float32Array(2));
    plane.dot(ctx, x, y, 0.34 * rem, COLOURS.reconstruction, theme);
    plane.end();
  }

  /** @param {Cell} cell */
  drawCell({ row, step }) {
    const { theme, scale, data } = this.view;
    this.decode(row, row.content.at(step / (STEPS - 1)), this.x);
    row.isTouched = true;
    if (row.heat && scale) row.heat.column(step, this.x, scale.heatOf(theme), row.order);
    if (!this.bitmap || !data.x_shape) return;
    const width = row.canvas.clientWidth / STEPS;
    const gap = GAP_REM * theme.rem;
    const [rows, columns] = data.x_shape;
    const ctx = fit(row.canvas);
    if (!ctx) return;
    const height = ((width - gap) * rows) / columns;
    this.bitmap.show(this.x).paint(ctx, step * width + gap / 2, 0, width - gap, height);
  }

  /** Heat strips as a whole, and under each row a mark where its slider is. */
  mark() {
    const { theme } = this.view;
    const { rem } = theme;
    for (const row of this.rows) {
      const at = row.content.mark();
      if (!row.isTouched && row.marked === at) continue;
      row.isTouched = false;
      row.marked = at;
      const ctx = fit(row.canvas);
      if (!ctx) continue;
      const { clientWidth: w, clientHeight: h } = row.canvas;
      const floor = h - 0.5 * rem;
      if (row.heat) {
        row.heat.paint(ctx, 0, 0, w, floor - 0.05 * rem);
        ctx.strokeStyle = theme.line;
        ctx.lineWidth = 1;
        ctx.strokeRect(0.5, 0.5, w - 1, floor - 0.05 * rem - 1);
      }
      ctx.clearRect(0, floor, w, 0.5 * rem);
      if (at === null) continue;
      // steps stand in the middle of their cells
      const x = ((Math.max(0, Math.min(1, at)) * (STEPS - 1) + 0.5) / STEPS) * w;
      ctx.fillStyle = row.content.dead ? COLOURS.reference : COLOURS.latent;
      ctx.beginPath();
      ctx.moveTo(x, floor + 0.02 * rem);
      ctx.lineTo(x + 0.42 * rem, h);
      ctx.lineTo(x - 0.42 * rem, h);
      ctx.fill();
    }
  }
}

const WHOLE_BUDGET = { timeRemaining: () => BUDGET_MS };
