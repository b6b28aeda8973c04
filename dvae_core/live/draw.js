// Pictures, bars and heat strips on canvases.

import { element } from "./elements.js";
import { isCounts, minus, quantile, ticks } from "./numbers.js";
import { COLOURS, diverging } from "./theme.js";

/** @import { About, Box, Kind, Shade, Theme, Vector } from "./types.d.ts" */

/** @param {HTMLCanvasElement} canvas */
export const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

export const STEPS = 9; // of a traversal

/**
 * Give a canvas as many pixels as the screen has under it. Returns its context in CSS pixels, or null while hidden.
 * @param {HTMLCanvasElement} canvas
 */
export function fit(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  if (!width || !height) return null;
  const ratio = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const ctx = contextOf(canvas);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

// --- pictures

/** A reusable bitmap of H x W pixels: grey or colour from x in [0, 1], or signed differences from -most to most. */
export class Bitmap {
  /** @param {number[]} shape */
  constructor([height, width, channels = 1]) {
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.canvas = element("canvas", { width, height });
    this.ctx = contextOf(this.canvas);
    this.image = this.ctx.createImageData(width, height);
    this.image.data.fill(255);
  }

  /** @param {Vector} x */
  show(x) {
    const { data } = this.image;
    const n = this.width * this.height;
    if (this.channels === 3)
      for (let i = 0, p = 0, q = 0; i < n; i++, p += 4, q += 3) {
        data[p] = x[q] * 255;
        data[p + 1] = x[q + 1] * 255;
        data[p + 2] = x[q + 2] * 255;
      }
    else for (let i = 0, p = 0; i < n; i++, p += 4) data[p] = data[p + 1] = data[p + 2] = x[i] * 255;
    this.ctx.putImageData(this.image, 0, 0);
    return this;
  }

  /** @param {Vector} a @param {Vector} b @param {number} most @param {Theme} theme */
  showDifference(a, b, most, theme) {
    const { data } = this.image;
    const c = this.channels;
    for (let i = 0, p = 0; i < this.width * this.height; i++, p += 4) {
      let d = 0;
      for (let k = 0; k < c; k++) d += (a[i * c + k] - b[i * c + k]) / c;
      diverging(d / most, theme, data, p);
    }
    this.ctx.putImageData(this.image, 0, 0);
    return this;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} width @param {number} height */
  paint(ctx, x, y, width, height) {
    // Grey pixels stay pixels, unless there are more of them than the screen has room for; colour pictures are smooth.
    const ratio = globalThis.devicePixelRatio || 1;
    ctx.imageSmoothingEnabled = this.channels === 3 || width * ratio < this.width || height * ratio < this.height;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(this.canvas, x, y, width, height);
  }

  /**
   * Fill a canvas.
   * @param {HTMLCanvasElement} canvas
   */
  fill(canvas) {
    const ctx = fit(canvas);
    if (ctx) this.paint(ctx, 0, 0, canvas.clientWidth, canvas.clientHeight);
  }
}

// --- bars and heat strips

export const MOST_NAMED = 24; // with more dimensions an index axis takes the place of the names

/**
 * Bars of E[x|z] by dimension: named and horizontal for few, a strip of upright bars for many.
 * @param {HTMLCanvasElement} canvas
 * @param {Theme} theme
 * @param {{ x: Vector, reference: Vector | null, names: string[], limits: number[], unit: string, indexName: string,
 *   colour: string }} content
 */
export function drawBars(canvas, theme, { x, reference, names, limits, unit, indexName, colour }) {
  const ctx = fit(canvas);
  if (!ctx) return;
  const { clientWidth: w, clientHeight: h } = canvas;
  const { em } = theme;
  const n = x.length;
  const few = n <= MOST_NAMED;
  ctx.clearRect(0, 0, w, h);
  ctx.font = `${0.8 * em}px ${theme.font}`;
  const nameRoom = few ? Math.min(0.35 * w, Math.max(...names.map((s) => ctx.measureText(s).width)) + 0.8 * em) : 3.1 * em;
  const box = { x: nameRoom, y: 0.5 * em, w: w - nameRoom - 0.8 * em, h: h - 3.2 * em };
  const [lo, hi] = limits;
  const along = few
    ? (/** @type {number} */ v) => box.x + ((v - lo) / (hi - lo)) * box.w
    : (/** @type {number} */ v) => box.y + box.h - ((v - lo) / (hi - lo)) * box.h;
  const slot = (few ? box.h : box.w) / n;
  const many = Math.max(2, Math.min(6, Math.floor(box.w / (3.2 * em))));
  const thick = Math.max(1, slot * (few ? 0.62 : 0.8));
  ctx.strokeStyle = theme.grid;
  ctx.lineWidth = 1;
  ctx.fillStyle = theme.muted;
  ctx.beginPath();
  for (const v of ticks(lo, hi, few ? many : 4)) {
    if (few) {
      ctx.moveTo(along(v), box.y);
      ctx.lineTo(along(v), box.y + box.h);
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      ctx.fillText(minus(v), along(v), box.y + box.h + 0.3 * em);
    } else {
      ctx.moveTo(box.x, along(v));
      ctx.lineTo(box.x + box.w, along(v));
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillText(minus(v), box.x - 0.35 * em, along(v));
    }
  }
  ctx.stroke();
  const zero = along(Math.max(lo, Math.min(hi, 0)));
  ctx.fillStyle = colour;
  for (let i = 0; i < n; i++) {
    const at = along(x[i]);
    const middle = (i + 0.5) * slot;
    if (few) ctx.fillRect(Math.min(zero, at), box.y + middle - thick / 2, Math.abs(at - zero), thick);
    else ctx.fillRect(box.x + middle - thick / 2, Math.min(zero, at), thick, Math.abs(at - zero));
  }
  if (reference) {
    ctx.fillStyle = COLOURS.data;
    const mark = Math.max(2, 0.16 * em);
    for (let i = 0; i < n; i++) {
      const at = along(reference[i]);
      const middle = (i + 0.5) * slot;
      if (few) ctx.fillRect(at - mark / 2, box.y + middle - slot * 0.45, mark, slot * 0.9);
      else ctx.fillRect(box.x + middle - slot * 0.5, at - mark / 2, slot, mark);
    }
  }
  ctx.strokeStyle = theme.line;
  ctx.beginPath();
  if (few) {
    ctx.moveTo(zero, box.y);
    ctx.lineTo(zero, box.y + box.h);
  } else {
    ctx.moveTo(box.x, zero);
    ctx.lineTo(box.x + box.w, zero);
  }
  ctx.stroke();
  ctx.fillStyle = theme.text;
  if (few) {
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (let i = 0; i < n; i++) ctx.fillText(names[i], box.x - 0.4 * em, box.y + (i + 0.5) * slot, nameRoom - 0.4 * em);
  } else {
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.fillStyle = theme.muted;
    for (const i of ticks(1, n, many)) if (i >= 1) ctx.fillText(String(i), box.x + (i - 0.5) * slot, box.y + box.h + 0.3 * em);
  }
  ctx.fillStyle = theme.text;
  ctx.font = `600 ${0.9 * em}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillText(few ? unit : indexName, box.x + box.w / 2, h, box.w);
  if (!few) {
    ctx.save();
    ctx.translate(0.1 * em, box.y + box.h / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textBaseline = "top";
    ctx.fillText(unit, 0, 0, box.h);
    ctx.restore();
  }
}

/**
 * Bars without names or axis, in a box of a larger canvas.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Box} box
 * @param {Vector} x
 * @param {number[]} limits
 * @param {string} colour
 * @param {Theme} theme
 */
export function smallBars(ctx, box, x, [lo, hi], colour, theme) {
  const at = (/** @type {number} */ v) => box.y + box.h - 1 - ((Math.max(lo, Math.min(hi, v)) - lo) / (hi - lo)) * (box.h - 2);
  const slot = box.w / x.length;
  ctx.fillStyle = colour;
  for (let i = 0; i < x.length; i++) {
    const height = Math.max(1, Math.abs(at(x[i]) - at(0)));
    ctx.fillRect(box.x + (i + 0.1) * slot, Math.min(at(0), at(x[i])), Math.max(0.5, slot * 0.8), height);
  }
  ctx.fillStyle = theme.line;
  ctx.fillRect(box.x, at(0), box.w, 1);
}

/** Columns of numbers as a heat picture: rows are dimensions (in `order`), colour(value, dimension, out, p). */
export class Heat {
  /** @param {number} columns @param {number} rows */
  constructor(columns, rows) {
    this.bitmap = new Bitmap([rows, columns, 3]);
  }

  /** @param {number} c @param {Vector} x @param {Shade} colour @param {Int32Array | null} order */
  column(c, x, colour, order = null) {
    const { image, width, height } = this.bitmap;
    for (let r = 0; r < height; r++) {
      const i = order ? order[r] : r;
      colour(x[i], i, image.data, 4 * (r * width + c));
    }
  }

  /** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} width @param {number} height */
  paint(ctx, x, y, width, height) {
    this.bitmap.ctx.putImageData(this.bitmap.image, 0, 0);
    this.bitmap.paint(ctx, x, y, width, height);
  }
}

/**
 * How values of x are coloured: by the change from `middle`, as a ratio for rates, and otherwise in units of each dimension's reach.
 * @param {About} plan
 * @param {Vector[]} samples
 * @param {Vector} middle
 * @returns {(theme: Theme) => Shade}
 */
export function heatScale(plan, samples, middle) {
  const d = plan.d_x;
  if (isCounts(plan)) {
    const ratio = (/** @type {number} */ v, /** @type {number} */ i) => Math.log((v + 1e-3) / (middle[i] + 1e-3));
    const most =
      quantile(
        samples.flatMap((x) => Array.from(x, (v, i) => Math.abs(ratio(v, i)))),
        0.95,
      ) || 1;
    return (theme) => (v, i, out, p) => diverging(ratio(v, i) / most, theme, out, p);
  }
  const reach = new Float64Array(d);
  for (const x of samples) for (let i = 0; i < d; i++) reach[i] = Math.max(reach[i], Math.abs(x[i] - middle[i]));
  return (theme) => (v, i, out, p) => diverging((v - middle[i]) / (reach[i] || 1), theme, out, p);
}

/**
 * How x is drawn.
 * @param {About} plan
 * @returns {Kind}
 */
export const kindOf = (plan) => (plan.x_shape ? "picture" : plan.d_x === 2 ? "plane" : "bars");

/**
 * Names of the dimensions of x: x1, x2 ... where Python gave none.
 * @param {About} plan
 * @param {string[]} names
 */
export const namesOf = (plan, names) => Array.from({ length: plan.d_x }, (_, i) => names[i] ?? `x${i + 1}`);
