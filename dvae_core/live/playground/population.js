// A population of seeds that train side by side on one small data set. Members share nothing but the data.

import { Elbo } from "./elbo.js";
import { layoutOf } from "./layout.js";
import { Optimiser, oneCycle } from "./optimiser.js";
import { outputsOf } from "./posterior.js";
import { stream } from "./random.js";
import { componentsOf, draw, scalingOf } from "./start.js";

/** @typedef {Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>} Values */
/** @typedef {Float32ArrayConstructor | Float64ArrayConstructor} Numbers the type of parameters: float32, float64 in tests */

/**
 * @typedef {object} Settings
 * @property {"diagonal" | "full" | "gauss-newton"} posterior
 * @property {"normal" | "u" | "time"} prior
 * @property {number} beta weight of the KL
 * @property {number} steps length of the one-cycle schedule
 * @property {number} batch rows of a step; pairs of rows, if the prior is "time"
 * @property {number} rate peak learning rate
 * @property {number} hidden units in each of two hidden layers
 * @property {boolean} shuffleTime whether each row is paired with any other row instead of its successor
 * @property {"adam" | "muon"} [optimiser] by default Muon with gauss-newton, Adam for the others, as in the library
 */

/**
 * @typedef {object} World
 * @property {Float32Array | Float64Array} x [n, dx]
 * @property {number} n
 * @property {number} dx
 * @property {number} dz
 * @property {Int32Array | null} u the segment of each row, from 0
 * @property {number} segments
 */

/**
 * @typedef {object} Start
 * @property {Record<string, ArrayLike<number>>} [parameters] of all members, as from `state`
 * @property {number[] | Int32Array} [heldOut] rows to score on
 */

/** @typedef {World & { settings: Settings, seeds: number[], start?: Start, Type?: Numbers }} Options */

const STRETCHES = 20; // of rows
const HELD_OUT = [2, 7, 12, 17]; // of the stretches
const LEAST = 50; // rows
const SCORED = 500; // held-out rows whose bound is computed

/** @param {Options} options */
export const createPopulation = (options) => new Population(options);

export class Population {
  /** @param {Options} options */
  constructor({ x, n, dx, dz, u, segments, settings, seeds, start = {}, Type = Float32Array }) {
    check({ x, n, dx, dz, u, segments, settings, seeds });
    this.world = { x, n, dx, dz, u, segments };
    this.seeds = seeds;
    this.Type = Type;
    this.settings = completed(settings);
    this.layout = layoutOf(dx, dz, settings.hidden, u ? segments : 0);
    this.parts = partsOf(n, start.heldOut);
    this.scaling = scalingOf(x, n, dx, dz, this.parts.train);
    this.data = { h: this.scaling.h, u, logDet: this.scaling.logDet };
    /** Parameters [p, size]. @type {Values} */
    this.parameters = new Type(seeds.length * this.layout.size);
    const components = componentsOf(this.scaling.h, dx, dz, this.parts.train);
    for (const [m, seed] of seeds.entries()) draw(this.layout, seed, components, this.parameters, m * this.layout.size);
    if (start.parameters) this.load(start.parameters);
    this.optimiser = new Optimiser(this.layout, seeds.length, Type);
    this.W = new Float64Array(this.layout.size);
    this.G = new Float64Array(this.layout.size);
    this.stepNumber = 0;
    this.began = 0; // the step at which the schedule began
    /** The step at which a member's gradient was not finite; -1 for none. */
    this.failed = new Int32Array(seeds.length).fill(-1);
    this.plan = planOf(this);
    this.elbo = new Elbo(this.layout, this.data, this.settings);
  }

  /** Steps until the end of the schedule. */
  get steps() {
    return this.began + this.settings.steps;
  }

  /** Train every member for `count` steps, or to the end of the schedule. @param {number} count */
  step(count = 1) {
    for (let i = 0; i < count && this.stepNumber < this.steps; i++) {
      for (const m of this.seeds.keys()) {
        this.drawBatch(m);
        this.move(m, this.plan.rows, this.plan.eps);
      }
      this.stepNumber += 1;
    }
  }

  /**
   * One step of one member on these rows with this noise. Returns the batch's mean ELBO before the step.
   * @param {number} m
   * @param {Int32Array} rows
   * @param {Float64Array} eps
   */
  move(m, rows, eps) {
    const { settings, optimiser, G } = this;
    const bound = this.gradient(m, rows, eps);
    const rate = oneCycle(this.stepNumber - this.began, settings.steps, settings.rate);
    if (optimiser.clip(G, m)) optimiser.step(this.parameters, G, m, rate, settings);
    else if (this.failed[m] < 0) this.failed[m] = this.stepNumber;
    return bound;
  }

  /**
   * Write the gradient of a member's loss into `G`; return the mean ELBO of the rows.
   * @param {number} m
   * @param {Int32Array} rows
   * @param {Float64Array} eps
   */
  gradient(m, rows, eps) {
    this.pick(m);
    this.G.fill(0);
    return this.elbo.gradient(this.W, this.G, rows, eps, this.settings.beta);
  }

  /** e(x), the encoder's own mean, of every row: [p, n, dz]. With `every`, of rows 0, every, 2 every, ... */
  latents(every = 1) {
    const { n, dz } = this.world;
    const rows = Math.ceil(n / every);
    const out = new Float32Array(this.seeds.length * rows * dz);
    for (const m of this.seeds.keys()) this.elbo.guesses(this.pick(m), every, out, m * rows * dz);
    return out;
  }

  /** The ELBO on held-out rows, nats a row, and its standard error: up to 500 rows, with the same noise every time. */
  bound() {
    const { layout } = this;
    const { scored } = this.plan;
    const values = new Float64Array(scored.length);
    const mean = new Float32Array(this.seeds.length);
    const error = new Float32Array(this.seeds.length);
    for (const [m, seed] of this.seeds.entries()) {
      const random = stream(seed, "held-out noise");
      const eps = Float64Array.from({ length: scored.length * layout.dz }, () => random.normal());
      this.elbo.evaluate(this.pick(m), scored, eps, values);
      let sum = 0;
      for (const v of values) sum += v;
      const average = sum / values.length;
      let squares = 0;
      for (const v of values) squares += (v - average) * (v - average);
      mean[m] = this.failed[m] < 0 ? average : Number.NaN;
      error[m] = this.failed[m] < 0 ? Math.sqrt(squares / (values.length - 1) / values.length) : Number.NaN;
    }
    return { mean, error };
  }

  /**
   * Change settings of the running population. The parameters stay, and the schedule begins again: its last learning
   * rates would be too small to answer.
   * @param {Partial<Settings>} changes
   */
  set(changes) {
    const settings = { ...this.settings, ...changes };
    if (!("optimiser" in changes) && "posterior" in changes) delete settings.optimiser;
    if (settings.hidden !== this.settings.hidden) throw new Error("Other hidden units need new nets: start again.");
    check({ ...this.world, settings, seeds: this.seeds });
    this.settings = completed(settings);
    this.began = this.stepNumber;
    this.optimiser.running.fill(0);
    this.plan = planOf(this);
    this.elbo = new Elbo(this.layout, this.data, this.settings);
  }

  /** The parameters by the library's names, [p, ...] each, without what the posterior and the prior do not use. */
  state() {
    return this.named(this.parameters);
  }

  /** Numbers laid out like the parameters, by name. @param {Values} numbers */
  named(numbers) {
    /** @type {Record<string, Values>} */
    const out = {};
    const p = this.seeds.length;
    const { posterior, prior } = this.settings;
    for (const { name, shape, at, size } of this.layout.entries) {
      if ((name === "prior.net.weight" && prior !== "u") || (name === "prior.raw" && prior !== "time")) continue;
      const width = shape[shape.length - 1];
      const used = name.startsWith("encoder_net.mlp.last") ? outputsOf(posterior, this.world.dz) : width;
      const rows = size / width;
      const values = new this.Type(p * rows * used);
      for (let m = 0; m < p; m++) {
        for (let r = 0; r < rows; r++) {
          const from = m * this.layout.size + at + r * width;
          values.set(numbers.subarray(from, from + used), (m * rows + r) * used);
        }
      }
      out[name] = values;
    }
    return out;
  }

  /** Set parameters by name, as `state` returned them. @param {Record<string, ArrayLike<number>>} given */
  load(given) {
    const p = this.seeds.length;
    for (const [name, values] of Object.entries(given)) {
      const entry = this.layout.entries.find((one) => one.name === name);
      if (!entry) throw new Error(`There is no parameter ${name}.`);
      const width = entry.shape[entry.shape.length - 1];
      const rows = entry.size / width;
      const used = values.length / (p * rows);
      if (!Number.isInteger(used) || used > width) throw new Error(`${name} has ${values.length} numbers; ${p * entry.size} are needed.`);
      for (let m = 0; m < p; m++) {
        for (let r = 0; r < rows; r++) {
          for (let k = 0; k < used; k++) {
            this.parameters[m * this.layout.size + entry.at + r * width + k] = values[(m * rows + r) * used + k];
          }
        }
      }
    }
  }

  /** Copy a member's parameters to where the nets read them. @param {number} m */
  pick(m) {
    const { size } = this.layout;
    for (let i = 0; i < size; i++) this.W[i] = this.parameters[m * size + i];
    return this.W;
  }

  /** Draw a member's rows and noise of this step. Both depend only on its seed and the step. @param {number} m */
  drawBatch(m) {
    const { rows, eps, units, width, batch, perEpoch, orders } = this.plan;
    const epoch = Math.floor(this.stepNumber / perEpoch);
    const kept = orders[m];
    if (kept.epoch !== epoch) {
      const order = Int32Array.from({ length: units.length / width }, (_, i) => i);
      kept.order = stream(this.seeds[m], "order", epoch).shuffle(order);
      kept.epoch = epoch;
    }
    const from = (this.stepNumber % perEpoch) * batch;
    for (let i = 0; i < batch; i++) for (let k = 0; k < width; k++) rows[i * width + k] = units[kept.order[from + i] * width + k];
    const noise = stream(this.seeds[m], "noise", this.stepNumber);
    for (let i = 0; i < eps.length; i++) eps[i] = noise.normal();
  }
}

/**
 * The rows that training draws from and is scored on, and room for a batch.
 * @param {Pick<Population, "settings" | "parts" | "layout" | "seeds">} population
 */
function planOf({ settings, parts, layout, seeds }) {
  const paired = settings.prior === "time";
  const width = paired ? 2 : 1; // rows of one draw
  const units = paired ? pairsOf(parts.train, settings.shuffleTime) : parts.train;
  const scored = thinned(paired ? pairsOf(parts.heldOut, settings.shuffleTime) : parts.heldOut);
  const count = units.length / width;
  const batch = Math.min(settings.batch, count);
  return {
    width,
    units,
    scored,
    batch,
    perEpoch: Math.floor(count / batch),
    rows: new Int32Array(batch * width),
    eps: new Float64Array(batch * width * layout.dz),
    /** @type {{ epoch: number, order: Int32Array }[]} */
    orders: seeds.map(() => ({ epoch: -1, order: new Int32Array(0) })),
  };
}

/** @param {Settings} settings @returns {Settings} */
const completed = (settings) => ({
  ...settings,
  optimiser: settings.optimiser ?? (settings.posterior === "gauss-newton" ? "muon" : "adam"),
});

/** @param {World & { settings: Settings, seeds: number[] }} options */
function check({ x, n, dx, dz, u, segments, settings, seeds }) {
  const { posterior, prior, beta, steps, batch, rate, hidden } = settings;
  /** @param {boolean} isGood @param {string} message */
  const need = (isGood, message) => {
    if (!isGood) throw new Error(message);
  };
  /** @param {number} value */
  const counts = (value) => Number.isInteger(value) && value > 0;
  need(seeds.length > 0, "A population needs at least one seed.");
  need(n >= LEAST, `Training needs at least ${LEAST} rows; there are ${n}.`);
  need(x.length === n * dx && x.every(Number.isFinite), `x must be ${n} rows of ${dx} finite numbers.`);
  need(counts(dz) && dz <= dx, `There must be from 1 to ${dx} latents, as many as columns; got ${dz}.`);
  need(
    ["diagonal", "full", "gauss-newton"].includes(posterior),
    `There is no posterior ${posterior}; choose diagonal, full or gauss-newton.`,
  );
  need(["normal", "u", "time"].includes(prior), `There is no prior ${prior}; choose normal, u or time.`);
  need(prior !== "u" || u !== null, "The prior p(z|u) needs u, and this world has none.");
  need(u === null || (u.length === n && u.every((v) => v >= 0 && v < segments)), `u must be ${n} segments from 0 to ${segments - 1}.`);
  need([steps, batch, hidden].every(counts), "Steps, batch and hidden units must be whole numbers above 0.");
  need(beta >= 0 && rate > 0, "beta must not be negative, and the learning rate must be above 0.");
}

/**
 * The rows to train and to score on: of twenty stretches of rows four are held out, as the library's blocks are, so that
 * neighbours in time are on one side.
 * @param {number} n
 * @param {ArrayLike<number>} [given] rows to hold out instead
 */
function partsOf(n, given) {
  const held = new Uint8Array(n);
  if (given) for (let i = 0; i < given.length; i++) held[given[i]] = 1;
  else for (let i = 0; i < n; i++) held[i] = Number(HELD_OUT.includes(Math.floor((i * STRETCHES) / n)));
  const all = Int32Array.from({ length: n }, (_, i) => i);
  return { train: all.filter((i) => !held[i]), heldOut: all.filter((i) => held[i] === 1) };
}

/**
 * Row t and row t + 1 side by side, wherever both are among the rows. The control pairs each row with any other.
 * @param {Int32Array} rows ascending
 * @param {boolean} shuffled
 */
function pairsOf(rows, shuffled) {
  const firsts = rows.filter((row, i) => rows[i + 1] === row + 1);
  const seconds = firsts.map((row) => row + 1);
  if (shuffled) stream("time", rows.length).shuffle(seconds);
  const out = new Int32Array(2 * firsts.length);
  for (let i = 0; i < firsts.length; i++) {
    out[2 * i] = firsts[i];
    out[2 * i + 1] = seconds[i];
  }
  return out;
}

/** Evenly spaced pairs of these rows, at most SCORED rows. @param {Int32Array} rows */
function thinned(rows) {
  const pairs = Math.floor(rows.length / 2);
  const kept = Math.min(pairs, SCORED / 2);
  const out = new Int32Array(2 * kept);
  for (let i = 0; i < kept; i++) {
    const at = 2 * Math.floor((i * pairs) / kept);
    out[2 * i] = rows[at];
    out[2 * i + 1] = rows[at + 1];
  }
  return out;
}
