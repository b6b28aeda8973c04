// The world of the playground: independent factors, an f that mixes them into x, and what u says about them.
//
//   z_i | u = mean_i(u) + scale_i(u) * noise     or, in time,     z_t = a z_(t-1) + sqrt(1 - a^2) * Laplace noise
//   x = f(z) + observation noise                 standardised; f is layers of tanh(a) + 0.1 a, as `mixing` of the library

import { exp, log, tanh } from "./arithmetic.js";
import { stream } from "./random.js";

/** @import { PlaygroundWorld, Drawn } from "../types.d.ts" */
/** @typedef {import("./random.js").Stream} Stream */

export const ROWS = 1500; // spread evenly over the values of u
export const MOST_SEGMENTS = 8;
export const GRID = 62; // drawn points lie on a grid of this many places a side: one letter or digit of the link each
export const REACH = 6; // the factors of a drawn world lie in [-REACH, REACH]
const DZ = 2;
const MEANS = 5; // of strength 1: means are uniform on +-5, as in the library's sources
const SCALES = [0.5, 3];
const LEAK = 0.1;
const DRAWS = 40; // of each matrix of f; the best conditioned is taken
const MEMORY = [0.98, 0.8]; // a of each factor in time, at strength 1: one slow, one faster
const BRUSH = 0.35; // standard deviation around a drawn point: wider than the grid, so that the grid does not show

/**
 * The data of a world. The same settings give the same numbers on every device.
 * @param {PlaygroundWorld} world
 * @returns {Drawn}
 */
export function drawWorld(world) {
  const { z, u, segments } = factorsOf(world);
  const n = z.length / DZ;
  const rows = world.kind === "time" ? null : stream(world.seed, "order").shuffle(Int32Array.from({ length: n }, (_, i) => i));
  const ordered = rows ? gathered(z, DZ, rows) : z;
  const labels = u && rows ? Int32Array.from(rows, (r) => u[r]) : u;
  return { x: observed(world, ordered), z: ordered, u: labels, n, dx: world.dx, dz: DZ, segments };
}

/**
 * @param {PlaygroundWorld} world
 * @returns {{ z: Float32Array, u: Int32Array | null, segments: number }}
 */
function factorsOf(world) {
  if (world.kind === "time") return { z: walk(world), u: null, segments: 1 };
  const segments = world.kind === "drawn" ? world.clouds.filter((cloud) => cloud.length).length : world.segments;
  if (segments === 0) throw new Error("Nothing is drawn yet: drag over the factors to draw a cloud for a value of u.");
  const each = Math.floor(ROWS / segments);
  const u = Int32Array.from({ length: segments * each }, (_, row) => Math.floor(row / each));
  const noise = stream(world.seed, "noise");
  const z = new Float32Array(segments * each * DZ);
  if (world.kind === "drawn") {
    const clouds = world.clouds.filter((cloud) => cloud.length);
    const pick = stream(world.seed, "pick");
    for (const [row, segment] of u.entries()) {
      const cloud = clouds[segment];
      const point = Math.floor(pick.uniform() * (cloud.length / DZ));
      for (let i = 0; i < DZ; i++) z[row * DZ + i] = placeOf(cloud[point * DZ + i]) + BRUSH * noise.normal();
    }
    return { z, u, segments };
  }
  const { mean, scale } = moments(world);
  for (let k = 0; k < z.length; k++) {
    const at = u[Math.floor(k / DZ)] * DZ + (k % DZ);
    z[k] = mean[at] + scale[at] * noise.normal();
  }
  return { z, u, segments };
}

/**
 * The mean and the standard deviation of each factor for each value of u, [segments, 2] each.
 * @param {PlaygroundWorld} world
 */
export function moments({ segments, moves, strength, seed }) {
  const mean = new Float64Array(segments * DZ);
  const scale = new Float64Array(segments * DZ).fill(1);
  const random = stream(seed, "moments");
  for (let k = 0; k < mean.length; k++) {
    const [first, second] = [random.uniform(), random.uniform()]; // always both, so that a change of moves keeps the rest
    if (moves === "both" || moves === "mean") mean[k] = strength * MEANS * (2 * first - 1);
    if (moves === "nothing" || moves === "mean") continue;
    // alike: both factors' variances stay in one proportion, so every p(z|u) is as round as N(0, I)
    scale[k] = moves === "alike" && k % DZ ? scale[k - 1] : exp(strength * log(SCALES[0] + second * (SCALES[1] - SCALES[0])));
  }
  return { mean, scale };
}

/**
 * A series in time: each factor remembers its last value, by its own amount. With strength 0 no row knows the one before.
 * @param {PlaygroundWorld} world
 */
function walk({ strength, seed }) {
  const z = new Float32Array(ROWS * DZ);
  const noise = stream(seed, "noise");
  const a = MEMORY.map((most) => Math.min(0.995, strength * most));
  for (let row = 0; row < ROWS; row++) {
    for (let i = 0; i < DZ; i++) {
      const before = row ? z[(row - 1) * DZ + i] : laplace(noise);
      z[row * DZ + i] = a[i] * before + Math.sqrt(1 - a[i] ** 2) * laplace(noise);
    }
  }
  return z;
}

/**
 * A draw with heavy tails, mean 0 and variance 1.
 * @param {Stream} random
 */
function laplace(random) {
  const v = random.uniform() - 0.5;
  return (-Math.sign(v) * log(1 - 2 * Math.abs(v))) / Math.SQRT2;
}

/**
 * x of these factors: f and the noise of the world, each dimension with mean 0 and variance 1.
 * @param {PlaygroundWorld} world
 * @param {Float32Array} z
 */
function observed(world, z) {
  const { dx, noise, seed } = world;
  const n = z.length / DZ;
  const x = mixed(world, z);
  standardise(x, n, dx);
  if (noise > 0) {
    const random = stream(seed, "observation");
    for (let k = 0; k < x.length; k++) x[k] += noise * random.normal();
    standardise(x, n, dx);
  }
  return Float32Array.from(x);
}

/**
 * f(z), without noise and scaling.
 * @param {PlaygroundWorld} world
 * @param {Float32Array} z
 */
export function mixed(world, z) {
  const { layers, dx, seed } = world;
  const n = z.length / DZ;
  let h = folded(Float64Array.from(z), world.folds);
  let width = DZ;
  for (let layer = 0; layer < layers; layer++) {
    const random = stream(seed, "mixing", layer);
    h = times(h, n, width, wellConditioned(random, width, dx), dx);
    width = dx;
    if (layer < layers - 1) for (let k = 0; k < h.length; k++) h[k] = tanh(h[k]) + LEAK * h[k];
  }
  return h;
}

/**
 * Fold the first factors about their medians: two values of a folded factor give the same x, so f is not injective.
 * @param {Float64Array} z
 * @param {number} folds
 */
function folded(z, folds) {
  for (let i = 0; i < folds; i++) {
    const column = z.filter((_, k) => k % DZ === i).sort();
    const middle = column[column.length >> 1];
    for (let k = i; k < z.length; k += DZ) z[k] = Math.abs(z[k] - middle);
  }
  return z;
}

/**
 * A matrix [rows, columns] with columns of length 1, the best conditioned of several draws: no layer nearly loses a
 * direction.
 * @param {Stream} random
 * @param {number} rows
 * @param {number} columns
 */
function wellConditioned(random, rows, columns) {
  let best = new Float64Array();
  let highest = -1;
  for (let draw = 0; draw < DRAWS; draw++) {
    const matrix = Float64Array.from({ length: rows * columns }, () => 2 * random.uniform() - 1);
    for (let c = 0; c < columns; c++) {
      let length = 0;
      for (let r = 0; r < rows; r++) length += matrix[r * columns + c] ** 2;
      for (let r = 0; r < rows; r++) matrix[r * columns + c] /= Math.sqrt(length);
    }
    const found = evenness(matrix, rows, columns);
    if (found > highest) [best, highest] = [matrix, found];
  }
  return best;
}

/**
 * How evenly a matrix stretches: det(G)^(1/r) / (trace(G) / r) of its smaller Gram matrix G, which is 1 if all singular
 * values are equal and 0 if one of them is.
 * @param {Float64Array} matrix
 * @param {number} rows
 * @param {number} columns
 */
function evenness(matrix, rows, columns) {
  const r = Math.min(rows, columns);
  const [count, own, other] = rows <= columns ? [columns, columns, 1] : [rows, 1, columns];
  const gram = Array.from({ length: r }, (_, i) =>
    Float64Array.from({ length: r }, (_, j) => {
      let sum = 0;
      for (let k = 0; k < count; k++) sum += matrix[i * own + k * other] * matrix[j * own + k * other];
      return sum;
    }),
  );
  const trace = gram.reduce((sum, row, i) => sum + row[i], 0);
  let det = 1;
  for (let i = 0; i < r; i++) {
    det *= gram[i][i];
    if (!(gram[i][i] > 1e-12)) return 0;
    for (let j = i + 1; j < r; j++) {
      const share = gram[j][i] / gram[i][i];
      for (let k = i; k < r; k++) gram[j][k] -= share * gram[i][k];
    }
  }
  return det ** (1 / r) / (trace / r);
}

/** @param {Float64Array} a @param {number} n @param {number} width @param {Float64Array} matrix @param {number} columns */
function times(a, n, width, matrix, columns) {
  const out = new Float64Array(n * columns);
  for (let row = 0; row < n; row++)
    for (let k = 0; k < width; k++)
      for (let c = 0; c < columns; c++) out[row * columns + c] += a[row * width + k] * matrix[k * columns + c];
  return out;
}

/** @param {Float64Array} values @param {number} n @param {number} columns */
function standardise(values, n, columns) {
  for (let c = 0; c < columns; c++) {
    let [sum, squares] = [0, 0];
    for (let k = c; k < values.length; k += columns) sum += values[k];
    const mean = sum / n;
    for (let k = c; k < values.length; k += columns) squares += (values[k] - mean) ** 2;
    const deviation = Math.sqrt(squares / n) || 1;
    for (let k = c; k < values.length; k += columns) values[k] = (values[k] - mean) / deviation;
  }
}

/** @param {Float32Array} values @param {number} width @param {Int32Array} rows */
function gathered(values, width, rows) {
  const out = new Float32Array(values.length);
  for (const [to, from] of rows.entries()) for (let i = 0; i < width; i++) out[to * width + i] = values[from * width + i];
  return out;
}

// --- drawn clouds

/**
 * The place of the grid that is nearest to a value of a factor.
 * @param {number} value
 */
export const gridOf = (value) => Math.max(0, Math.min(GRID - 1, Math.round(((value / REACH + 1) / 2) * (GRID - 1))));

/**
 * The value of a factor at a place of the grid.
 * @param {number} place
 */
export const placeOf = (place) => ((2 * place) / (GRID - 1) - 1) * REACH;

/**
 * Clouds to begin with: a few points of each value of u of another world.
 * @param {Drawn} drawn
 */
export function cloudsOf({ z, u, segments }, most = 20) {
  const clouds = Array.from({ length: Math.max(1, segments) }, () => /** @type {number[]} */ ([]));
  for (let row = 0; row < z.length / DZ; row++) {
    const cloud = clouds[u ? u[row] : 0];
    if (cloud.length < most * DZ) for (let i = 0; i < DZ; i++) cloud.push(gridOf(z[row * DZ + i]));
  }
  return clouds;
}
