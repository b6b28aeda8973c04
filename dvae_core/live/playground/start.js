// The start of training: linear preprocessing of x, and every member's first parameters, drawn from its seed.

import { log } from "./arithmetic.js";
import { stream } from "./random.js";

/** @import { Layout } from "./layout.js" */
/** @import { Writable } from "../types.d.ts" */

/**
 * @typedef {object} Scaling
 * @property {"whiten" | "standardise"} how
 * @property {Float64Array} mean
 * @property {Float64Array} forward [dx, dx], a diagonal matrix if standardised
 * @property {Float64Array} inverse [dx, dx]
 * @property {number} logDet
 * @property {Float64Array} h preprocessed x, [n, dx]
 */

/**
 * Fit the preprocessing to the training rows and apply it to all: whitening if there are as many latents as columns.
 * Whitening more columns than latents would scale thin directions, which hold noise, up to 1.
 * @param {ArrayLike<number>} x
 * @param {number} n
 * @param {number} dx
 * @param {number} dz
 * @param {Int32Array} train
 * @returns {Scaling}
 */
export function scalingOf(x, n, dx, dz, train) {
  const mean = new Float64Array(dx);
  for (const r of train) for (let k = 0; k < dx; k++) mean[k] += x[r * dx + k] / train.length;
  const { covariance } = momentsOf(x, dx, train, mean);
  const forward = new Float64Array(dx * dx);
  const inverse = new Float64Array(dx * dx);
  let logDet = 0;
  const how = dx === dz ? "whiten" : "standardise";
  const { values, vectors } = how === "whiten" ? eigen(covariance, dx) : { values: diagonal(covariance, dx), vectors: null };
  const least = how === "whiten" ? 1e-6 * Math.max(...values) : 0;
  for (let k = 0; k < dx; k++) {
    // a column that is constant stays at 0
    const std = values[k] > 1e-24 || how === "whiten" ? Math.sqrt(Math.max(values[k], least)) : 1;
    logDet -= log(std);
    for (let i = 0; i < dx; i++) {
      const axis = vectors ? vectors[i * dx + k] : Number(i === k);
      forward[i * dx + k] = axis / std;
      inverse[k * dx + i] = axis * std;
    }
  }
  const h = new Float64Array(n * dx);
  for (let r = 0; r < n; r++) {
    for (let k = 0; k < dx; k++) {
      let sum = 0;
      for (let i = 0; i < dx; i++) sum += (x[r * dx + i] - mean[i]) * forward[i * dx + k];
      h[r * dx + k] = sum;
    }
  }
  return { how, mean, forward, inverse, logDet, h };
}

/**
 * Draw one member. Its linear paths start as a pair: the encoder's is A = V D^-1 Q on the leading principal components
 * of preprocessed x, with a random orthogonal Q, and the decoder's is the inverse of A on their span.
 * @param {Layout} layout
 * @param {number} seed
 * @param {{ axes: Float64Array, std: Float64Array }} components
 * @param {Writable} to
 * @param {number} at
 */
export function draw(layout, seed, components, to, at) {
  const { dx, dz, entries } = layout;
  for (const { name, at: from, size, std } of entries) {
    const random = stream(seed, "initial", name);
    for (let i = 0; i < size; i++) to[at + from + i] = std ? std * random.normal() : 0;
  }
  const time = stream(seed, "initial", "prior.raw");
  for (let i = 0; i < dz; i++) to[at + layout.timeAt + i] = 0.5 + 0.3 * time.normal();
  const { axes, std } = components; // axes [dz, dx]
  const random = stream(seed, "linear path");
  const G = Float64Array.from({ length: dx * dz }, () => random.normal());
  const VG = new Float64Array(dz * dz);
  for (let i = 0; i < dz; i++) for (let j = 0; j < dz; j++) for (let k = 0; k < dx; k++) VG[i * dz + j] += axes[i * dx + k] * G[k * dz + j];
  const Q = orthogonalPart(VG, dz);
  for (let k = 0; k < dx; k++) {
    for (let j = 0; j < dz; j++) {
      let [into, back] = [0, 0];
      for (let i = 0; i < dz; i++) {
        into += (axes[i * dx + k] / std[i]) * Q[i * dz + j];
        back += axes[i * dx + k] * std[i] * Q[i * dz + j];
      }
      to[at + layout.encoder.skip + k * dz + j] = into;
      to[at + layout.decoder.skip + j * dx + k] = back;
    }
  }
}

/**
 * The leading principal components of preprocessed x: axes [dz, dx] and their standard deviations.
 * @param {Float64Array} h
 * @param {number} dx
 * @param {number} dz
 * @param {Int32Array} train
 */
export function componentsOf(h, dx, dz, train) {
  const { values, vectors } = eigen(momentsOf(h, dx, train, new Float64Array(dx)).covariance, dx);
  const order = Array.from(values.keys()).sort((i, j) => values[j] - values[i]);
  const axes = new Float64Array(dz * dx);
  const std = new Float64Array(dz);
  for (let i = 0; i < dz; i++) {
    std[i] = Math.max(Math.sqrt(Math.max(values[order[i]], 0)), 1e-6);
    for (let k = 0; k < dx; k++) axes[i * dx + k] = vectors[k * dx + order[i]];
  }
  return { axes, std };
}

/** @param {ArrayLike<number>} x @param {number} d @param {Int32Array} rows @param {Float64Array} mean */
function momentsOf(x, d, rows, mean) {
  const covariance = new Float64Array(d * d);
  for (const r of rows) {
    for (let i = 0; i < d; i++) {
      const a = x[r * d + i] - mean[i];
      for (let j = 0; j < d; j++) covariance[i * d + j] += (a * (x[r * d + j] - mean[j])) / (rows.length - 1);
    }
  }
  return { covariance };
}

/** @param {Float64Array} A @param {number} d */
const diagonal = (A, d) => Float64Array.from({ length: d }, (_, i) => A[i * d + i]);

/**
 * Eigenvalues of a symmetric matrix, and its eigenvectors in columns, by Jacobi's rotations.
 * @param {ArrayLike<number>} matrix
 * @param {number} d
 */
export function eigen(matrix, d) {
  const A = Float64Array.from(matrix);
  const V = new Float64Array(d * d);
  for (let i = 0; i < d; i++) V[i * d + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < d; p++) for (let q = p + 1; q < d; q++) off += A[p * d + q] ** 2;
    if (off < 1e-300) break;
    for (let p = 0; p < d; p++) {
      for (let q = p + 1; q < d; q++) {
        if (A[p * d + q] === 0) continue;
        const theta = (A[q * d + q] - A[p * d + p]) / (2 * A[p * d + q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        rotate(A, d, p, q, c, t * c, true);
        rotate(V, d, p, q, c, t * c, false);
      }
    }
  }
  return { values: diagonal(A, d), vectors: V };
}

/**
 * Rotate columns p and q, and for `both` rows p and q too.
 * @param {Float64Array} A
 * @param {number} d
 * @param {number} p
 * @param {number} q
 * @param {number} c
 * @param {number} s
 * @param {boolean} both
 */
function rotate(A, d, p, q, c, s, both) {
  for (let k = 0; k < d; k++) {
    const x = A[k * d + p];
    const y = A[k * d + q];
    A[k * d + p] = c * x - s * y;
    A[k * d + q] = s * x + c * y;
  }
  if (!both) return;
  for (let k = 0; k < d; k++) {
    const x = A[p * d + k];
    const y = A[q * d + k];
    A[p * d + k] = c * x - s * y;
    A[q * d + k] = s * x + c * y;
  }
}

/**
 * M (M^T M)^(-1/2), the orthogonal matrix nearest to M.
 * @param {Float64Array} M
 * @param {number} d
 */
export function orthogonalPart(M, d) {
  const gram = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) for (let k = 0; k < d; k++) gram[i * d + j] += M[k * d + i] * M[k * d + j];
  const { values, vectors } = eigen(gram, d);
  const root = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++)
      for (let k = 0; k < d; k++) root[i * d + j] += (vectors[i * d + k] * vectors[j * d + k]) / Math.sqrt(Math.max(values[k], 1e-300));
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) for (let k = 0; k < d; k++) out[i * d + j] += M[i * d + k] * root[k * d + j];
  return out;
}
