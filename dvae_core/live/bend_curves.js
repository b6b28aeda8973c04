// The bend: nats of log p lost when the axes turn by an angle and the prior is fitted anew. The closed forms are those of
// dvae_core/identify/bend.py; curves without one come with the data, one for each stop of their sliders.

/** @import { BendIdea, BendSlider } from "./types.d.ts" */
/** @typedef {{ angles: number[], nats: number[], error: number[] }} Curve */

export const FLAT = 0.005; // nats; both limits are those of bend.py
export const FAINT = 0.04;
const DEGREES = Array.from({ length: 91 }, (_, angle) => angle);

/** @param {number} degrees */
const shares = (degrees) => {
  const c = Math.cos((degrees * Math.PI) / 180) ** 2;
  return [c, 1 - c];
};

/**
 * Pairs of rows of two AR(1) factors with the coefficients a.
 * @param {number[]} a
 * @param {number} degrees
 */
export function pairs([a, b], degrees) {
  const [c, s] = shares(degrees);
  const lost = (/** @type {number} */ r) => Math.log1p(-r * r);
  return (lost(c * a + s * b) + lost(s * a + c * b) - lost(a) - lost(b)) / 2;
}

/**
 * Gaussian factors whose means and deviations u moves, u seen: strength multiplies means and log deviations.
 * @param {number[][]} mean a row for each u
 * @param {number[][]} std
 * @param {number} strength
 * @param {number} degrees
 */
export function segments(mean, std, strength, degrees) {
  const total = [0, 1].map((i) => {
    const means = mean.map((row) => strength * row[i]);
    const middle = means.reduce((sum, m) => sum + m, 0) / means.length;
    const within = std.reduce((sum, row) => sum + row[i] ** (2 * strength), 0);
    return (within + means.reduce((sum, m) => sum + (m - middle) ** 2, 0)) / means.length;
  });
  const [c, s] = shares(degrees);
  let lost = 0;
  for (const row of std) {
    const [v, w] = row.map((deviation, i) => deviation ** (2 * strength) / total[i]);
    lost += Math.log(c * v + s * w) + Math.log(s * v + c * w) - Math.log(v) - Math.log(w);
  }
  return lost / (2 * std.length);
}

/**
 * The curve of an idea with its sliders at these values.
 * @param {BendIdea} idea
 * @param {number[]} values
 * @returns {Curve}
 */
export function curveOf(idea, values) {
  if (idea.kind === "grid") {
    const index = idea.sliders.reduce((k, slider, i) => k * slider.stops.length + stopOf(slider, values[i]), 0);
    return { angles: idea.angles, nats: idea.nats[index], error: idea.error?.[index] ?? idea.angles.map(() => 0) };
  }
  const lost =
    idea.kind === "pairs"
      ? (/** @type {number} */ degrees) => pairs(values, degrees)
      : (/** @type {number} */ degrees) => segments(idea.mean, idea.std, values[0], degrees);
  return { angles: DEGREES, nats: DEGREES.map(lost), error: DEGREES.map(() => 0) };
}

/**
 * The index of the stop that is nearest to a value.
 * @param {BendSlider} slider
 * @param {number} value
 */
export function stopOf({ stops }, value) {
  let best = 0;
  stops.forEach((stop, k) => {
    if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = k;
  });
  return best;
}

/**
 * Nats and their error at an angle, between the angles that are known on a straight line.
 * @param {Curve} curve
 * @param {number} degrees
 */
export function at({ angles, nats, error }, degrees) {
  const right = Math.max(
    1,
    angles.findIndex((angle) => angle >= degrees),
  );
  const share = (degrees - angles[right - 1]) / (angles[right] - angles[right - 1]);
  const between = (/** @type {number[]} */ y) => y[right - 1] + share * (y[right] - y[right - 1]);
  return { nats: between(nats), error: between(error) };
}

/**
 * Whether a curve determines the axes: three standard errors are taken off before it counts.
 * @param {Curve} curve
 * @returns {"flat" | "faint" | "bent"}
 */
export function stateOf({ nats, error }) {
  const most = Math.max(...nats.map((value, k) => value - 3 * error[k]));
  return most < FLAT ? "flat" : most < FAINT ? "faint" : "bent";
}

/**
 * The conclusion from all curves; "" if none bends.
 * @param {{ idea: BendIdea, state: string }[]} rows
 */
export function verdict(rows) {
  const names = (/** @type {string} */ state) => rows.filter((row) => row.state === state).map(({ idea }) => idea.name);
  const parts = [];
  if (names("bent").length) parts.push(`What bends the curve: ${names("bent").join("; ")}.`);
  if (names("faint").length) parts.push(`Bends it too little for any training tried so far: ${names("faint").join("; ")}.`);
  return parts.join(" ");
}
