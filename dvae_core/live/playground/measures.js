// How well latents match true factors, and how far seeds agree. Arrays of rows: [n, d].

import { stream } from "./random.js";
import { orthogonalPart } from "./start.js";

/** @import { Vector } from "../types.d.ts" */

export const REACHED = 0.95; // R^2 from which a rung of the ladder counts as reached, as in the library

/**
 * The strictest of these maps that predicts one seed's latents from another's: order, sign and scale; a rotation; any
 * linear map.
 * @typedef {"permutation" | "orthogonal" | "affine"} Rung
 */

/**
 * @typedef {object} Agreement
 * @property {number} mcc mean over pairs of seeds
 * @property {Float64Array} pairs MCC of each pair, [p, p]
 * @property {number} r2 of a linear map, median over ordered pairs
 * @property {Record<Rung, number>} ladder the same for each map
 * @property {Rung | null} rung the strictest whose median R^2 reaches .95; null for none
 */

/**
 * Mean correlation coefficient: Pearson, the best one-to-one matching of latents with factors. A constant latent counts 0.
 * @param {Vector} zTrue
 * @param {Vector} zHat
 * @param {number} n
 * @param {number} d
 */
export function mcc(zTrue, zHat, n, d) {
  const { value } = matched(correlations(standardised(zTrue, 0, n, d), standardised(zHat, 0, n, d), n, d), d);
  return value;
}

/**
 * MCC of each member.
 * @param {Vector} zTrue
 * @param {Vector} latents [p, n, d]
 * @param {number} p
 * @param {number} n
 * @param {number} d
 */
export function mccOfEach(zTrue, latents, p, n, d) {
  const truth = standardised(zTrue, 0, n, d);
  return Float32Array.from({ length: p }, (_, m) => matched(correlations(truth, standardised(latents, m * n * d, n, d), n, d), d).value);
}

/**
 * How far seeds agree, and up to which map. Maps are fitted on even rows and scored on odd ones.
 * @param {Vector} latents [p, n, d]
 * @param {number} p
 * @param {number} n
 * @param {number} d
 * @returns {Agreement}
 */
export function agreement(latents, p, n, d) {
  const [even, odd] = momentsOf(latents, p, n, d);
  const pairs = new Float64Array(p * p).fill(1);
  /** @type {{ permutation: number[], orthogonal: number[], affine: number[] }} */
  const all = { permutation: [], orthogonal: [], affine: [] };
  let sum = 0;
  for (let a = 0; a < p; a++) {
    for (let b = 0; b < p; b++) {
      if (a === b) continue;
      const fitted = between(even, a, b, p, d);
      const tested = between(odd, a, b, p, d);
      const { value, partners } = matched(
        fitted.ba.map((v, k) => (v + tested.ba[k]) / n),
        d,
      );
      const one = ladder(fitted, tested, partners, n, d);
      for (const rung of /** @type {const} */ (["permutation", "orthogonal", "affine"])) all[rung].push(one[rung]);
      pairs[a * p + b] = value;
      if (b > a) sum += value;
    }
  }
  const rungs = { permutation: median(all.permutation), orthogonal: median(all.orthogonal), affine: median(all.affine) };
  const rung = /** @type {const} */ (["permutation", "orthogonal", "affine"]).find((name) => rungs[name] >= REACHED) ?? null;
  return { mcc: p > 1 ? sum / ((p * (p - 1)) / 2) : Number.NaN, pairs, r2: rungs.affine, ladder: rungs, rung };
}

/**
 * Sums of products of the members' standardised latents, [p d, p d], over even and over odd rows. Every pair's maps and
 * R^2 follow from them, so the rows are read once and not once a pair.
 * @param {Vector} latents [p, n, d]
 * @param {number} p
 * @param {number} n
 * @param {number} d
 */
function momentsOf(latents, p, n, d) {
  const members = Array.from({ length: p }, (_, m) => standardised(latents, m * n * d, n, d));
  const size = p * d;
  const sums = [new Float64Array(size * size), new Float64Array(size * size)];
  const row = new Float64Array(size);
  for (let r = 0; r < n; r++) {
    for (let m = 0; m < p; m++) for (let i = 0; i < d; i++) row[m * d + i] = members[m][r * d + i];
    const sum = sums[r & 1];
    for (let i = 0; i < size; i++) for (let j = i; j < size; j++) sum[i * size + j] += row[i] * row[j];
  }
  for (const sum of sums) for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) sum[i * size + j] = sum[j * size + i];
  return sums;
}

/** @typedef {{ aa: Float64Array, ab: Float64Array, ba: Float64Array, bb: Float64Array }} Moments a^T a, ... of two members, [d, d] */

/** @param {Float64Array} sums @param {number} a @param {number} b @param {number} p @param {number} d @returns {Moments} */
function between(sums, a, b, p, d) {
  const block = (/** @type {number} */ m, /** @type {number} */ k) =>
    Float64Array.from({ length: d * d }, (_, at) => sums[(m * d + Math.floor(at / d)) * p * d + k * d + (at % d)]);
  return { aa: block(a, a), ab: block(a, b), ba: block(b, a), bb: block(b, b) };
}

/**
 * The latents' axes in the space of the factors: row i is the way that the factors move when latent i grows by one
 * standard deviation and the others stay, by linear regression of the factors on the latents.
 * @param {Vector} zTrue
 * @param {Vector} zHat
 * @param {number} n
 * @param {number} d
 * @returns {Float32Array} [d, d]
 */
export function axes(zTrue, zHat, n, d) {
  return axesFrom(zTrue, standardised(zHat, 0, n, d), n, d);
}

/**
 * The axes of each member, [p, d, d].
 * @param {Vector} zTrue
 * @param {Vector} latents [p, n, d]
 * @param {number} p
 * @param {number} n
 * @param {number} d
 */
export function axesOfEach(zTrue, latents, p, n, d) {
  const out = new Float32Array(p * d * d);
  for (let m = 0; m < p; m++) out.set(axesFrom(zTrue, standardised(latents, m * n * d, n, d), n, d), m * d * d);
  return out;
}

/** @type {Map<number, number>} */
const floors = new Map();

/**
 * The MCC that a random rotation of d independent factors of equal spread has on average.
 * It is 2 sqrt(2) / pi for two, and an average over 20,000 rotations for more.
 * @param {number} d
 */
export function rotationFloor(d) {
  if (d === 1) return 1;
  if (d === 2) return (2 * Math.SQRT2) / Math.PI;
  const known = floors.get(d);
  if (known !== undefined) return known;
  const random = stream("rotation floor", d);
  let sum = 0;
  const draws = 20_000;
  for (let i = 0; i < draws; i++) {
    const M = orthogonalPart(
      Float64Array.from({ length: d * d }, () => random.normal()),
      d,
    );
    sum += matched(M, d).value;
  }
  floors.set(d, sum / draws);
  return sum / draws;
}

/** @param {Vector} zTrue @param {Float64Array} A standardised latents @param {number} n @param {number} d */
function axesFrom(zTrue, A, n, d) {
  const mean = new Float64Array(d);
  for (let r = 0; r < n; r++) for (let i = 0; i < d; i++) mean[i] += zTrue[r * d + i] / n;
  const centred = Float64Array.from(zTrue, (v, i) => v - mean[i % d]);
  const aa = new Float64Array(d * d);
  const ab = new Float64Array(d * d);
  for (let r = 0; r < n; r++) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        aa[i * d + j] += A[r * d + i] * A[r * d + j];
        ab[i * d + j] += A[r * d + i] * centred[r * d + j];
      }
    }
  }
  return Float32Array.from(solved(aa, ab, n, d));
}

/**
 * R^2 of b from a, for maps fitted on some rows and tested on others.
 * @param {Moments} fitted
 * @param {Moments} tested
 * @param {number[]} partners for each latent of b, one of a
 * @param {number} n
 * @param {number} d
 */
function ladder({ aa, ab }, tested, partners, n, d) {
  const permutation = new Float64Array(d * d);
  let whole = 0;
  for (let j = 0; j < d; j++) {
    const i = partners[j];
    if (aa[i * d + i] > 0) permutation[i * d + j] = ab[i * d + j] / aa[i * d + i];
    whole += aa[j * d + j];
  }
  const M = orthogonalPart(ab, d);
  let scale = 0;
  for (let i = 0; i < d * d; i++) scale += M[i] * ab[i];
  const orthogonal = M.map((v) => (v * scale) / whole);
  const [one, two, three] = [permutation, orthogonal, solved(aa, ab, n, d)].map((map) => scored(tested, map, d));
  return { permutation: one, orthogonal: two, affine: three };
}

/**
 * Least squares, [d, d], from a^T a and a^T b: b ~ a map.
 * @param {Float64Array} aa
 * @param {Float64Array} ab
 * @param {number} n
 * @param {number} d
 */
function solved(aa, ab, n, d) {
  const gram = Float64Array.from(aa);
  const map = Float64Array.from(ab);
  // Gauss-Jordan elimination with a little on the diagonal, for latents that are constant or equal
  for (let i = 0; i < d; i++) gram[i * d + i] += 1e-9 * n;
  for (let k = 0; k < d; k++) {
    const pivot = gram[k * d + k];
    for (let j = 0; j < d; j++) {
      gram[k * d + j] /= pivot;
      map[k * d + j] /= pivot;
    }
    for (let i = 0; i < d; i++) {
      if (i === k) continue;
      const factor = gram[i * d + k];
      for (let j = 0; j < d; j++) {
        gram[i * d + j] -= factor * gram[k * d + j];
        map[i * d + j] -= factor * map[k * d + j];
      }
    }
  }
  return map;
}

/**
 * Mean over latents of the R^2 of b ~ a map.
 * @param {Moments} moments
 * @param {Float64Array} map
 * @param {number} d
 */
function scored({ aa, ab, bb }, map, d) {
  let sum = 0;
  for (let j = 0; j < d; j++) {
    let explained = 0; // b_j^2 - (b_j - a map_j)^2, summed over rows
    for (let i = 0; i < d; i++) {
      explained += 2 * map[i * d + j] * ab[i * d + j];
      for (let k = 0; k < d; k++) explained -= map[i * d + j] * aa[i * d + k] * map[k * d + j];
    }
    const spread = bb[j * d + j];
    sum += spread > 0 ? explained / spread : 0;
  }
  return sum / d;
}

/**
 * Columns with mean 0 and standard deviation 1; a constant column is 0.
 * @param {Vector} z
 * @param {number} at
 * @param {number} n
 * @param {number} d
 */
function standardised(z, at, n, d) {
  const out = new Float64Array(n * d);
  for (let i = 0; i < d; i++) {
    let [mean, squares] = [0, 0];
    for (let r = 0; r < n; r++) mean += z[at + r * d + i] / n;
    for (let r = 0; r < n; r++) squares += (z[at + r * d + i] - mean) ** 2 / n;
    const std = Math.sqrt(squares);
    const scale = std > 1e-6 * Math.abs(mean) && std > 1e-12 ? 1 / std : 0;
    for (let r = 0; r < n; r++) out[r * d + i] = (z[at + r * d + i] - mean) * scale;
  }
  return out;
}

/** Correlations of standardised columns, [d, d]. @param {Float64Array} a @param {Float64Array} b @param {number} n @param {number} d */
function correlations(a, b, n, d) {
  const out = new Float64Array(d * d);
  for (let r = 0; r < n; r++) for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) out[i * d + j] += (a[r * d + i] * b[r * d + j]) / n;
  return out;
}

/**
 * The matching of rows with columns that has the largest mean of absolute values: every order is tried.
 * @param {Float64Array} C
 * @param {number} d
 */
function matched(C, d) {
  let best = Number.NEGATIVE_INFINITY;
  let partners = Array.from({ length: d }, (_, i) => i);
  /** @param {number[]} chosen @param {number} sum */
  const extend = (chosen, sum) => {
    const i = chosen.length;
    if (i === d) {
      if (sum > best) {
        best = sum;
        partners = [...chosen];
      }
      return;
    }
    for (let j = 0; j < d; j++) if (!chosen.includes(j)) extend([...chosen, j], sum + Math.abs(C[i * d + j]));
  };
  extend([], 0);
  return { value: best / d, partners };
}

/** @param {number[]} values */
function median(values) {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
