// Small positive definite matrices, one after the other in one array: their Cholesky factors, and what follows from them.

/** The Cholesky factor of a d x d matrix, over its lower triangle. @param {Float64Array} H @param {number} at @param {number} d */
export function cholesky(H, at, d) {
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = H[at + i * d + j];
      for (let k = 0; k < j; k++) sum -= H[at + i * d + k] * H[at + j * d + k];
      H[at + i * d + j] = i === j ? Math.sqrt(sum) : sum / H[at + j * d + j];
    }
  }
}

/** Replace y by (L L^T)^-1 y. @param {Float64Array} L @param {number} at @param {Float64Array} y @param {number} d */
export function solve(L, at, y, d) {
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < i; k++) y[i] -= L[at + i * d + k] * y[k];
    y[i] /= L[at + i * d + i];
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++) y[i] -= L[at + k * d + i] * y[k];
    y[i] /= L[at + i * d + i];
  }
}

/** Write L^-T, upper triangular. @param {Float64Array} L @param {Float64Array} out @param {number} at @param {number} d */
export function invertTransposed(L, out, at, d) {
  for (let j = 0; j < d; j++) {
    for (let i = 0; i < d; i++) out[at + i * d + j] = 0;
    out[at + j * d + j] = 1 / L[at + j * d + j];
    for (let i = j - 1; i >= 0; i--) {
      let sum = 0;
      for (let k = i + 1; k <= j; k++) sum += L[at + k * d + i] * out[at + k * d + j];
      out[at + i * d + j] = -sum / L[at + i * d + i];
    }
  }
}
