// The latents of every seed as small panels that move while they learn, each with its axes as arrows in the true plane.

import { contextOf } from "../draw.js";
import { element, pictureCanvas } from "../elements.js";
import { Plane, Swarm } from "../plane.js";
import { hueOf } from "../theme.js";
import { MEMBERS, SHOWN } from "./settings.js";

/** @import { Drawn, PlaygroundFrame, Theme, Vector } from "../types.d.ts" */

const RANGE = 3; // standard deviations
const SETTLE = 0.08; // by how much another order must fit better before a panel changes to it: panels must not flicker
const DASH = [4, 3];

/** Which rows are drawn, and the hue of each: u, or the quadrant of its true factors where u has one value. */
export class Marks {
  /** @param {Drawn} drawn */
  constructor({ n, u, z, segments }) {
    const every = Math.max(1, Math.ceil(n / SHOWN)); // as the engine thins them
    this.rows = Int32Array.from({ length: Math.ceil(n / every) }, (_, k) => k * every);
    this.isOfU = segments > 1 && u !== null;
    this.count = this.isOfU ? segments : 4;
    const middle = [0, 1].map((i) => z.filter((_, k) => k % 2 === i).sort()[n >> 1]);
    const hueOfRow = (/** @type {number} */ row) =>
      this.isOfU && u ? u[row] : 2 * Number(z[2 * row] > middle[0]) + Number(z[2 * row + 1] > middle[1]);
    /** @type {Map<number, number[]>} */
    this.groups = new Map(Array.from({ length: this.count }, (_, hue) => [hue, []]));
    for (const [k, row] of this.rows.entries()) this.groups.get(hueOfRow(row))?.push(k);
  }

  /** @param {Theme} theme */
  symbols(theme) {
    return new Map([...this.groups.keys()].map((hue) => [hue, { symbol: hue, colour: hueOf(hue, theme) }]));
  }

  /**
   * The shown rows of an array [n, 2].
   * @param {Vector} values
   */
  pairs(values) {
    return Float32Array.from({ length: 2 * this.rows.length }, (_, k) => values[2 * this.rows[k >> 1] + (k & 1)]);
  }
}

/** One seed's panel. */
class Panel {
  /** @param {number} seed */
  constructor(seed) {
    this.canvas = pictureCanvas(`Latents of seed ${seed}`);
    this.plane = new Plane(this.canvas, { bare: true });
    this.plane.range = { x: [-RANGE, RANGE], y: [-RANGE, RANGE] };
    this.note = element("span");
    const name = element("b", { textContent: `seed ${seed}` });
    this.node = element("figure", { class: "seed" }, this.canvas, element("figcaption", {}, name, this.note));
    /** @type {Swarm | null} */
    this.swarm = null;
    /** @type {Float32Array<ArrayBuffer>} */
    this.from = new Float32Array();
    this.to = new Float32Array();
    this.now = new Float32Array();
    this.order = [0, 1];
    this.signs = [1, 1];
    /** @type {Vector} */
    this.axes = [];
    this.hasFailed = false;
    this.isStill = false; // painted where it now stands
  }

  /** @param {Theme} theme @param {Marks} marks */
  lay(theme, marks) {
    this.isStill = false;
    this.plane.lay(theme);
    this.swarm = this.plane.isLaid ? new Swarm(this.plane, marks.groups, marks.symbols(theme), 0.14 * theme.rem, 0.85) : null;
  }

  /** @param {Float32Array<ArrayBuffer>} pairs @param {Float32Array} axes @param {boolean} isFirst */
  follow(pairs, axes, isFirst) {
    this.isStill = false;
    this.hasFailed = !pairs.every(Number.isFinite);
    if (this.hasFailed) return;
    this.from = isFirst || this.now.length !== pairs.length ? pairs : Float32Array.from(this.now);
    this.to = pairs;
    this.now = Float32Array.from(this.from);
    this.axes = axes;
  }

  /** @param {Theme} theme @param {number} share of the way to the last frame */
  draw(theme, share) {
    const { from, to, now, swarm } = this;
    if (!swarm || this.isStill) return;
    this.isStill = share === 1;
    for (let k = 0; k < to.length; k++) now[k] = from[k] + share * (to[k] - from[k]);
    swarm.paint(this.hasFailed ? new Float32Array() : now);
    if (!this.hasFailed) drawAxes(contextOf(this.canvas), this.plane.box, this.axes, theme);
  }
}

/**
 * Two arrows in a corner: where the axes of the latents point in the plane of the true factors, which is the faint cross.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../types.d.ts").Box} box
 * @param {Vector} axes
 * @param {Theme} theme
 */
function drawAxes(ctx, box, axes, theme) {
  const reach = Math.min(0.17 * box.w, 2 * theme.rem);
  const [x, y] = [box.x + box.w - reach - 3, box.y + box.h - reach - 3];
  ctx.beginPath();
  ctx.arc(x, y, reach, 0, 2 * Math.PI);
  ctx.fillStyle = theme.backgroundText;
  ctx.globalAlpha = 0.85;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.strokeStyle = theme.line;
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x - reach, y);
  ctx.lineTo(x + reach, y);
  ctx.moveTo(x, y - reach);
  ctx.lineTo(x, y + reach);
  ctx.stroke();
  for (const i of [0, 1]) arrow(ctx, x, y, axes[2 * i], axes[2 * i + 1], 0.9 * reach, i === 1, theme);
}

/**
 * An arrow in the direction (dx, dy), dashed for the second latent.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x @param {number} y
 * @param {number} dx @param {number} dy
 * @param {number} length
 * @param {boolean} isDashed
 * @param {Theme} theme
 */
export function arrow(ctx, x, y, dx, dy, length, isDashed, theme) {
  const far = Math.hypot(dx, dy);
  if (!(far > 0)) return;
  const [ux, uy] = [dx / far, -dy / far];
  const [endX, endY] = [x + length * ux, y + length * uy];
  const head = Math.max(3, 0.3 * theme.rem);
  ctx.strokeStyle = theme.text;
  ctx.lineWidth = 0.1 * theme.rem;
  ctx.setLineDash(isDashed ? DASH : []);
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(endX, endY);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(endX - head * (ux + 0.6 * uy), endY - head * (uy - 0.6 * ux));
  ctx.lineTo(endX, endY);
  ctx.lineTo(endX - head * (ux - 0.6 * uy), endY - head * (uy + 0.6 * ux));
  ctx.stroke();
}

export class Seeds {
  constructor() {
    this.panels = Array.from({ length: MEMBERS }, (_, seed) => new Panel(seed));
    this.node = element("div", { class: "panels" }, ...this.panels.map(({ node }) => node));
    this.isFresh = true;
    this.arrived = 0;
    this.interval = 100; // ms between two frames of the engine, as they come
    /** @type {Marks | null} */
    this.marks = null;
  }

  /** Other data, or a start from the beginning: what was drawn is no longer where anything moves from. */
  restart() {
    this.isFresh = true;
  }

  /** @param {Theme} theme @param {Marks} marks */
  lay(theme, marks) {
    this.marks = marks;
    for (const panel of this.panels) panel.lay(theme, marks);
  }

  /** @param {PlaygroundFrame} frame @param {number} now */
  follow(frame, now) {
    if (!this.marks || frame.latents.length !== 2 * MEMBERS * this.marks.rows.length) return; // of the data before
    if (!this.isFresh) this.interval = 0.7 * this.interval + 0.3 * Math.min(1000, now - this.arrived);
    this.arrived = now;
    const size = frame.latents.length / MEMBERS;
    /** @type {Float32Array | null} */
    let first = null;
    for (const [m, panel] of this.panels.entries()) {
      const pairs = standardised(frame.latents.slice(size * m, size * (m + 1)));
      const axes = frame.axes.slice(4 * m, 4 * m + 4);
      if (frame.failed[m] >= 0) pairs.fill(Number.NaN);
      if (first && pairs.every(Number.isFinite)) match(panel, first, pairs);
      panel.follow(turned(pairs, panel), turnedAxes(axes, panel), this.isFresh);
      if (!first && !panel.hasFailed) first = panel.to;
      panel.note.textContent = panel.hasFailed ? `failed at step ${frame.failed[m]}` : "";
    }
    this.isFresh = false;
  }

  /**
   * Draw every panel on its way to the latest frame. Whether one is still on its way.
   * @param {Theme} theme
   * @param {number} now
   */
  draw(theme, now) {
    const share = Math.min(1, Math.max(0, (now - this.arrived) / this.interval));
    for (const panel of this.panels) panel.draw(theme, share);
    return share < 1;
  }
}

/**
 * Set latents about their mean, in one common unit: what a turn leaves alone.
 * @param {Float32Array} pairs
 */
function standardised(pairs) {
  const mean = [0, 0];
  const half = pairs.length / 2;
  for (let k = 0; k < pairs.length; k++) mean[k & 1] += pairs[k] / half;
  const variance = [0, 0];
  for (let k = 0; k < pairs.length; k++) variance[k & 1] += (pairs[k] - mean[k & 1]) ** 2 / half;
  const unit = Math.sqrt(Math.max(...variance)) || 1;
  for (let k = 0; k < pairs.length; k++) pairs[k] = (pairs[k] - mean[k & 1]) / unit;
  return pairs;
}

/**
 * The order and signs that fit the first seed best; nothing of the data depends on them.
 * @param {Panel} panel
 * @param {Float32Array} first
 * @param {Float32Array} pairs
 */
function match(panel, first, pairs) {
  const c = [0, 1, 2, 3].map((k) => correlation(first, k >> 1, pairs, k & 1));
  const fit = (/** @type {number[]} */ order) => Math.abs(c[order[0]]) + Math.abs(c[2 + order[1]]);
  const other = panel.order[0] ? [0, 1] : [1, 0];
  if (fit(other) > fit(panel.order) + SETTLE) panel.order = other;
  panel.signs = panel.order.map((j, i) => {
    const r = c[2 * i + j];
    return Math.abs(r) < SETTLE ? panel.signs[i] : Math.sign(r);
  });
}

/** @param {Float32Array} a @param {number} i @param {Float32Array} b @param {number} j */
function correlation(a, i, b, j) {
  let [ab, aa, bb] = [0, 0, 0]; // both have mean 0
  for (let k = 0; k < a.length; k += 2) {
    ab += a[k + i] * b[k + j];
    aa += a[k + i] ** 2;
    bb += b[k + j] ** 2;
  }
  return ab / Math.sqrt(aa * bb || 1);
}

/**
 * @param {Float32Array} pairs
 * @param {Panel} panel
 * @returns {Float32Array<ArrayBuffer>}
 */
function turned(pairs, { order, signs }) {
  const out = new Float32Array(pairs.length);
  for (let k = 0; k < pairs.length; k++) out[k] = signs[k & 1] * pairs[k - (k & 1) + order[k & 1]];
  return out;
}

/** @param {Float32Array} axes @param {Panel} panel */
const turnedAxes = (axes, { order, signs }) => axes.map((_, k) => signs[k >> 1] * axes[2 * order[k >> 1] + (k & 1)]);
