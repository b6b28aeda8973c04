// Where each parameter lies in a member's row of numbers. The names are the library's.

/** @import { Net } from "./nets.js" */

/**
 * @typedef {object} Entry a parameter of one member
 * @property {string} name
 * @property {number[]} shape
 * @property {number} at where it begins
 * @property {number} size
 * @property {number} std of its start; 0 for a start at 0
 */

/**
 * @typedef {object} Layout
 * @property {number} dx
 * @property {number} dz
 * @property {number} hidden
 * @property {number} segments values of u; 0 without u
 * @property {number} size numbers of one member
 * @property {Entry[]} entries
 * @property {Net} encoder
 * @property {Net} decoder
 * @property {number} noiseAt
 * @property {number} tableAt
 * @property {number} timeAt
 */

/**
 * @param {number} dx
 * @param {number} dz
 * @param {number} hidden
 * @param {number} segments
 * @returns {Layout}
 */
export function layoutOf(dx, dz, hidden, segments) {
  /** @type {Entry[]} */
  const entries = [];
  let size = 0;
  /** @param {string} name @param {number[]} shape */
  const add = (name, shape, std = 0) => {
    const count = shape.reduce((a, b) => a * b, 1);
    entries.push({ name, shape, at: size, size: count, std });
    size += count;
    return size - count;
  };
  /** @param {string} of @param {number} inputs @param {number} outputs @param {number} direct @returns {Net} */
  const net = (of, inputs, outputs, direct) => {
    const weights = [];
    const biases = [];
    for (const [i, from] of [inputs, hidden].entries()) {
      weights.push(add(`${of}.mlp.hidden.${i}.weight`, [from, hidden], 1 / Math.sqrt(from)));
      biases.push(add(`${of}.mlp.hidden.${i}.bias`, [hidden]));
    }
    weights.push(add(`${of}.mlp.last.weight`, [hidden, outputs], 0.3 / Math.sqrt(hidden)));
    biases.push(add(`${of}.mlp.last.bias`, [outputs]));
    return { inputs, hidden, outputs, direct, weights, biases, skip: add(`${of}.skip.weight`, [inputs, direct]) };
  };
  const noiseAt = add("likelihood.log_std", [1]);
  // room for every posterior, so that one can be exchanged for another while training
  const encoder = net("encoder_net", dx, 2 * dz + (dz * (dz - 1)) / 2, dz);
  const decoder = net("decoder_net", dz, dx, dx);
  const tableAt = segments ? add("prior.net.weight", [segments, 2 * dz], 0.1 / Math.sqrt(segments)) : size;
  const timeAt = add("prior.raw", [dz]);
  return { dx, dz, hidden, segments, size, entries, encoder, decoder, noiseAt, tableAt, timeAt };
}
