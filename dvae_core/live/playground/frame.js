// The frames that the page draws: the parts of all workers side by side, and how far the seeds agree with each other and the truth.

import { agreement, axesOfEach, mccOfEach } from "./measures.js";

/** @import { Agreement } from "./measures.js" */
/** @import { Part, Task } from "./pool.js" */

/**
 * @typedef {object} Frame
 * @property {"frame"} type
 * @property {number} step of the slowest seed
 * @property {number} steps the end of the schedule
 * @property {Float32Array} latents e(x), [p, rows, dz]
 * @property {number} rows in `latents`
 * @property {number} every the distance between two of these rows in the world
 * @property {Float32Array} bound ELBO on held-out rows, nats a row, [p]; NaN for a seed that failed
 * @property {Float32Array} error its standard error, [p]
 * @property {Int32Array} failed the step at which a seed's gradient was not finite, or -1, [p]
 * @property {Agreement} agreement of the seeds that did not fail; NaN and null for fewer than two
 * @property {Float32Array | null} mcc [p], if the true factors are known; NaN for a seed that failed
 * @property {Float32Array | null} axes [p, dz, dz]: row i is where latent i points in the space of the factors
 * @property {number} secondsPerStep of the slowest worker
 */

const MEASURED = 400; // rows on which seeds are compared

/**
 * @param {Extract<Task, { type: "start" }>} task
 * @param {Extract<Part, { type: "part" }>[]} parts
 * @returns {Frame}
 */
export function frameOf({ world, seeds }, parts) {
  const { n, dz } = world;
  const p = seeds.length;
  const every = Math.max(1, Math.ceil(n / (world.shown ?? n)));
  const rows = Math.ceil(n / every);
  const latents = joinedNumbers(parts.map((part) => part.latents));
  const failed = Int32Array.from(parts.flatMap((part) => Array.from(part.failed)));
  const alive = [...failed.keys()].filter((m) => failed[m] < 0);
  const stride = Math.max(1, Math.ceil(rows / MEASURED));
  const few = Math.ceil(rows / stride);
  /** @param {ArrayLike<number>} from @param {number} at @param {number} step */
  const picked = (from, at, step) => {
    const out = new Float64Array(few * dz);
    for (let r = 0; r < few; r++) for (let i = 0; i < dz; i++) out[r * dz + i] = from[at + r * step * dz + i];
    return out;
  };
  const measured = new Float64Array(p * few * dz);
  for (let m = 0; m < p; m++) measured.set(picked(latents, m * rows * dz, stride), m * few * dz);
  const truth = world.z ? picked(world.z, 0, every * stride) : null;
  const together = new Float64Array(alive.length * few * dz);
  for (const [i, m] of alive.entries()) together.set(measured.subarray(m * few * dz, (m + 1) * few * dz), i * few * dz);
  const mcc = truth && mccOfEach(truth, measured, p, few, dz);
  if (mcc) for (let m = 0; m < p; m++) if (failed[m] >= 0) mcc[m] = Number.NaN;
  return {
    type: "frame",
    step: Math.min(...parts.map((part) => part.step)),
    steps: parts[0].steps,
    latents,
    rows,
    every,
    bound: joinedNumbers(parts.map((part) => part.bound)),
    error: joinedNumbers(parts.map((part) => part.error)),
    failed,
    agreement: agreement(together, alive.length, few, dz),
    mcc,
    axes: truth && axesOfEach(truth, measured, p, few, dz),
    secondsPerStep: Math.max(...parts.map((part) => part.secondsPerStep)),
  };
}

/** @param {Float32Array[]} pieces */
function joinedNumbers(pieces) {
  const out = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
