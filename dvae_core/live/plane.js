// Planes with axes, and points on them: a few drawn once, or thousands that move.

import { contextOf, fit } from "./draw.js";
import { element } from "./elements.js";
import { minus, ticks } from "./numbers.js";
import { rgbOf, SYMBOLS } from "./theme.js";

/** @import { Box, Range, Theme, Vector } from "./types.d.ts" */
/** @typedef {{ canvas: HTMLCanvasElement, size: number }} Sprite */

/**
 * The range that holds pairs of numbers (x0, y0, x1, y1 ...), padded.
 * @param {Vector} pairs
 * @returns {Range}
 */
export function rangeOf(pairs, pad = 0.08) {
  const lo = [Infinity, Infinity];
  const hi = [-Infinity, -Infinity];
  for (let i = 0; i < pairs.length; i++) {
    const v = pairs[i];
    if (!Number.isFinite(v)) continue;
    if (v < lo[i & 1]) lo[i & 1] = v;
    if (v > hi[i & 1]) hi[i & 1] = v;
  }
  /** @param {number} a @returns {[number, number]} */
  const side = (a) => {
    if (!(hi[a] >= lo[a])) return [-1, 1];
    const room = (hi[a] - lo[a]) * pad || 0.5;
    return [lo[a] - room, hi[a] + room];
  };
  return { x: side(0), y: side(1) };
}

/** @param {Range} range @param {number} x @param {number} y */
export const within = (range, x, y) => x >= range.x[0] && x <= range.x[1] && y >= range.y[0] && y <= range.y[1];

/**
 * The range that also holds (x, y): the same object when it already does.
 * @param {Range} range
 * @param {number} x
 * @param {number} y
 * @returns {Range}
 */
export function grown(range, x, y) {
  if (within(range, x, y) || !Number.isFinite(x) || !Number.isFinite(y)) return range;
  /** @param {[number, number]} side @param {number} v @returns {[number, number]} */
  const grow = ([lo, hi], v) => {
    const room = 0.06 * (hi - lo);
    return [v < lo ? v - room : lo, v > hi ? v + room : hi];
  };
  return { x: grow(range.x, x), y: grow(range.y, y) };
}

/** A canvas with axes. What stays (axes, clouds) is painted once into a second canvas and copied each frame. */
export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ xName?: string, yName?: string, bare?: boolean, left?: number, bottom?: number }} look margins in em
   */
  constructor(canvas, { xName = "", yName = "", bare = false, left = 3.1, bottom = 2.7 }) {
    this.canvas = canvas;
    this.xName = xName;
    this.yName = yName;
    this.bare = bare;
    this.margins = { left, bottom };
    /** @type {Range} */
    this.range = { x: [-1, 1], y: [-1, 1] };
    /** @type {Box} */
    this.box = { x: 0, y: 0, w: 0, h: 0 };
    this.isLaid = false; // false until the canvas has a size
    this.still = element("canvas");
  }

  /**
   * Paint what stays; false while the canvas has no size.
   * @param {Theme} theme
   * @param {(ctx: CanvasRenderingContext2D) => void} [paint]
   */
  lay(theme, paint) {
    if (!fit(this.canvas)) return false;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const { em } = theme;
    const left = this.bare ? 1 : this.margins.left * em;
    const bottom = this.bare ? 1 : this.margins.bottom * em;
    const edge = this.bare ? 1 : 0.5 * em;
    this.box = { x: left, y: edge, w: Math.max(10, w - left - edge), h: Math.max(10, h - bottom - edge) };
    this.isLaid = true;
    const under = fit(this.still, w, h);
    if (!under) return false;
    under.clearRect(0, 0, w, h);
    this.axes(under, theme);
    under.save();
    this.clip(under);
    paint?.(under);
    under.restore();
    return true;
  }

  /** @param {number} v */
  toX(v) {
    return this.box.x + ((v - this.range.x[0]) / (this.range.x[1] - this.range.x[0])) * this.box.w;
  }

  /** @param {number} v */
  toY(v) {
    return this.box.y + this.box.h - ((v - this.range.y[0]) / (this.range.y[1] - this.range.y[0])) * this.box.h;
  }

  /** @param {number} px */
  fromX(px) {
    return this.range.x[0] + ((px - this.box.x) / this.box.w) * (this.range.x[1] - this.range.x[0]);
  }

  /** @param {number} py */
  fromY(py) {
    return this.range.y[0] + ((this.box.y + this.box.h - py) / this.box.h) * (this.range.y[1] - this.range.y[0]);
  }

  /** @param {CanvasRenderingContext2D} ctx */
  clip(ctx) {
    const { x, y, w, h } = this.box;
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Theme} theme */
  axes(ctx, theme) {
    const { x, y, w, h } = this.box;
    const { em } = theme;
    ctx.lineWidth = 1;
    ctx.fillStyle = theme.backgroundText;
    ctx.fillRect(x, y, w, h);
    if (!this.bare) {
      ctx.font = `${0.8 * em}px ${theme.font}`;
      ctx.fillStyle = theme.muted;
      const many = Math.max(2, Math.min(6, Math.floor(w / (3.2 * em))));
      ctx.strokeStyle = theme.grid;
      ctx.beginPath();
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      for (const v of ticks(...this.range.x, many)) {
        ctx.moveTo(this.toX(v), y);
        ctx.lineTo(this.toX(v), y + h);
        ctx.fillText(minus(v), this.toX(v), y + h + 0.3 * em);
      }
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      for (const v of ticks(...this.range.y, many)) {
        ctx.moveTo(x, this.toY(v));
        ctx.lineTo(x + w, this.toY(v));
        ctx.fillText(minus(v), x - 0.35 * em, this.toY(v));
      }
      ctx.stroke();
      ctx.fillStyle = theme.text;
      ctx.font = `600 ${0.9 * em}px ${theme.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "bottom";
      ctx.fillText(this.xName, x + w / 2, y + h + (this.margins.bottom - 0.05) * em, w);
      ctx.save();
      ctx.translate(0.15 * em, y + h / 2);
      ctx.rotate(-Math.PI / 2);
      ctx.textBaseline = "top";
      ctx.fillText(this.yName, 0, 0, h);
      ctx.restore();
    }
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(x, y, w, h);
  }

  /** Copy what stays to the screen; the context returned is clipped to the box until end(). */
  begin() {
    const ctx = contextOf(this.canvas);
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.globalCompositeOperation = "copy";
    ctx.drawImage(this.still, 0, 0);
    ctx.restore();
    ctx.save();
    this.clip(ctx);
    return ctx;
  }

  end() {
    contextOf(this.canvas).restore();
  }

  /**
   * Many points of one colour and symbol: one sprite, stamped at the rows that are listed.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Vector} pairs
   * @param {ArrayLike<number>} rows
   * @param {Sprite} sprite
   */
  stamp(ctx, pairs, rows, sprite) {
    const kx = this.box.w / (this.range.x[1] - this.range.x[0]);
    const ky = this.box.h / (this.range.y[1] - this.range.y[0]);
    const x0 = this.box.x - this.range.x[0] * kx - sprite.size / 2;
    const y0 = this.box.y + this.box.h + this.range.y[0] * ky - sprite.size / 2;
    for (let r = 0; r < rows.length; r++) {
      const i = 2 * rows[r];
      ctx.drawImage(sprite.canvas, x0 + pairs[i] * kx, y0 - pairs[i + 1] * ky, sprite.size, sprite.size);
    }
  }

  /**
   * A line through pairs of numbers.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Vector} pairs
   * @param {string} colour
   * @param {number} width
   * @param {number[]} dash
   */
  curve(ctx, pairs, colour, width, dash = []) {
    ctx.beginPath();
    for (let i = 0; i < pairs.length; i += 2) ctx.lineTo(this.toX(pairs[i]), this.toY(pairs[i + 1]));
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.lineJoin = "round";
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /**
   * One large point with a rim that separates it from what is under it.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   * @param {string} colour
   * @param {Theme} theme
   */
  dot(ctx, x, y, radius, colour, theme) {
    ctx.beginPath();
    ctx.arc(this.toX(x), this.toY(y), radius, 0, 2 * Math.PI);
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.lineWidth = Math.max(1.5, radius / 4);
    ctx.strokeStyle = theme.dark ? "#ffffff" : "#1b1b1f";
    ctx.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   * @param {string} colour
   * @param {Theme} theme
   */
  cross(ctx, x, y, radius, colour, theme) {
    const [cx, cy] = [this.toX(x), this.toY(y)];
    const strokes = /** @type {[string, number][]} */ ([
      [theme.backgroundText, radius * 0.9],
      [colour, radius * 0.45],
    ]);
    for (const [stroke, width] of strokes) {
      ctx.beginPath();
      ctx.moveTo(cx - radius, cy - radius);
      ctx.lineTo(cx + radius, cy + radius);
      ctx.moveTo(cx - radius, cy + radius);
      ctx.lineTo(cx + radius, cy - radius);
      ctx.lineWidth = width;
      ctx.strokeStyle = stroke;
      ctx.stroke();
    }
  }
}

/**
 * The point nearest to a place on the canvas within `most` pixels, -1 where there is none.
 * @param {Plane} plane
 * @param {Vector} pairs
 * @param {number} x
 * @param {number} y
 */
export function nearestTo(plane, pairs, x, y, most = Infinity) {
  let [best, least] = [-1, most];
  for (let k = 0; k < pairs.length / 2; k++) {
    const far = Math.hypot(plane.toX(pairs[2 * k]) - x, plane.toY(pairs[2 * k + 1]) - y);
    if (far < least) [best, least] = [k, far];
  }
  return best;
}

/**
 * The next point from point k to the right (1, 0), left, up (0, 1) or down; k itself where there is none.
 * @param {Plane} plane
 * @param {Vector} pairs
 * @param {number} k
 * @param {number[]} direction
 */
export function nextFrom(plane, pairs, k, [right, up]) {
  const place = (/** @type {number} */ i) => [plane.toX(pairs[2 * i]), -plane.toY(pairs[2 * i + 1])];
  const [x, y] = place(k);
  let [best, least] = [k, Infinity];
  for (let i = 0; i < pairs.length / 2; i++) {
    const [dx, dy] = [place(i)[0] - x, place(i)[1] - y];
    const along = dx * right + dy * up;
    const aside = Math.abs(dx * up) + Math.abs(dy * right);
    if (along > 0.5 && aside <= along && along + aside < least) [best, least] = [i, along + aside];
  }
  return best;
}

/** @type {Record<string, number[]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/**
 * A ring around the point that the keyboard is at.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Plane} plane
 * @param {number} x
 * @param {number} y
 * @param {Theme} theme
 */
export function ring(ctx, plane, x, y, theme) {
  ctx.beginPath();
  ctx.arc(plane.toX(x), plane.toY(y), 0.55 * theme.rem, 0, 2 * Math.PI);
  ctx.strokeStyle = theme.text;
  ctx.lineWidth = 0.14 * theme.rem;
  ctx.stroke();
}

/**
 * A symbol drawn once, to be stamped thousands of times.
 * @param {number} symbol
 * @param {string} colour
 * @param {number} radius in CSS pixels
 * @param {number} alpha
 * @returns {Sprite}
 */
export function sprite(symbol, colour, radius, alpha) {
  const size = 2 * Math.ceil(radius * 1.4 + 1);
  const canvas = element("canvas");
  const ctx = /** @type {CanvasRenderingContext2D} */ (fit(canvas, size, size));
  ctx.translate(size / 2, size / 2);
  ctx.scale(radius, radius);
  ctx.globalAlpha = alpha;
  ctx.fillStyle = colour;
  ctx.fill(new Path2D(SYMBOLS[symbol % SYMBOLS.length]));
  return { canvas, size };
}

const SHIFTS = 4; // places of a symbol within a pixel, per axis: whole pixels alone would make a slow turn tremble

/** @param {number} width @param {number} height */
const scratch = (width, height) =>
  /** @type {CanvasRenderingContext2D} */ (element("canvas", { width, height }).getContext("2d", { willReadFrequently: true }));

/** The side of a symbol's mask, in pixels. @param {number} radius */
const sizeOf = (radius) => 2 * Math.ceil(radius * 1.4) + 2;

/** @type {Map<string, Uint16Array[]>} */
const kept = new Map(); // masks: reading pixels back takes longer than a frame for a page of planes

/**
 * How far a symbol covers the pixels around it, out of 256, for each of its places within a pixel.
 * @param {number} symbol
 * @param {number} radius in pixels
 * @param {number} alpha
 */
function masksOf(symbol, radius, alpha) {
  const key = `${symbol} ${radius} ${alpha}`;
  const known = kept.get(key);
  if (known) return known;
  const size = sizeOf(radius);
  const brush = scratch(size, size);
  const path = new Path2D(SYMBOLS[symbol]);
  const masks = Array.from({ length: SHIFTS * SHIFTS }, (_, k) => {
    brush.resetTransform();
    brush.clearRect(0, 0, size, size);
    brush.translate(size / 2 + (k % SHIFTS) / SHIFTS, size / 2 + Math.floor(k / SHIFTS) / SHIFTS);
    brush.scale(radius, radius);
    brush.fill(path);
    const { data } = brush.getImageData(0, 0, size, size);
    return Uint16Array.from({ length: size * size }, (_, p) => Math.round(data[4 * p + 3] * alpha * (256 / 255)));
  });
  kept.set(key, masks);
  return masks;
}

/**
 * Thousands of points that move, stamped into pixels by hand: without a GPU, 5,000 drawImage calls take 50 ms to reach
 * the screen and this takes 3 (headless Chromium, 2 shared cores).
 */
export class Swarm {
  /**
   * Call it after plane.lay.
   * @param {Plane} plane
   * @param {Map<number, number[]>} groups rows by hue
   * @param {Map<number, { symbol: number, colour: string }>} symbols by hue
   * @param {number} radius
   * @param {number} alpha
   */
  constructor(plane, groups, symbols, radius, alpha) {
    const ratio = globalThis.devicePixelRatio || 1;
    this.plane = plane;
    this.ratio = ratio;
    const { box } = plane;
    this.left = Math.ceil(box.x * ratio) + 1;
    this.top = Math.ceil(box.y * ratio) + 1;
    const w = Math.max(1, Math.floor((box.x + box.w) * ratio) - this.left - 1);
    const h = Math.max(1, Math.floor((box.y + box.h) * ratio) - this.top - 1);
    const under = scratch(w, h);
    under.drawImage(plane.still, -this.left, -this.top);
    this.image = under.getImageData(0, 0, w, h);
    this.under = this.image.data.slice();
    this.size = sizeOf(radius * ratio);
    this.stamps = [...symbols].map(([hue, { symbol, colour }]) => {
      return { rows: groups.get(hue) ?? [], rgb: rgbOf(colour), masks: masksOf(symbol % SYMBOLS.length, radius * ratio, alpha) };
    });
  }

  /** Copy what was painted last to the canvas, over anything that was drawn on it. */
  show() {
    contextOf(this.plane.canvas).putImageData(this.image, this.left, this.top);
  }

  /** @param {Vector} pairs */
  paint(pairs) {
    const { plane, image, size, ratio } = this;
    const { data, width, height } = image;
    const {
      x: [x0, x1],
      y: [y0, y1],
    } = plane.range;
    data.set(this.under);
    const kx = (plane.box.w / (x1 - x0)) * ratio;
    const ky = (plane.box.h / (y1 - y0)) * ratio;
    const cx = plane.box.x * ratio - x0 * kx - this.left - size / 2;
    const cy = (plane.box.y + plane.box.h) * ratio + y0 * ky - this.top - size / 2;
    for (const {
      rows,
      rgb: [red, green, blue],
      masks,
    } of this.stamps) {
      for (let r = 0; r < rows.length; r++) {
        const px = cx + pairs[2 * rows[r]] * kx;
        const py = cy - pairs[2 * rows[r] + 1] * ky;
        const left = Math.floor(px);
        const top = Math.floor(py);
        if (!(left > -size && top > -size && left < width && top < height)) continue;
        const mask = masks[Math.floor((py - top) * SHIFTS) * SHIFTS + Math.floor((px - left) * SHIFTS)];
        const fromX = left < 0 ? -left : 0;
        const toX = left + size > width ? width - left : size;
        const toY = top + size > height ? height - top : size;
        for (let y = top < 0 ? -top : 0; y < toY; y++) {
          for (let x = fromX, m = y * size + fromX, p = 4 * ((top + y) * width + left + fromX); x < toX; x++, m++, p += 4) {
            const a = mask[m];
            if (a === 0) continue;
            data[p] += ((red - data[p]) * a) >> 8;
            data[p + 1] += ((green - data[p + 1]) * a) >> 8;
            data[p + 2] += ((blue - data[p + 2]) * a) >> 8;
          }
        }
      }
    }
    this.show();
  }
}
