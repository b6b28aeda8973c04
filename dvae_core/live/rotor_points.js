// The points that a rotor turns: in their plane, before and after, grouped by their hue.

import { numbersOf, quantile } from "./numbers.js";

/** @import { RotorData, Vector } from "./types.d.ts" */

const SHOWN = 6; // examples that stand for the data where x is not a plane
export const TILDE = "z\u0303";
const SUBSCRIPTS = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089";

/** The index of a latent as a subscript, from 1. */
export const subscript = (/** @type {number} */ i) => [...String(i + 1)].map((c) => SUBSCRIPTS[Number(c)]).join("");

export class Points {
  /** @param {RotorData} data */
  constructor(data) {
    this.i = data.plane[0];
    this.j = data.plane[1];
    this.d = data.d_z;
    this.latents = numbersOf(data.points);
    this.n = this.latents.length / data.d_z;
    this.base = data.base ? Float64Array.from(data.base) : null;
    this.before = new Float32Array(2 * this.n); // pairs in the plane that turns
    this.after = new Float32Array(2 * this.n);
    for (let k = 0; k < this.n; k++) {
      this.before[2 * k] = this.latents[k * this.d + this.i];
      this.before[2 * k + 1] = this.latents[k * this.d + this.j];
    }
    const [a, b] = [this.i, this.j].map((k) => `z${subscript(k)}`);
    const quadrants = [`${a}, ${b} > 0`, `${a} < 0 < ${b}`, `${a}, ${b} < 0`, `${b} < 0 < ${a}`];
    this.labels = data.hues ? data.hue_labels : quadrants;
    this.hues = data.hues ?? Array.from({ length: this.n }, (_, k) => this.quadrant(k));
    /** @type {Map<number, number[]>} Rows by hue. */
    this.groups = new Map([...new Set(this.hues)].map((hue) => [hue, []]));
    for (const [k, hue] of this.hues.entries()) this.groups.get(hue)?.push(k);
  }

  /** @param {number} k */
  quadrant(k) {
    const [a, b] = [this.before[2 * k], this.before[2 * k + 1]];
    return a >= 0 ? (b >= 0 ? 0 : 3) : b >= 0 ? 1 : 2;
  }

  /** Half a side of the latent panels: the circles, and 99 % of the points whichever way they turn. */
  reach() {
    const { d } = this;
    /** @type {number[]} */
    const radii = [];
    for (let k = 0; k < this.n; k++) {
      let s = 0;
      if (this.base) for (let c = 0; c < d; c++) s += this.latents[k * d + c] ** 2;
      else s = this.before[2 * k] ** 2 + this.before[2 * k + 1] ** 2;
      radii.push(Math.sqrt(s));
    }
    return Math.max(3.6, Math.min(8, 1.05 * quantile(radii, 0.99)));
  }

  /** A few points spread around the plane, to be shown as pictures. */
  spread() {
    const angles = Array.from({ length: SHOWN }, (_, k) => (k * Math.PI) / 3 + 0.4);
    const wanted = angles.map((a) => [1.4 * Math.cos(a), 1.4 * Math.sin(a)]);
    /** @type {Set<number>} */
    const chosen = new Set();
    for (const [x, y] of wanted) {
      let best = -1;
      let least = Infinity;
      for (let k = 0; k < this.n; k++) {
        const far = (this.before[2 * k] - x) ** 2 + (this.before[2 * k + 1] - y) ** 2;
        if (far < least && !chosen.has(k)) [best, least] = [k, far];
      }
      if (best >= 0) chosen.add(best);
    }
    return [...chosen];
  }

  /** @param {number} k */
  latentOf(k) {
    return Float64Array.from(this.latents.subarray(k * this.d, (k + 1) * this.d));
  }

  /**
   * Put M z into `after`.
   * @param {Vector} M
   */
  turn(M) {
    const { d, i, j, before, after } = this;
    if (this.base) {
      for (let k = 0; k < this.n; k++) {
        let [a, b] = [0, 0];
        for (let c = 0; c < d; c++) {
          a += M[i * d + c] * this.latents[k * d + c];
          b += M[j * d + c] * this.latents[k * d + c];
        }
        after[2 * k] = a;
        after[2 * k + 1] = b;
      }
    } else {
      const [a, b, c, e] = [M[i * d + i], M[i * d + j], M[j * d + i], M[j * d + j]];
      for (let k = 0; k < before.length; k += 2) {
        after[k] = a * before[k] + b * before[k + 1];
        after[k + 1] = c * before[k] + e * before[k + 1];
      }
    }
  }
}
