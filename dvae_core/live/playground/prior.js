// The priors: N(0, I), Gaussian p(z|u) with a mean and a variance for every value of u, and pairs of neighbouring rows.
//
// All are Gaussian, so the KL is in closed form. `add` writes -E_q log p of each row and adds the gradient of `weight`
// times it to that in m, in the variances and in the prior's own parameters.

import { exp, LOG_2PI, log, tanh } from "./arithmetic.js";

/** @import { FromEncoder, GaussNewton } from "./posterior.js" */

const LOG_VAR_BOUND = 7; // |log var| stays below this, smoothly: stds between 0.03 and 33
const LEAST = 1e-4; // the variance of a step in time is not below this

/** N(mu, 1 / P) at each row of `q`: mu and P are 0 and 1 for N(0, I). */
export class RowPrior {
  /**
   * @param {number} d
   * @param {number} segments values of u; 0 for N(0, I)
   * @param {number} tableAt where the means and raw log variances of each segment begin in the parameters
   */
  constructor(d, segments, tableAt) {
    this.d = d;
    this.segments = segments;
    this.tableAt = tableAt;
    this.logVar = new Float64Array(segments * d);
    this.precision = new Float64Array(segments * d);
  }

  /**
   * Write the moments at the rows.
   * @param {Float64Array} W
   * @param {FromEncoder | GaussNewton} q
   * @param {ArrayLike<number>} u of these rows
   * @param {number} rows
   */
  place(W, q, u, rows) {
    const { d, segments, tableAt } = this;
    q.gradPriorMean.fill(0, 0, rows * d);
    q.gradPriorPrecision.fill(0, 0, rows * d);
    if (segments === 0) {
      q.priorMean.fill(0, 0, rows * d);
      q.priorPrecision.fill(1, 0, rows * d);
      return;
    }
    for (let s = 0; s < segments; s++) {
      for (let i = 0; i < d; i++) {
        const logVar = LOG_VAR_BOUND * tanh(W[tableAt + s * 2 * d + d + i] / LOG_VAR_BOUND);
        this.logVar[s * d + i] = logVar;
        this.precision[s * d + i] = exp(-logVar);
      }
    }
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < d; i++) {
        q.priorMean[r * d + i] = W[tableAt + u[r] * 2 * d + i];
        q.priorPrecision[r * d + i] = this.precision[u[r] * d + i];
      }
    }
  }

  /**
   * @param {Float64Array} _W
   * @param {FromEncoder | GaussNewton} q
   * @param {ArrayLike<number>} u
   * @param {number} rows
   * @param {number} weight
   * @param {Float64Array} cross -E_q log p of each row
   */
  add(_W, q, u, rows, weight, cross) {
    const { d } = this;
    const { m, variance, priorMean, priorPrecision, gradM, gradVariance, gradPriorMean, gradPriorPrecision } = q;
    for (let r = 0; r < rows; r++) {
      cross[r] = 0.5 * d * LOG_2PI;
      for (let i = 0; i < d; i++) {
        const at = r * d + i;
        const P = priorPrecision[at];
        const distance = m[at] - priorMean[at];
        const squares = distance * distance + variance[at];
        cross[r] += 0.5 * (P * squares + (this.segments ? this.logVar[u[r] * d + i] : 0));
        gradM[at] = weight * P * distance;
        gradVariance[at] = 0.5 * weight * P;
        gradPriorMean[at] -= weight * P * distance;
        gradPriorPrecision[at] += 0.5 * weight * (squares - 1 / P);
      }
    }
  }

  /**
   * Add the gradient in the table. Called last: a refined posterior has changed the gradients in the moments.
   * @param {Float64Array} W
   * @param {Float64Array} G
   * @param {FromEncoder | GaussNewton} q
   * @param {ArrayLike<number>} u
   * @param {number} rows
   */
  backward(W, G, q, u, rows) {
    const { d, segments, tableAt } = this;
    if (segments === 0) return;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < d; i++) {
        const at = tableAt + u[r] * 2 * d + i;
        const t = tanh(W[at + d] / LOG_VAR_BOUND);
        G[at] += q.gradPriorMean[r * d + i];
        G[at + d] -= q.gradPriorPrecision[r * d + i] * q.priorPrecision[r * d + i] * (1 - t * t);
      }
    }
  }
}

/**
 * Pairs: rows 0 and 1, 2 and 3, ... of a chunk are neighbours in time.
 *
 *     p(z0) = N(0, I),   p(z1 | z0) = prod_i N(a_i z0_i, 1 - a_i^2),   a_i = tanh(raw_i)
 *
 * Each row alone then has the prior N(0, I), which is what a refinement uses. Each row is credited with half of its
 * pair.
 */
export class TimePrior {
  /** @param {number} d @param {number} rawAt where the raw coefficients begin in the parameters */
  constructor(d, rawAt) {
    this.d = d;
    this.rawAt = rawAt;
  }

  /** @param {Float64Array} _W @param {FromEncoder | GaussNewton} q @param {ArrayLike<number>} _u @param {number} rows */
  place(_W, q, _u, rows) {
    q.priorMean.fill(0, 0, rows * this.d);
    q.priorPrecision.fill(1, 0, rows * this.d);
    q.gradPriorMean.fill(0, 0, rows * this.d);
    q.gradPriorPrecision.fill(0, 0, rows * this.d);
    this.gradA = new Float64Array(this.d);
  }

  /**
   * @param {Float64Array} W
   * @param {FromEncoder | GaussNewton} q
   * @param {ArrayLike<number>} _u
   * @param {number} rows an even number
   * @param {number} weight of one row
   * @param {Float64Array} cross
   */
  add(W, q, _u, rows, weight, cross) {
    const { d, rawAt } = this;
    const { m, variance, gradM, gradVariance } = q;
    const gradA = new Float64Array(d);
    for (let r = 0; r < rows; r += 2) {
      let value = d * LOG_2PI;
      for (let i = 0; i < d; i++) {
        const before = r * d + i;
        const after = before + d;
        const a = tanh(W[rawAt + i]);
        const left = 1 - a * a;
        const v = Math.max(left, LEAST);
        const step = m[after] - a * m[before];
        const squares = step * step + variance[after] + a * a * variance[before];
        value += 0.5 * (m[before] * m[before] + variance[before] + squares / v + log(v));
        gradM[before] = weight * (m[before] - (a * step) / v);
        gradM[after] = (weight * step) / v;
        gradVariance[before] = 0.5 * weight * (1 + (a * a) / v);
        gradVariance[after] = (0.5 * weight) / v;
        const ofVariance = left > LEAST ? a * (squares / v - 1) : 0;
        gradA[i] += weight * ((a * variance[before] - step * m[before] + ofVariance) / v);
      }
      cross[r] = 0.5 * value;
      cross[r + 1] = 0.5 * value;
    }
    this.gradA = gradA;
  }

  /** @param {Float64Array} W @param {Float64Array} G */
  backward(W, G) {
    if (!this.gradA) return;
    for (let i = 0; i < this.d; i++) {
      const a = tanh(W[this.rawAt + i]);
      G[this.rawAt + i] += this.gradA[i] * (1 - a * a);
    }
  }
}
