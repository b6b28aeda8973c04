// Orthogonal maps of the latents: row-major matrices on column vectors.

/** @import { Vector } from "./types.d.ts" */

/**
 * M = R @ base, row-major d x d, with R = [[cos a, -sin a], [sin a, cos a]] in the plane (i, j) and base orthogonal
 * (null: identity). Multiples of 90 degrees are exact.
 * @param {number} degrees
 * @param {number} d
 * @param {Vector | null} base
 */
export function rotation(degrees, d, i = 0, j = 1, base = null) {
  const quarter = degrees / 90;
  const exact = Number.isInteger(quarter);
  const turn = ((quarter % 4) + 4) % 4;
  const cos = exact ? [1, 0, -1, 0][turn] : Math.cos((degrees * Math.PI) / 180);
  const sin = exact ? [0, 1, 0, -1][turn] : Math.sin((degrees * Math.PI) / 180);
  const M = new Float64Array(d * d);
  if (base) M.set(base);
  else for (let k = 0; k < d; k++) M[k * d + k] = 1;
  for (let c = 0; c < d; c++) {
    const top = M[i * d + c];
    const bottom = M[j * d + c];
    M[i * d + c] = cos * top - sin * bottom;
    M[j * d + c] = sin * top + cos * bottom;
  }
  return M;
}

/**
 * M z.
 * @param {Vector} M
 * @param {Vector} z
 */
export function apply(M, z, out = new Float64Array(z.length)) {
  const d = z.length;
  for (let r = 0; r < d; r++) {
    let s = 0;
    for (let c = 0; c < d; c++) s += M[r * d + c] * z[c];
    out[r] = s;
  }
  return out;
}

/**
 * M^T z, which is M^-1 z for an orthogonal M.
 * @param {Vector} M
 * @param {Vector} z
 */
export function applyTransposed(M, z, out = new Float64Array(z.length)) {
  const d = z.length;
  for (let c = 0; c < d; c++) {
    let s = 0;
    for (let r = 0; r < d; r++) s += M[r * d + c] * z[r];
    out[c] = s;
  }
  return out;
}

/**
 * How far M is from orthogonal: the Frobenius norm of M^T M - I.
 * @param {Vector} M
 * @param {number} d
 */
export function orthogonalityError(M, d) {
  let sum = 0;
  for (let a = 0; a < d; a++) {
    for (let b = 0; b < d; b++) {
      let s = a === b ? -1 : 0;
      for (let r = 0; r < d; r++) s += M[r * d + a] * M[r * d + b];
      sum += s * s;
    }
  }
  return Math.sqrt(sum);
}

/**
 * Determinant by elimination with row exchange.
 * @param {Vector} M
 * @param {number} d
 */
export function determinant(M, d) {
  const A = Float64Array.from(M);
  let det = 1;
  for (let c = 0; c < d; c++) {
    let best = c;
    for (let r = c + 1; r < d; r++) if (Math.abs(A[r * d + c]) > Math.abs(A[best * d + c])) best = r;
    if (A[best * d + c] === 0) return 0;
    if (best !== c) {
      det = -det;
      for (let k = 0; k < d; k++) [A[c * d + k], A[best * d + k]] = [A[best * d + k], A[c * d + k]];
    }
    det *= A[c * d + c];
    for (let r = c + 1; r < d; r++) {
      const f = A[r * d + c] / A[c * d + c];
      for (let k = c; k < d; k++) A[r * d + k] -= f * A[c * d + k];
    }
  }
  return det;
}

/**
 * Snap an angle within 1.5 degrees of a multiple of 15 to it: those are the angles that a talk wants to hit.
 * @param {number} degrees
 */
export function snapAngle(degrees) {
  const near = Math.round(degrees / 15) * 15;
  return Math.abs(degrees - near) <= 1.5 ? near : degrees;
}
