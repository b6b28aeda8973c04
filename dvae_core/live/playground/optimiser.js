// Adam for all parameters, or Muon for the nets' matrices and Adam for the rest, on a one-cycle schedule.

import { addProduct } from "./arithmetic.js";
import { outputsOf } from "./posterior.js";

/** @import { Layout } from "./layout.js" */
/** @import { Numbers, Settings, Values } from "./population.js" */

const MOMENTUM = 0.95;
const MUON_RATE = 2; // times the learning rate: the length of an orthogonal step in every direction

/**
 * Learning rate at a step: a cosine up from peak / 25 over the first 30 %, then a cosine down to peak / 1000.
 * @param {number} step
 * @param {number} steps
 * @param {number} peak
 */
export function oneCycle(step, steps, peak) {
  const up = 0.3 * steps;
  const [low, t] = step < up ? [peak / 25, step / up] : [peak / 1000, (steps - step) / (steps - up)];
  return low + (peak - low) * 0.5 * (1 - cosine(Math.max(0, Math.min(t, 1))));
}

/** cos(pi t) for t from 0 to 1, the same in every browser. @param {number} t */
function cosine(t) {
  const y = Math.PI * (t > 0.5 ? 1 - t : t);
  let sum = 1;
  for (let k = 18; k >= 2; k -= 2) sum = 1 - (y * y * sum) / (k * (k - 1)); // the Taylor series, inside out
  return t > 0.5 ? -sum : sum;
}

export class Optimiser {
  /** @param {Layout} layout @param {number} p @param {Numbers} Type */
  constructor(layout, p, Type) {
    const { size, hidden } = layout;
    this.layout = layout;
    this.first = new Type(p * size);
    this.second = new Type(p * size);
    this.momentum = new Type(p * size);
    this.decays = [new Float64Array(p).fill(1), new Float64Array(p).fill(1)]; // .9^t and .999^t; ** may differ between browsers
    this.running = new Float64Array(p); // gradient norm, 0 = not started
    const wide = () => new Float64Array(hidden * Math.max(hidden, layout.encoder.outputs, layout.dx, layout.dz));
    this.ahead = wide();
    this.next = wide();
    this.gram = new Float64Array(hidden * hidden);
    this.poly = new Float64Array(hidden * hidden);
  }

  /**
   * Scale a member's gradient to at most twice its running norm. Returns whether it was finite.
   * @param {Float64Array} G
   * @param {number} m
   */
  clip(G, m) {
    let squares = 0;
    for (let i = 0; i < G.length; i++) squares += G[i] * G[i];
    const norm = Math.sqrt(squares);
    if (!Number.isFinite(norm)) return false;
    const before = this.running[m] > 0 ? this.running[m] : norm;
    const clipped = Math.min(norm, 2 * before);
    if (clipped < norm) for (let i = 0; i < G.length; i++) G[i] *= clipped / norm;
    this.running[m] = before + 0.01 * (clipped - before);
    return true;
  }

  /**
   * Take a member's step.
   * @param {Values} parameters of all members
   * @param {Float64Array} G the member's gradient
   * @param {number} m
   * @param {number} rate
   * @param {Pick<Settings, "posterior" | "optimiser">} settings
   */
  step(parameters, G, m, rate, settings) {
    const { layout, first, second, momentum, decays } = this;
    const at = m * layout.size;
    decays[0][m] *= 0.9;
    decays[1][m] *= 0.999;
    const muon = settings.optimiser === "muon";
    const before = muon ? parameters.slice(at, at + layout.size) : null;
    const size = rate / (1 - decays[0][m]);
    const root = Math.sqrt(1 - decays[1][m]);
    for (let i = 0; i < layout.size; i++) {
      const g = G[i];
      first[at + i] += 0.1 * (g - first[at + i]);
      second[at + i] = 0.999 * second[at + i] + (1 - 0.999) * g * g;
      parameters[at + i] -= (size * first[at + i]) / (Math.sqrt(second[at + i]) / root + 1e-8);
    }
    if (!before) return;
    for (let i = 0; i < layout.size; i++) momentum[at + i] += (1 - MOMENTUM) * (G[i] - momentum[at + i]);
    for (const { rows, columns, stride, from } of this.matrices(settings.posterior)) {
      const scale = rate * MUON_RATE * Math.sqrt(Math.max(1, columns / rows));
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const k = from + i * stride + j;
          this.ahead[i * columns + j] = G[k] + MOMENTUM * (momentum[at + k] - G[k]);
        }
      }
      this.orthogonalise(rows, columns);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const k = from + i * stride + j;
          parameters[at + k] = before[k] - scale * this.ahead[i * columns + j];
        }
      }
    }
  }

  /** The matrices that Muon moves, without the outputs that a posterior does not use. @param {Settings["posterior"]} posterior */
  matrices(posterior) {
    const { dz, encoder, decoder } = this.layout;
    const found = [];
    for (const net of [encoder, decoder]) {
      const { inputs, hidden, outputs } = net;
      const used = net === encoder ? outputsOf(posterior, dz) : outputs;
      found.push({ rows: inputs, columns: hidden, stride: hidden, from: net.weights[0] });
      found.push({ rows: hidden, columns: hidden, stride: hidden, from: net.weights[1] });
      found.push({ rows: hidden, columns: used, stride: outputs, from: net.weights[2] });
    }
    return found.filter(({ rows, columns }) => Math.min(rows, columns) > 1);
  }

  /**
   * Replace `ahead` by its orthogonal factor, with singular values between 0.7 and 1.2: five Newton-Schulz steps with
   * the coefficients of Jordan et al. 2024.
   * @param {number} rows
   * @param {number} columns
   */
  orthogonalise(rows, columns) {
    const { ahead, next, gram, poly } = this;
    const tall = rows > columns;
    const short = tall ? columns : rows;
    const long = tall ? rows : columns;
    // entry (i, k) of the short x long matrix lies at i * down + k * along
    const down = tall ? 1 : columns;
    const along = tall ? columns : 1;
    let squares = 0;
    for (let i = 0; i < rows * columns; i++) squares += ahead[i] * ahead[i];
    const norm = Math.sqrt(squares) + 1e-7;
    for (let i = 0; i < rows * columns; i++) ahead[i] /= norm;
    for (let turn = 0; turn < 5; turn++) {
      gram.fill(0, 0, short * short);
      addProduct(gram, 0, short, ahead, 0, down, along, ahead, 0, along, down, short, long, short);
      poly.fill(0, 0, short * short);
      addProduct(poly, 0, short, gram, 0, short, 1, gram, 0, short, 1, short, short, short);
      for (let i = 0; i < short * short; i++) poly[i] = -4.775 * gram[i] + 2.0315 * poly[i];
      for (let i = 0; i < short; i++) poly[i * short + i] += 3.4445;
      next.fill(0, 0, rows * columns);
      // tall: next = ahead poly, since poly is symmetric
      if (tall) addProduct(next, 0, columns, ahead, 0, columns, 1, poly, 0, short, 1, rows, short, columns);
      else addProduct(next, 0, columns, poly, 0, short, 1, ahead, 0, columns, 1, rows, short, columns);
      ahead.set(next);
    }
  }
}
