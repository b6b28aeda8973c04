// q(z|x) = N(m, Sigma) for every row of a chunk: from the encoder alone, or refined on the decoder.
//
// Each kind has `forward`, which writes m, the variances, log |F| and the sample z = m + F eps, and `backward`, which
// takes the loss's gradient in z, m and the variances back to the nets. `entropy` is the weight of -log |F| in the loss.

import { exp, log, tanh } from "./arithmetic.js";
import { cholesky, invertTransposed, solve } from "./cholesky.js";
import { Pass } from "./nets.js";

/** @import { Net } from "./nets.js" */

const LOG_STD_Z = 6; // |log std| of q is kept below this, smoothly
const AMORTISE = 10; // weight of the encoder's regression onto its refined mean

/** The results of a posterior: all are [rows, d], but logDet is [rows]. */
class Sample {
  /** @param {number} most @param {number} d */
  constructor(most, d) {
    const wide = () => new Float64Array(most * d);
    this.m = wide();
    this.variance = wide();
    this.logDet = new Float64Array(most);
    this.z = wide();
    this.eps = wide();
    this.gradZ = wide();
    this.gradM = wide();
    this.gradVariance = wide();
    // the prior's moments at each row, which a refinement needs, and the loss's gradient in them
    this.priorMean = wide();
    this.priorPrecision = wide();
    this.gradPriorMean = wide();
    this.gradPriorPrecision = wide();
  }
}

/** How many of the encoder's outputs a posterior uses: means, then log stds, then the entries below the diagonal. */
export const outputsOf = (/** @type {string} */ kind, /** @type {number} */ d) =>
  kind === "gauss-newton" ? d : kind === "diagonal" ? 2 * d : 2 * d + (d * (d - 1)) / 2;

/** q from the encoder's outputs: F = diag(std) (I + B), B strictly lower triangular and absent if q is diagonal. */
export class FromEncoder extends Sample {
  /** @param {Net} encoder @param {number} most @param {number} d @param {boolean} full */
  constructor(encoder, most, d, full) {
    super(most, d);
    this.d = d;
    this.full = full;
    this.encoder = new Pass(encoder, most, false);
    this.encoder.used = outputsOf(full ? "full" : "diagonal", d);
    this.noise = new Float64Array(most * d);
    this.t = new Float64Array(most * d);
  }

  /** @param {Float64Array} W @param {number} rows */
  forward(W, rows) {
    const { d, encoder, m, variance, logDet, z, eps, noise, t, full } = this;
    encoder.forward(W, rows);
    const { out, net } = encoder;
    for (let r = 0; r < rows; r++) {
      const from = r * net.outputs;
      const at = r * d;
      let below = from + 2 * d;
      logDet[r] = 0;
      for (let i = 0; i < d; i++) {
        t[at + i] = tanh((out[from + d + i] - 1) / LOG_STD_Z);
        const logStd = LOG_STD_Z * t[at + i];
        const std = exp(logStd);
        let mixed = eps[at + i];
        let spread = 1;
        if (full) {
          for (let j = 0; j < i; j++) {
            const b = out[below++];
            mixed += b * eps[at + j];
            spread += b * b;
          }
        }
        m[at + i] = out[from + i];
        noise[at + i] = mixed;
        variance[at + i] = std * std * spread;
        z[at + i] = out[from + i] + std * mixed;
        logDet[r] += logStd;
      }
    }
  }

  /** @param {Float64Array} W @param {Float64Array} G @param {number} rows @param {number} entropy */
  backward(W, G, rows, entropy) {
    const { d, encoder, variance, eps, noise, t, full, gradZ, gradM, gradVariance } = this;
    const { out, grad, net } = encoder;
    for (let r = 0; r < rows; r++) {
      const from = r * net.outputs;
      const at = r * d;
      let below = from + 2 * d;
      for (let i = 0; i < d; i++) {
        const std = exp(LOG_STD_Z * t[at + i]);
        const gz = gradZ[at + i];
        const gv = gradVariance[at + i];
        if (full) {
          for (let j = 0; j < i; j++) {
            grad[below] = gz * std * eps[at + j] + 2 * gv * std * std * out[below];
            below++;
          }
        }
        const gradLogStd = gz * std * noise[at + i] + 2 * gv * variance[at + i] - entropy;
        grad[from + i] = gz + gradM[at + i];
        grad[from + d + i] = gradLogStd * (1 - t[at + i] * t[at + i]);
      }
    }
    encoder.backward(W, G, rows);
  }

  /** The encoder's own mean e(x), which is m here. */
  get guess() {
    return this.m;
  }
}

/**
 * The encoder's guess, refined by Newton steps on the decoder, with the decoder's curvature as precision:
 *
 *     H = w J J^T + P,   v = H^-1 [ w J (x - f) - P (m - mu) ],   m <- m + v / max(1, |v|),   q = N(m, H^-1)
 *
 * w = 1 / noise variance; P and mu are the prior's. The gradient flows through every step; the encoder is also trained
 * to predict the refined mean.
 */
export class GaussNewton extends Sample {
  /** @param {Net} encoder @param {Net} decoder @param {number} most @param {number} steps @param {number} noiseAt */
  constructor(encoder, decoder, most, steps, noiseAt) {
    const d = decoder.inputs;
    super(most, d);
    this.d = d;
    this.encoder = new Pass(encoder, most, false);
    this.encoder.used = d;
    this.stages = Array.from({ length: steps + 1 }, () => new Stage(decoder, most));
    this.noiseAt = noiseAt;
    this.amortise = 0;
    this.guess = new Float64Array(most * d);
    this.factor = new Float64Array(most * d * d); // F = L^-T, upper triangular
    this.a = new Float64Array(d * d);
    this.b = new Float64Array(d * d);
  }

  /** @param {Float64Array} W @param {number} rows */
  forward(W, rows) {
    const { d, encoder, stages, m, variance, logDet, z, eps, guess, factor } = this;
    const w = exp(-2 * boundedLogStd(W[this.noiseAt]));
    const target = encoder.x;
    encoder.forward(W, rows);
    for (let r = 0; r < rows; r++) for (let i = 0; i < d; i++) guess[r * d + i] = encoder.out[r * encoder.net.outputs + i];
    m.set(guess);
    for (const [k, stage] of stages.entries()) {
      stage.curve(W, m, rows, w, this.priorPrecision);
      if (k < stages.length - 1) stage.move(m, target, rows, w, this.priorMean, this.priorPrecision);
    }
    const { L } = stages[stages.length - 1];
    for (let r = 0; r < rows; r++) {
      const at = r * d * d;
      invertTransposed(L, factor, at, d);
      logDet[r] = 0;
      for (let i = 0; i < d; i++) {
        let shift = 0;
        let sum = 0;
        for (let j = i; j < d; j++) {
          const f = factor[at + i * d + j];
          shift += f * eps[r * d + j];
          sum += f * f;
        }
        z[r * d + i] = m[r * d + i] + shift;
        variance[r * d + i] = sum;
        logDet[r] -= log(L[at + i * d + i]);
      }
    }
  }

  /** @param {Float64Array} W @param {Float64Array} G @param {number} rows @param {number} entropy */
  backward(W, G, rows, entropy) {
    const { d, encoder, stages, m, guess, gradZ, gradM } = this;
    const w = exp(-2 * boundedLogStd(W[this.noiseAt]));
    let gradW = 0;
    for (let i = 0; i < rows * d; i++) gradM[i] += gradZ[i];
    for (let k = stages.length - 1; k >= 0; k--) {
      const stage = stages[k];
      stage.begin(rows);
      if (k === stages.length - 1) this.intoPrecision(stage, rows, entropy);
      else stage.moveBackward(gradM, encoder.x, rows, w, this.priorMean, this.priorPrecision, this.gradPriorMean, this.gradPriorPrecision);
      gradW += stage.curveBackward(W, G, rows, w, gradM, this.gradPriorPrecision);
    }
    if (W[this.noiseAt] === boundedLogStd(W[this.noiseAt])) G[this.noiseAt] -= 2 * w * gradW;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < d; i++) {
        const at = r * d + i;
        encoder.grad[r * encoder.net.outputs + i] = gradM[at] + this.amortise * (guess[at] - m[at]);
      }
    }
    encoder.backward(W, G, rows);
  }

  /** Weight of one row's regression of the guess onto the refined mean. @param {number} rows of the whole batch */
  set batch(rows) {
    this.amortise = AMORTISE / rows;
  }

  /**
   * The gradient in H of the sample, the variances and log |F| = -1/2 log |H|, at the last stage.
   *
   * z: dz = -L^-T dL^T F eps, so the gradient in L is -(F eps) (L^-1 gz)^T, taken through the Cholesky factor.
   * @param {Stage} stage
   * @param {number} rows
   * @param {number} entropy
   */
  intoPrecision(stage, rows, entropy) {
    const { d, m, z, factor, gradZ, gradVariance, a, b } = this;
    for (let r = 0; r < rows; r++) {
      const at = r * d * d;
      // a = lower part of L^T gradL, half on the diagonal; with t = F eps, (L^T t)_i = eps_i
      for (let j = 0; j < d; j++) {
        let pulled = 0; // (L^-1 gz)_j = (F^T gz)_j
        for (let i = 0; i <= j; i++) pulled += factor[at + i * d + j] * gradZ[r * d + i];
        for (let i = 0; i < d; i++) {
          // gradL[k, j] for k >= j only: (L^T gradL)[i, j] = -sum over k >= max(i, j) of L[k, i] t_k pulled
          let sum = 0;
          for (let k = Math.max(i, j); k < d; k++) sum += stage.L[at + k * d + i] * (z[r * d + k] - m[r * d + k]);
          a[i * d + j] = i < j ? 0 : -sum * pulled * (i === j ? 0.5 : 1);
        }
      }
      // b = F a, then the gradient in H is the symmetric part of F a F^T
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) {
          let sum = 0;
          for (let k = i; k < d; k++) sum += factor[at + i * d + k] * a[k * d + j];
          b[i * d + j] = sum;
        }
      }
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) {
          let sum = 0;
          for (let k = j; k < d; k++) sum += b[i * d + k] * factor[at + j * d + k];
          let covariance = 0;
          for (let k = Math.max(i, j); k < d; k++) covariance += factor[at + i * d + k] * factor[at + j * d + k];
          stage.gradH[at + i * d + j] += 0.5 * sum + 0.5 * entropy * covariance;
          stage.gradH[at + j * d + i] += 0.5 * sum;
        }
      }
      // variances: Sigma = H^-1, so the gradient in H is -Sigma diag(gv) Sigma
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) {
          let sum = 0;
          for (let k = 0; k < d; k++) {
            let left = 0;
            let right = 0;
            for (let l = Math.max(i, k); l < d; l++) left += factor[at + i * d + l] * factor[at + k * d + l];
            for (let l = Math.max(j, k); l < d; l++) right += factor[at + j * d + l] * factor[at + k * d + l];
            sum += left * gradVariance[r * d + k] * right;
          }
          stage.gradH[at + i * d + j] -= sum;
        }
      }
    }
  }
}

/** One Newton step: the decoder and its Jacobian at m, the curvature, and the move. */
class Stage {
  /** @param {Net} decoder @param {number} most */
  constructor(decoder, most) {
    const d = decoder.inputs;
    this.d = d;
    this.pass = new Pass(decoder, most, true);
    this.L = new Float64Array(most * d * d);
    this.v = new Float64Array(most * d);
    this.y = new Float64Array(d);
    this.length = new Float64Array(most);
    this.gradH = new Float64Array(most * d * d);
    this.gradW = 0; // gradient in w of the move
  }

  /** @param {Float64Array} W @param {Float64Array} m @param {number} rows @param {number} w @param {Float64Array} P */
  curve(W, m, rows, w, P) {
    const { d, pass, L } = this;
    const { outputs } = pass.net;
    for (let i = 0; i < rows * d; i++) pass.x[i] = m[i];
    pass.forward(W, rows);
    const J = pass.out;
    for (let r = 0; r < rows; r++) {
      const row = (rows + r * d) * outputs;
      const at = r * d * d;
      for (let i = 0; i < d; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0;
          for (let k = 0; k < outputs; k++) sum += J[row + i * outputs + k] * J[row + j * outputs + k];
          L[at + i * d + j] = w * sum + (i === j ? P[r * d + i] : 0);
        }
      }
      cholesky(L, at, d);
    }
  }

  /**
   * @param {Float64Array} m
   * @param {Float64Array} target
   * @param {number} rows
   * @param {number} w
   * @param {Float64Array} mu
   * @param {Float64Array} P
   */
  move(m, target, rows, w, mu, P) {
    const { d, pass, L, v, y } = this;
    const { outputs } = pass.net;
    const f = pass.out;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < d; i++) {
        let sum = 0;
        const row = (rows + r * d + i) * outputs;
        for (let k = 0; k < outputs; k++) sum += f[row + k] * (target[r * outputs + k] - f[r * outputs + k]);
        y[i] = w * sum - P[r * d + i] * (m[r * d + i] - mu[r * d + i]);
      }
      solve(L, r * d * d, y, d);
      let squared = 0;
      for (let i = 0; i < d; i++) squared += y[i] * y[i];
      const length = Math.max(1, Math.sqrt(Math.max(squared, 1e-12)));
      this.length[r] = length;
      for (let i = 0; i < d; i++) {
        v[r * d + i] = y[i];
        m[r * d + i] += y[i] / length;
      }
    }
  }

  /** @param {number} rows */
  begin(rows) {
    const { d, pass } = this;
    pass.grad.fill(0, 0, rows * (1 + d) * pass.net.outputs);
    this.gradH.fill(0, 0, rows * d * d);
  }

  /**
   * Take the gradient in the moved mean to that in the mean before, in H, f, J and the prior's moments.
   * @param {Float64Array} gradM
   * @param {Float64Array} target
   * @param {number} rows
   * @param {number} w
   * @param {Float64Array} mu
   * @param {Float64Array} P
   * @param {Float64Array} gradMu
   * @param {Float64Array} gradP
   */
  moveBackward(gradM, target, rows, w, mu, P, gradMu, gradP) {
    const { d, pass, L, v, y } = this;
    const { outputs } = pass.net;
    const { out, grad } = pass;
    this.gradW = 0;
    for (let r = 0; r < rows; r++) {
      const length = this.length[r];
      let along = 0;
      for (let i = 0; i < d; i++) along += v[r * d + i] * gradM[r * d + i];
      for (let i = 0; i < d; i++) {
        y[i] = gradM[r * d + i] / length;
        if (length > 1) y[i] -= (v[r * d + i] * along) / (length * length * length);
      }
      solve(L, r * d * d, y, d); // y is now the gradient in the gradient that was stepped along
      for (let i = 0; i < d; i++) {
        const at = r * d + i;
        for (let j = 0; j < d; j++) this.gradH[r * d * d + i * d + j] -= y[i] * v[r * d + j];
        const row = (rows + at) * outputs;
        let sum = 0;
        for (let k = 0; k < outputs; k++) {
          const residual = target[r * outputs + k] - out[r * outputs + k];
          sum += out[row + k] * residual;
          grad[row + k] += w * y[i] * residual;
          grad[r * outputs + k] -= w * y[i] * out[row + k];
        }
        this.gradW += y[i] * sum;
        const m = pass.x[at];
        gradP[at] -= y[i] * (m - mu[at]);
        gradMu[at] += P[at] * y[i];
        gradM[at] -= P[at] * y[i];
      }
    }
  }

  /**
   * Take the gradient in H to J and the prior's precision, and all through the decoder. Returns the gradient in w.
   * @param {Float64Array} W
   * @param {Float64Array} G
   * @param {number} rows
   * @param {number} w
   * @param {Float64Array} gradM
   * @param {Float64Array} gradP
   */
  curveBackward(W, G, rows, w, gradM, gradP) {
    const { d, pass, gradH } = this;
    const { outputs } = pass.net;
    const { out, grad } = pass;
    let gradW = this.gradW;
    this.gradW = 0;
    for (let r = 0; r < rows; r++) {
      const row = (rows + r * d) * outputs;
      for (let i = 0; i < d; i++) {
        gradP[r * d + i] += gradH[r * d * d + i * d + i];
        for (let j = 0; j < d; j++) {
          const g = gradH[r * d * d + i * d + j];
          const both = w * (g + gradH[r * d * d + j * d + i]);
          let sum = 0;
          for (let k = 0; k < outputs; k++) {
            const along = out[row + j * outputs + k];
            sum += out[row + i * outputs + k] * along;
            grad[row + i * outputs + k] += both * along;
          }
          gradW += g * sum;
        }
      }
    }
    pass.backward(W, G, rows);
    for (let i = 0; i < rows * d; i++) gradM[i] += pass.gradX[i];
    return gradW;
  }
}

/** The noise's log std, kept within what is worth modelling. @param {number} raw */
export const boundedLogStd = (raw) => Math.min(Math.max(raw, -6), 3);
