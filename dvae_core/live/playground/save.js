// A trained population as a safetensors file, which `python -m dvae_core import-run` turns into a run of the app.

/** @import { Population } from "./population.js" */
/** @import { Shown } from "./pool.js" */

/** @typedef {{ shape: number[], data: ArrayLike<number> }} Tensor */
/** @typedef {Record<string, Tensor>} Tensors */

export const FORMAT = "dvae-playground-1";

/**
 * The parameters of a population and its preprocessing of x, by the library's names.
 * @param {Population} population
 * @returns {Tensors}
 */
export function tensorsOf(population) {
  const { layout, scaling, seeds, parts } = population;
  const { dx } = layout;
  const square = scaling.how === "whiten";
  /** @param {Float64Array} M */
  const matrix = (M) => (square ? { shape: [dx, dx], data: M } : { shape: [dx], data: M.filter((_, i) => i % (dx + 1) === 0) });
  /** @type {Tensors} */
  const out = {
    "scaling.x_mean": { shape: [dx], data: scaling.mean },
    "scaling.x_forward": matrix(scaling.forward),
    "scaling.x_inverse": matrix(scaling.inverse),
    "scaling.x_log_det": { shape: [], data: [scaling.logDet] },
    held_out: { shape: [parts.heldOut.length], data: parts.heldOut },
    failed: { shape: [seeds.length], data: population.failed },
  };
  for (const [name, data] of Object.entries(population.state())) {
    const entry = layout.entries.find((one) => one.name === name);
    if (!entry) continue;
    const rows = entry.shape.slice(0, -1);
    const used = data.length / seeds.length / rows.reduce((a, b) => a * b, 1);
    out[name] = { shape: [seeds.length, ...rows, used], data };
  }
  return out;
}

/**
 * Members of several workers side by side. What has no member axis is the same in all.
 * @param {Tensors[]} parts
 * @returns {Tensors}
 */
export function joinedTensors(parts) {
  /** @type {Tensors} */
  const out = {};
  for (const [name, { shape, data }] of Object.entries(parts[0])) {
    if (name.startsWith("scaling.") || name === "held_out") out[name] = { shape, data };
    else {
      const pieces = parts.map((part) => Array.from(part[name].data));
      out[name] = { shape: [parts.reduce((sum, part) => sum + part[name].shape[0], 0), ...shape.slice(1)], data: pieces.flat() };
    }
  }
  return out;
}

/**
 * The file: the length of a header, the header (names, shapes, places and the notes), and float32 numbers.
 * @param {Tensors} tensors
 * @param {Record<string, string>} notes
 */
export function safetensors(tensors, notes) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: notes };
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + 4 * data.length] };
    at += 4 * data.length;
  }
  const text = JSON.stringify(header);
  const bytes = new TextEncoder().encode(text.padEnd(text.length + ((8 - (new TextEncoder().encode(text).length % 8)) % 8)));
  const file = new Uint8Array(8 + bytes.length + at);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  file.set(bytes, 8);
  let to = 8 + bytes.length;
  for (const { data } of Object.values(tensors)) {
    for (let i = 0; i < data.length; i++, to += 4) view.setFloat32(to, data[i], true);
  }
  return file;
}

/**
 * The file of a population and of the world it was trained on.
 * @param {Tensors} learned
 * @param {Shown} world
 * @param {object} settings
 * @param {number[]} seeds
 * @param {number} step
 */
export function fileOf(learned, world, settings, seeds, step) {
  const { x, u, z, n, dx, dz, segments } = world;
  /** @type {Tensors} */
  const tensors = { ...learned, "world.x": { shape: [n, dx], data: x } };
  if (u) tensors["world.u"] = { shape: [n], data: u };
  if (z) tensors["world.z"] = { shape: [n, z.length / n], data: z };
  const notes = { format: FORMAT, settings: JSON.stringify(settings), seeds: JSON.stringify(seeds), step: String(step) };
  return safetensors(tensors, { ...notes, latents: String(dz), segments: String(u ? segments : 0) });
}
