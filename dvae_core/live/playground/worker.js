// Trains some seeds of a population in a Web Worker, and sends frames of what they have learned.
//
// The pool tells it how far it may run ahead (`limit`), so that seeds on other workers stay beside these.

import { createPopulation } from "./population.js";
import { tensorsOf } from "./save.js";

/** @import { Population } from "./population.js" */
/** @import { Part, Task } from "./pool.js" */

const FRAME_MS = 15; // of training before a frame, so that there are about 60 a second
const FRAME_SHARE = 0.25; // of the time of training may go into frames; on a slow machine they come less often
const BOUND_SHARE = 0.1; // of the time goes into held-out bounds

/** @type {Population | null} */
let population = null;
/** @type {Extract<Task, { type: "start" }> | null} */
let asked = null;
let playing = false;
let limit = Number.POSITIVE_INFINITY;
let scheduled = false;
let secondsPerStep = Number.NaN;
let boundDue = 0;
let frameMs = 0; // what the last frame took
/** @type {{ mean: Float32Array, error: Float32Array } | null} */
let bound = null;

/** @param {Part} part @param {Transferable[]} [moved] */
const send = (part, moved = []) => /** @type {any} */ (self).postMessage(part, moved);

/** @param {Task} task */
function take(task) {
  if (task.type === "start") start(task);
  else if (task.type === "limit") limit = task.step;
  else if (task.type === "reset") {
    if (asked) start(asked);
  } else if (task.type === "set") set(task.settings);
  else if (task.type === "save") {
    if (population) send({ type: "tensors", tensors: tensorsOf(population), step: population.stepNumber, settings: population.settings });
  } else if (task.type === "play") playing = true;
  else if (task.type === "pause") playing = false;
  else if (task.type === "step") {
    playing = false;
    train(0);
    frame(true);
  }
  if (playing) again();
}

/** @param {Extract<Task, { type: "start" }>} task */
function start(task) {
  asked = task;
  const { world, settings, seeds } = task;
  population = createPopulation({ ...world, settings, seeds });
  boundDue = 0;
  frame(true);
}

/** @param {Extract<Task, { type: "set" }>["settings"]} settings */
function set(settings) {
  if (!population || !asked) return;
  asked = { ...asked, settings: { ...asked.settings, ...settings } };
  if (settings.hidden !== undefined && settings.hidden !== population.settings.hidden) start(asked);
  else {
    population.set(settings);
    frame(true);
  }
}

/** Train for this many milliseconds, but at least one step. @param {number} budget */
function train(budget) {
  if (!population) return;
  const began = performance.now();
  const first = population.stepNumber;
  let spent = 0;
  do {
    population.step(1);
    spent = performance.now() - began;
  } while (spent < budget && population.stepNumber < Math.min(population.steps, limit));
  const taken = population.stepNumber - first;
  if (taken > 0) secondsPerStep = spent / taken / 1000;
}

/** Send what the population has learned so far. @param {boolean} [withBound] */
function frame(withBound = false) {
  if (!population) return;
  const now = performance.now();
  if (withBound || !bound || now >= boundDue || population.stepNumber === population.steps) {
    bound = population.bound();
    const after = performance.now();
    boundDue = after + (after - now) / BOUND_SHARE;
  }
  const began = performance.now();
  const every = Math.max(1, Math.ceil(population.world.n / (asked?.world.shown ?? population.world.n)));
  const latents = population.latents(every);
  send(
    {
      type: "part",
      step: population.stepNumber,
      steps: population.steps,
      latents,
      bound: bound.mean.slice(),
      error: bound.error.slice(),
      failed: population.failed.slice(),
      secondsPerStep,
    },
    [latents.buffer],
  );
  frameMs = performance.now() - began;
}

/** One slice of training, as a new task, so that messages are heard in between. */
function again() {
  if (scheduled) return;
  scheduled = true;
  // a message to oneself comes back at once, while a timer waits for at least four milliseconds
  channel.port2.postMessage(null);
}

const channel = new MessageChannel();
channel.port1.onmessage = () => {
  scheduled = false;
  guarded(() => {
    if (!playing || !population) return;
    if (population.stepNumber >= population.steps) {
      playing = false;
      return;
    }
    if (population.stepNumber >= limit) return; // the pool's next limit wakes it
    train(Math.max(FRAME_MS, frameMs / FRAME_SHARE));
    frame();
    again();
  });
};

/** @param {() => void} work */
function guarded(work) {
  try {
    work();
  } catch (error) {
    playing = false;
    send({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}

self.onmessage = ({ data }) => guarded(() => take(data));
