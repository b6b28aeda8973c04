// The bound of one member and its gradient, a chunk of rows at a time:
//
//     ELBO = E_q[log p(x|z)] - KL(q(z|x) || prior),   loss = -(recon - beta KL), averaged over the rows

import { exp, LOG_2PI } from "./arithmetic.js";
import { Pass } from "./nets.js";
import { boundedLogStd, FromEncoder, GaussNewton } from "./posterior.js";
import { RowPrior, TimePrior } from "./prior.js";

/** @import { Layout } from "./layout.js" */
/** @import { Settings } from "./population.js" */

const CHUNK = 32; // rows whose numbers fit into a core's first cache; even, so that pairs stay together
const REFINE_TRAINING = 2;
const REFINE_TESTING = 5;

/** The rows that the bound reads. @typedef {{ h: Float64Array, u: Int32Array | null, logDet: number }} Data */

export class Elbo {
  /** @param {Layout} layout @param {Data} data @param {Pick<Settings, "posterior" | "prior">} settings */
  constructor(layout, data, settings) {
    const { dz, encoder, decoder, noiseAt, segments, tableAt, timeAt } = layout;
    this.layout = layout;
    this.data = data;
    const full = settings.posterior === "full";
    const refined = settings.posterior === "gauss-newton";
    /** @param {number} steps */
    const posterior = (steps) =>
      refined ? new GaussNewton(encoder, decoder, CHUNK, steps, noiseAt) : new FromEncoder(encoder, CHUNK, dz, full);
    this.training = posterior(REFINE_TRAINING);
    this.testing = refined ? posterior(REFINE_TESTING) : this.training;
    this.prior = settings.prior === "time" ? new TimePrior(dz, timeAt) : new RowPrior(dz, settings.prior === "u" ? segments : 0, tableAt);
    this.decoder = new Pass(decoder, CHUNK, false);
    this.u = new Int32Array(CHUNK);
    this.cross = new Float64Array(CHUNK);
    this.bounds = new Float64Array(CHUNK);
  }

  /**
   * Add the loss's gradient to G. Returns the mean of the ELBO (not of the loss) over the rows.
   * @param {Float64Array} W a member's parameters
   * @param {Float64Array} G
   * @param {Int32Array} rows neighbours in pairs, if the prior is about pairs
   * @param {Float64Array} eps noise, [rows, dz]
   * @param {number} beta
   */
  gradient(W, G, rows, eps, beta) {
    const { training: q, layout, decoder, prior } = this;
    const { dx, dz, noiseAt } = layout;
    const share = 1 / rows.length;
    const logStd = boundedLogStd(W[noiseAt]);
    const precision = exp(-logStd);
    let total = 0;
    if (q instanceof GaussNewton) q.batch = rows.length;
    for (let start = 0; start < rows.length; start += CHUNK) {
      const count = Math.min(CHUNK, rows.length - start);
      this.place(W, q, rows, eps, start, count);
      let excess = 0;
      for (let r = 0; r < count; r++) {
        let squares = 0;
        for (let k = 0; k < dx; k++) {
          const residual = (decoder.out[r * dx + k] - q.encoder.x[r * dx + k]) * precision;
          squares += residual * residual;
          decoder.grad[r * dx + k] = residual * precision * share;
        }
        excess += dx - squares;
        this.bounds[r] = -0.5 * squares;
      }
      if (logStd === W[noiseAt]) G[noiseAt] += excess * share; // 0 beyond the bounds
      decoder.backward(W, G, count);
      prior.add(W, q, this.u, count, beta * share, this.cross);
      total += this.sum(q, count, logStd);
      for (let i = 0; i < count * dz; i++) q.gradZ[i] = decoder.gradX[i];
      q.backward(W, G, count, beta * share);
      prior.backward(W, G, q, this.u, count);
    }
    return total * share;
  }

  /**
   * The ELBO of each row, nats, with as many refinement steps as for scores.
   * @param {Float64Array} W
   * @param {Int32Array} rows
   * @param {Float64Array} eps
   * @param {Float64Array} out
   */
  evaluate(W, rows, eps, out) {
    const { testing: q, layout, decoder, prior } = this;
    const { dx, noiseAt } = layout;
    const logStd = boundedLogStd(W[noiseAt]);
    const precision = exp(-logStd);
    for (let start = 0; start < rows.length; start += CHUNK) {
      const count = Math.min(CHUNK, rows.length - start);
      this.place(W, q, rows, eps, start, count);
      prior.add(W, q, this.u, count, 0, this.cross);
      for (let r = 0; r < count; r++) {
        this.bounds[r] = 0;
        for (let k = 0; k < dx; k++) {
          const residual = (decoder.out[r * dx + k] - q.encoder.x[r * dx + k]) * precision;
          this.bounds[r] -= 0.5 * residual * residual;
        }
      }
      this.sum(q, count, logStd);
      for (let r = 0; r < count; r++) out[start + r] = this.bounds[r];
    }
  }

  /**
   * The encoder's own mean e(x) of rows first, first + every, ...
   * @param {Float64Array} W
   * @param {number} every
   * @param {Float32Array} out
   * @param {number} at
   */
  guesses(W, every, out, at) {
    const { encoder } = this.training;
    const { dx, dz } = this.layout;
    const { h } = this.data;
    const n = Math.ceil(h.length / dx / every);
    for (let start = 0; start < n; start += CHUNK) {
      const count = Math.min(CHUNK, n - start);
      for (let r = 0; r < count; r++) for (let k = 0; k < dx; k++) encoder.x[r * dx + k] = h[(start + r) * every * dx + k];
      encoder.forward(W, count);
      for (let r = 0; r < count; r++)
        for (let i = 0; i < dz; i++) out[at + (start + r) * dz + i] = encoder.out[r * encoder.net.outputs + i];
    }
  }

  /**
   * Compute q, the sample and the decoder's output for a chunk.
   * @param {Float64Array} W
   * @param {FromEncoder | GaussNewton} q
   * @param {Int32Array} rows
   * @param {Float64Array} eps
   * @param {number} start
   * @param {number} count
   */
  place(W, q, rows, eps, start, count) {
    const { dx, dz } = this.layout;
    const { h, u } = this.data;
    for (let r = 0; r < count; r++) {
      const row = rows[start + r];
      if (u) this.u[r] = u[row];
      for (let k = 0; k < dx; k++) q.encoder.x[r * dx + k] = h[row * dx + k];
      for (let i = 0; i < dz; i++) q.eps[r * dz + i] = eps[(start + r) * dz + i];
    }
    this.prior.place(W, q, this.u, count);
    q.forward(W, count);
    for (let i = 0; i < count * dz; i++) this.decoder.x[i] = q.z[i];
    this.decoder.forward(W, count);
  }

  /**
   * Complete the bounds, which hold the squared errors so far, and return their sum.
   * @param {FromEncoder | GaussNewton} q
   * @param {number} count
   * @param {number} logStd
   */
  sum(q, count, logStd) {
    const { dx, dz } = this.layout;
    const constant = this.data.logDet - dx * (logStd + 0.5 * LOG_2PI) + 0.5 * dz * (LOG_2PI + 1);
    let total = 0;
    for (let r = 0; r < count; r++) {
      this.bounds[r] += constant + q.logDet[r] - this.cross[r];
      total += this.bounds[r];
    }
    return total;
  }
}
