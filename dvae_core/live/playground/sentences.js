// Conclusions, in sentences that depend on the numbers: how far the seeds agree, and whether anything could have made
// them.

import { number } from "../numbers.js";
import { MEMBERS } from "./settings.js";

/** @import { PlaygroundFrame, PlaygroundState } from "../types.d.ts" */

const EARLY = 0.25; // of the steps: before, the seeds have not had the time to agree

/**
 * Whether it is too early to compare seeds: at their start they are alike, and then they have not had the time.
 * @param {{ step: number, steps: number }} frame
 */
export const isEarly = ({ step, steps }) => step < EARLY * steps;

/**
 * Why nothing that the model sees can determine the axes, or "" if something could.
 * @param {PlaygroundState} state
 */
export function whyUndetermined({ prior, kind, segments, moves, strength, clouds }) {
  if (prior === "normal") return "the model sees x alone";
  if (prior === "u") {
    if (kind === "time") return "this world has no u";
    if (kind === "drawn") return clouds.filter((cloud) => cloud.length).length < 2 ? "u has one value only" : "";
    if (segments === 1) return "u has one value only";
    if (moves === "nothing" || strength === 0) return "u moves nothing";
    return moves === "alike" ? "u moves both variances alike" : "";
  }
  if (prior === "shuffled") return "the order of the rows is shuffled";
  if (kind !== "time") return "the rows of this world come in no order";
  return strength === 0 ? "no row remembers the one before" : "";
}

/** @type {Record<string, string>} */
const UP_TO = {
  permutation: "up to order, sign and scale",
  orthogonal: "only up to a rotation",
  affine: "only up to a linear map",
};

/** How far the seeds agree, as a phrase. @param {string | null} rung */
export const agreementWords = (rung) => (rung === null ? "not even up to a linear map" : UP_TO[rung]);

/**
 * What to try after this, for someone who sees the page for the first time; "" where the page has no advice.
 * @param {PlaygroundState} state
 * @param {boolean} isAgreed
 */
export function advice({ prior, posterior, kind, strength, moves, segments }, isAgreed) {
  if (prior === "normal" && posterior === "diagonal" && isAgreed) return "Next: a full q.";
  if (prior === "normal") return kind === "time" ? "Next: let the model see x in time." : "Next: let the model see x and u.";
  if (prior === "shuffled") return "Next: let the model see x in time.";
  if (strength === 0) return "Next: turn Strength up.";
  if (prior === "u" && kind === "segments" && (moves === "nothing" || moves === "alike")) return "Next: let u move both.";
  if (prior === "u" && kind === "segments" && segments === 1) return "Next: give u more values.";
  if (!isAgreed) return "";
  return prior === "u" ? "Next: turn Strength to 0, or fold f." : "Next: shuffle time.";
}

/**
 * The sentence under the seeds.
 * @param {PlaygroundState} state
 * @param {PlaygroundFrame | null} frame
 * @returns {{ kind: "wait" | "agree" | "turned" | "disagree", text: string }}
 */
export function verdict(state, frame) {
  const broken = brokenCondition(state);
  if (!frame || isEarly(frame)) {
    const ask = `${MEMBERS} seeds of one model learn the same data. Will they find the same latents?`;
    return { kind: "wait", text: broken ? `${broken} ${ask}` : ask };
  }
  if (frame.failed.filter((step) => step < 0).length < 2)
    return { kind: "disagree", text: "All seeds but one have failed: there is nothing to compare. Reset, or change a setting." };
  const { rung } = frame.agreement;
  const why = whyUndetermined(state);
  const so = broken && ` ${broken}`;
  if (rung === "permutation") return { kind: "agree", text: `${agreed(state, why, UP_TO[rung])}${so}` };
  const because = (why && ` ${capital(why)}, so nothing can be concluded about the axes.`) + so;
  if (rung !== null) {
    const text = `The seeds disagree about the axes: they agree ${UP_TO[rung]}.${because || " The information given has not fixed the axes (yet)."}`;
    return { kind: "turned", text };
  }
  return {
    kind: "disagree",
    text: `The seeds disagree: each has found other latents.${because || " The information given has not been enough (yet)."}`,
  };
}

/** @param {PlaygroundState} state @param {string} why @param {string} upTo */
function agreed(state, why, upTo) {
  if (why && state.posterior === "diagonal") {
    return `The seeds agree ${upTo}, though ${why}: the diagonal q has picked these axes, not the data. Nothing can be concluded about the factors; try a full q.`;
  }
  if (why) return `The seeds agree ${upTo}, though ${why}. Nothing can be concluded from it: look at other worlds and seeds.`;
  const source = state.prior === "u" ? "u" : "time";
  return `The seeds agree ${upTo}: ${source} has determined the axes.`;
}

/**
 * The condition of the theorem that the world breaks for a model that sees u, in a sentence; "" for none.
 * @param {PlaygroundState} state
 */
function brokenCondition({ prior, kind, segments, moves, strength, folds }) {
  if (prior !== "u") return "";
  if (folds) return "Condition 2 is broken: f is folded, so what the seeds find need not be the factors.";
  if (kind !== "segments") return "";
  const needed = 2 * (moves === "both" ? 2 : 1) + 1; // n k + 1, of n = 2 factors with k statistics each
  if (segments < needed)
    return `Condition 4 is broken: u has ${segments} ${segments === 1 ? "value" : "values"} and the theorem asks for ${needed}, so it promises nothing.`;
  if (moves === "alike") return "Condition 4 is broken: \u03BB(u) varies in one direction only, not in two.";
  return moves === "nothing" || strength === 0 ? "Condition 4 is broken: \u03BB(u) does not vary." : "";
}

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/**
 * The sentence that compares with the true factors.
 * @param {number | null} guess null if there was none
 * @param {PlaygroundFrame} frame
 * @param {number} floor
 */
export function revealed(guess, frame, floor) {
  const values = Array.from(frame.mcc).filter(Number.isFinite);
  if (!values.length) return "No seed has an MCC: all have failed.";
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((v) => number(v));
  const failed = frame.mcc.length - values.length;
  const without = failed ? ` ${failed} failed and ${failed === 1 ? "is" : "are"} in no mean.` : "";
  const line = mean > floor + 0.03 ? "above" : mean < floor - 0.03 ? "below" : "like";
  return `MCC ${number(mean)} (${low} to ${high})${guess === null ? "" : `; you guessed ${number(guess)}`}. That is ${line} the true factors turned at random (${number(floor)}).${without}`;
}
