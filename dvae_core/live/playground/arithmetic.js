// Arithmetic that gives the same bits in every browser, and products of matrices.
//
// Math.exp and its kind may differ in the last bit between engines, and training turns a last bit into another run. So
// these use only +, -, *, / and square roots, which IEEE 754 fixes.

const LN2_HIGH = 0.6931471803691238; // LN2_HIGH has zeros in its last bits, so a multiple of it is exact
const LN2_LOW = 1.9082149292705877e-10;
const POWERS = new Float64Array(2098); // 2^(i - 1074), by halving and doubling, which are exact
const number = new Float64Array(1);
const words = new Int32Array(number.buffer);

POWERS[1074] = 1;
for (let i = 1073; i >= 0; i--) POWERS[i] = 0.5 * POWERS[i + 1];
for (let i = 1075; i < 2098; i++) POWERS[i] = 2 * POWERS[i - 1];

export const LOG_2PI = 1.8378770664093453;

/**
 * e^x, to a relative error of about 1e-14.
 * @param {number} x
 */
export function exp(x) {
  if (x > 709) return Number.POSITIVE_INFINITY;
  if (x < -708) return 0;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  // the Taylor series up to r^11; |r| < 0.347
  let s = 1 + r / 11;
  s = 1 + r * s * 0.1;
  s = 1 + r * s * (1 / 9);
  s = 1 + r * s * 0.125;
  s = 1 + r * s * (1 / 7);
  s = 1 + r * s * (1 / 6);
  s = 1 + r * s * 0.2;
  s = 1 + r * s * 0.25;
  s = 1 + r * s * (1 / 3);
  s = 1 + r * s * 0.5;
  return (1 + r * s) * POWERS[k + 1074];
}

/**
 * tanh(x), to an absolute error of about 1e-15.
 * @param {number} x
 */
export const tanh = (x) => 1 - 2 / (exp(2 * x) + 1);

/**
 * Natural logarithm of a number above 1e-307, to an error of about 1e-15; minus infinity at 0, NaN below.
 * @param {number} x
 */
export function log(x) {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  number[0] = x;
  let exponent = (words[1] >>> 20) - 1023; // every machine with a browser stores the low word first
  words[1] = (words[1] & 0xfffff) | 0x3ff00000;
  let m = number[0];
  if (m > Math.SQRT2) {
    m *= 0.5;
    exponent += 1;
  }
  const s = (m - 1) / (m + 1);
  const q = s * s; // below 0.0295
  let sum = 0;
  for (let k = 21; k >= 3; k -= 2) sum = (sum + 1 / k) * q;
  return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * s * (1 + sum));
}

/**
 * Add A B to C, with any strides for A and B, so that a transpose costs nothing.
 * Two rows and four columns at a time: eight running sums fit into a processor's registers.
 * @param {Float64Array} C its columns are neighbours
 * @param {number} c start of C
 * @param {number} cRow
 * @param {Float64Array} A
 * @param {number} a
 * @param {number} aRow
 * @param {number} aInner
 * @param {Float64Array} B
 * @param {number} b
 * @param {number} bInner
 * @param {number} bColumn
 * @param {number} rows
 * @param {number} inner
 * @param {number} columns
 */
export function addProduct(C, c, cRow, A, a, aRow, aInner, B, b, bInner, bColumn, rows, inner, columns) {
  const even = rows - (rows % 2);
  const fours = columns - (columns % 4);
  for (let i = 0; i < even; i += 2) {
    const first = a + i * aRow;
    const out = c + i * cRow;
    for (let j = 0; j < fours; j += 4) {
      let p = first;
      let q = first + aRow;
      let r = b + j * bColumn;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let t0 = 0;
      let t1 = 0;
      let t2 = 0;
      let t3 = 0;
      for (let k = 0; k < inner; k++) {
        const v = A[p];
        const w = A[q];
        const b0 = B[r];
        const b1 = B[r + bColumn];
        const b2 = B[r + 2 * bColumn];
        const b3 = B[r + 3 * bColumn];
        s0 += v * b0;
        s1 += v * b1;
        s2 += v * b2;
        s3 += v * b3;
        t0 += w * b0;
        t1 += w * b1;
        t2 += w * b2;
        t3 += w * b3;
        p += aInner;
        q += aInner;
        r += bInner;
      }
      const o = out + j;
      C[o] += s0;
      C[o + 1] += s1;
      C[o + 2] += s2;
      C[o + 3] += s3;
      C[o + cRow] += t0;
      C[o + cRow + 1] += t1;
      C[o + cRow + 2] += t2;
      C[o + cRow + 3] += t3;
    }
    for (let j = fours; j < columns; j++) {
      let s = 0;
      let t = 0;
      let p = first;
      let r = b + j * bColumn;
      for (let k = 0; k < inner; k++) {
        const w = B[r];
        s += A[p] * w;
        t += A[p + aRow] * w;
        p += aInner;
        r += bInner;
      }
      C[out + j] += s;
      C[out + cRow + j] += t;
    }
  }
  if (even === rows) return;
  for (let j = 0; j < columns; j++) {
    let s = 0;
    for (let k = 0; k < inner; k++) s += A[a + even * aRow + k * aInner] * B[b + k * bInner + j * bColumn];
    C[c + even * cRow + j] += s;
  }
}

/**
 * Copy a row into every row of C.
 * @param {Float64Array} C
 * @param {number} cRow
 * @param {Float64Array} from
 * @param {number} start
 * @param {number} rows
 * @param {number} columns
 */
export function fillRows(C, cRow, from, start, rows, columns) {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) C[i * cRow + j] = from[start + j];
}

/**
 * Add the sum over the rows of A to a row.
 * @param {Float64Array} to
 * @param {number} start
 * @param {Float64Array} A
 * @param {number} aRow
 * @param {number} rows
 * @param {number} columns
 */
export function addRows(to, start, A, aRow, rows, columns) {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) to[start + j] += A[i * aRow + j];
}
