// Divides the seeds of a population over Web Workers and joins what they send into frames.

import { frameOf } from "./frame.js";
import { fileOf, joinedTensors } from "./save.js";
import workerSource from "./worker.js?text";

/** @import { Frame } from "./frame.js" */
/** @import { Settings, World } from "./population.js" */
/** @import { Tensors } from "./save.js" */

/**
 * The data to train on. `z` are the true factors, for the scores only. `shown` bounds the rows whose latents a frame holds:
 * rows 0, every, 2 every, ... with every = ceil(n / shown). Without it they are all.
 * @typedef {World & { z?: Float32Array | Float64Array | null, shown?: number }} Shown
 */

/**
 * @typedef {{ type: "start", world: Shown, settings: Settings, seeds: number[] }
 *   | { type: "set", settings: Partial<Settings> }
 *   | { type: "play" | "pause" | "step" | "reset" }
 *   | { type: "limit", step: number } | { type: "save" }} Task what the page asks; only the pool sends the last two
 */

/**
 * @typedef {{ type: "part", step: number, steps: number, latents: Float32Array, bound: Float32Array, error: Float32Array,
 *   failed: Int32Array, secondsPerStep: number } | { type: "tensors", tensors: Tensors, step: number, settings: Settings }
 *   | { type: "failed", message: string }} Part what a worker sends
 */

/** @typedef {Frame | { type: "failed", message: string }} Message */

const AHEAD = 12; // steps that a worker may be ahead of the slowest one
const FRAME_MS = 16;

/**
 * A pool: `post` takes the messages of a page, `save` gives a file of what is learned, `close` ends the workers.
 * @param {(message: Message) => void} onFrame called at most 60 times a second
 * @param {number} [most] workers; by default one fewer than there are cores
 */
export function createPool(onFrame, most = Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1)) {
  const address = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  /** @type {Worker[]} */
  let workers = [];
  /** @type {(Extract<Part, { type: "part" }> | null)[]} */
  let parts = [];
  /** @type {Extract<Task, { type: "start" }> | null} */
  let asked = null;
  let last = Number.NEGATIVE_INFINITY;
  let timer = 0;
  let failed = false;
  /** @type {((file: Uint8Array) => void) | null} */
  let wanted = null; // who waits for a file
  /** @type {(Extract<Part, { type: "tensors" }> | null)[]} */
  let saved = [];

  /** @param {Task} task */
  const all = (task) => {
    for (const worker of workers) worker.postMessage(task);
  };

  /** @param {string} message */
  const fail = (message) => {
    if (failed) return;
    failed = true;
    all({ type: "pause" });
    onFrame({ type: "failed", message });
  };

  /** @param {Extract<Task, { type: "start" }>} task */
  const start = (task) => {
    const count = Math.max(1, Math.min(most, task.seeds.length));
    if (count !== workers.length) {
      for (const worker of workers) worker.terminate();
      workers = Array.from({ length: count }, () => new Worker(address));
    }
    asked = task;
    parts = workers.map(() => null);
    for (const [i, worker] of workers.entries()) {
      worker.onmessage = ({ data }) => take(i, data);
      worker.onerror = (event) => fail(`The training stopped: ${event.message}.`);
      const { z: _, ...world } = task.world;
      worker.postMessage({ ...task, world, seeds: shareOf(task.seeds, i, count) });
    }
  };

  /** @param {number} i @param {Part} part */
  const take = (i, part) => {
    if (part.type === "failed") fail(part.message);
    else if (part.type === "tensors") collect(i, part);
    else receive(i, part);
  };

  /** @param {number} i @param {Extract<Part, { type: "tensors" }>} part */
  const collect = (i, part) => {
    saved[i] = part;
    const whole = saved.filter((one) => one !== null);
    if (!asked || !wanted || whole.length < workers.length) return;
    const step = Math.min(...whole.map((one) => one.step));
    wanted(fileOf(joinedTensors(whole.map((one) => one.tensors)), asked.world, whole[0].settings, asked.seeds, step));
    wanted = null;
  };

  /** @param {number} i @param {Extract<Part, { type: "part" }>} part */
  const receive = (i, part) => {
    parts[i] = part;
    if (parts.includes(null)) return;
    const behind = Math.min(...parts.map((one) => one?.step ?? 0));
    if (workers.length > 1) all({ type: "limit", step: behind + AHEAD });
    if (timer) return;
    timer = setTimeout(
      () => {
        timer = 0;
        last = performance.now();
        const frame = joined();
        if (frame) onFrame(frame);
      },
      Math.max(0, FRAME_MS - (performance.now() - last)),
    );
  };

  /** @returns {Frame | null} */
  const joined = () => {
    const whole = parts.filter((part) => part !== null);
    if (!asked || whole.length < workers.length) return null;
    return frameOf(asked, whole);
  };

  return {
    /** @param {Task} task */
    post(task) {
      if (task.type === "start" || task.type === "reset") failed = false;
      if (task.type === "start") start(task);
      else {
        if (task.type === "reset") parts = workers.map(() => null);
        all(task);
      }
    },
    /** A safetensors file of the population, to be downloaded. @returns {Promise<Uint8Array>} */
    save() {
      return new Promise((done) => {
        wanted = done;
        saved = workers.map(() => null);
        all({ type: "save" });
      });
    },
    close() {
      clearTimeout(timer);
      for (const worker of workers) worker.terminate();
      workers = [];
      URL.revokeObjectURL(address);
    },
  };
}

/** The seeds of worker i: neighbours, so that joined parts keep their order. @param {number[]} seeds @param {number} i @param {number} count */
const shareOf = (seeds, i, count) => seeds.slice(Math.round((i * seeds.length) / count), Math.round(((i + 1) * seeds.length) / count));
