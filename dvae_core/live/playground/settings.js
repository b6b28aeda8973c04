// The settings of the playground's dials and switches, in one table; their text in a link; and the five presets of the
// talk.

import { GRID, MOST_SEGMENTS } from "./world.js";

/** @import { PlaygroundState } from "../types.d.ts" */

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {Record<string, string>} options the value, and what the page calls it
 * @property {string} [help]
 */
/** @typedef {{ label: string, min: number, max: number, step: number, help?: string }} Dial */

/** @type {Record<"kind" | "moves" | "prior" | "posterior", Choice>} */
export const CHOICES = {
  kind: { label: "The factors change", options: { segments: "with u", time: "in time", drawn: "drawn" } },
  moves: {
    label: "u moves",
    options: { both: "both", mean: "means", variance: "variances", alike: "variances alike", nothing: "nothing" },
    help: "Variances alike: the two factors have the same variance for every u",
  },
  prior: {
    label: "The model sees",
    options: { normal: "x alone", u: "x and u", time: "x in time", shuffled: "x, time shuffled" },
    help: "u is the label of each row, its colour here. The priors are N(0, I), p(z|u), and p(z_t | z_(t-1)) with the rows in order or shuffled",
  },
  posterior: {
    label: "q(z|x)",
    options: { diagonal: "diagonal", full: "full", "gauss-newton": "Gauss-Newton" },
    help: "The covariance of q. A diagonal one cannot follow a turned posterior; Gauss-Newton takes it from the decoder",
  },
};

/** @type {Record<"segments" | "strength" | "layers" | "dx" | "folds" | "noise" | "beta", Dial>} */
export const DIALS = {
  segments: { label: "Values of u", min: 1, max: MOST_SEGMENTS, step: 1, help: "Segments: with one, u says nothing" },
  strength: { label: "Strength", min: 0, max: 1.5, step: 0.1, help: "0: u, or the last row, says nothing about the factors" },
  layers: { label: "Layers of f", min: 1, max: 4, step: 1, help: "1: f is linear" },
  dx: { label: "Dims of x", min: 2, max: 10, step: 1 },
  folds: { label: "Folds of f", min: 0, max: 2, step: 1, help: "A fold gives two places the same x: f is not injective" },
  noise: { label: "Noise of x", min: 0, max: 0.8, step: 0.1, help: "In standard deviations of x" },
  beta: { label: "β", min: 0.25, max: 4, step: 0.25, help: "Weight of the KL in the loss" },
};
export const MOST_SEED = 9999;
export const MEMBERS = 8;
export const SHOWN = 400; // rows whose latents the engine sends and the panels draw
export const STEPS = 800;
const TRAINING = { steps: STEPS, batch: 128, rate: 1.5e-2, hidden: 20 }; // the talk's recipe

/** @type {Readonly<PlaygroundState>} */
export const DEFAULT = {
  kind: "segments",
  segments: 5,
  moves: "both",
  strength: 1,
  layers: 2,
  dx: 2,
  folds: 0,
  noise: 0,
  seed: 3,
  clouds: [],
  prior: "normal",
  posterior: "gauss-newton",
  beta: 1,
};

/** @type {{ name: string, state: PlaygroundState }[]} */
export const PRESETS = [
  { name: "A VAE's seeds disagree", state: DEFAULT },
  {
    name: "The diagonal bound picks axes",
    state: { ...DEFAULT, posterior: "diagonal", segments: 1, layers: 1, dx: 5, noise: 0.5 },
  },
  { name: "u comes to the rescue", state: { ...DEFAULT, prior: "u" } },
  { name: "u that moves nothing", state: { ...DEFAULT, prior: "u", strength: 0 } },
  { name: "Watch it move", state: { ...DEFAULT, kind: "time", prior: "time" } },
];

/** The settings of the training, as the engine takes them. */
export const trainingOf = (/** @type {PlaygroundState} */ { prior, posterior, beta }) => ({
  ...TRAINING,
  posterior,
  prior: prior === "shuffled" ? "time" : prior,
  shuffleTime: prior === "shuffled",
  beta,
});

/** The part of the state that fixes the data. */
export const worldOf = (/** @type {PlaygroundState} */ { prior: _, posterior: __, beta: ___, ...world }) => world;

/** @param {PlaygroundState} a @param {PlaygroundState} b */
export const isSame = (a, b) => encode(a) === encode(b);

// --- the link

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"; // GRID of them
const MOST_POINTS = 400; // of one drawn cloud

/**
 * A state as text: what differs from the default, in letters that a link leaves alone.
 * @param {PlaygroundState} state
 */
export function encode(state) {
  const parts = Object.keys(DEFAULT)
    .filter((name) => name !== "clouds" || state.kind === "drawn")
    .map((name) => [name, textOf(/** @type {any} */ (state)[name])])
    .filter(([name, text]) => text !== textOf(/** @type {any} */ (DEFAULT)[name]));
  return parts.map((pair) => pair.join("~")).join("_");
}

/** @param {string | number | number[][]} value */
const textOf = (value) => (Array.isArray(value) ? value.map((cloud) => cloud.map((v) => LETTERS[v]).join("")).join(".") : String(value));

/**
 * The state of a link, and a sentence where the link holds something that the playground does not know.
 * @param {string} text
 * @returns {{ state: PlaygroundState, problem: string }}
 */
export function decode(text) {
  /** @type {Record<string, unknown>} */
  const state = { ...DEFAULT };
  const unknown = [];
  for (const part of text ? text.split("_") : []) {
    const [name, value = ""] = part.split("~");
    const read = readValue(name, value);
    if (read === null) unknown.push(part.slice(0, 40));
    else state[name] = read;
  }
  const problem = unknown.length ? `The link says ${unknown.join(", ")}, which the playground does not know; the rest of it is shown.` : "";
  return { state: /** @type {any} */ (state), problem };
}

/** @param {string} name @param {string} text */
function readValue(name, text) {
  if (Object.hasOwn(CHOICES, name)) return Object.hasOwn(CHOICES[/** @type {keyof typeof CHOICES} */ (name)].options, text) ? text : null;
  if (name === "clouds") return cloudsIn(text);
  const isDial = Object.hasOwn(DIALS, name);
  const range = isDial ? DIALS[/** @type {keyof typeof DIALS} */ (name)] : { min: 0, max: MOST_SEED, step: 1 };
  const value = Number(text);
  if (!(isDial || name === "seed") || text === "" || !(value >= range.min && value <= range.max)) return null;
  return Number.isInteger(range.step) && !Number.isInteger(value) ? null : value;
}

/** @param {string} text */
function cloudsIn(text) {
  const clouds = text.split(".").map((cloud) => [...cloud].map((letter) => LETTERS.indexOf(letter)));
  const isFit = clouds.every(
    (cloud) => cloud.length % 2 === 0 && cloud.length <= 2 * MOST_POINTS && cloud.every((v) => v >= 0 && v < GRID),
  );
  return isFit && clouds.length <= MOST_SEGMENTS ? clouds : null;
}
