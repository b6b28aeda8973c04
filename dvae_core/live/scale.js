// The axes and colour scales of an explorer: found once per decoder, member and example, so that they stay while z moves.

import { heatScale, STEPS } from "./draw.js";
import { isCounts, quantile } from "./numbers.js";
import { grown, rangeOf } from "./plane.js";

/** @import { Kind, Scale, Vector } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

/** @type {Scale} */
const UNSCALED = { range: { x: [-1, 1], y: [-1, 1] }, rates: [0, 1], limits: [0, 1], heatOf: () => () => {} };

/**
 * The decoder's output where the sliders start, and along each latent.
 * @param {Explorer} view
 * @returns {Scale}
 */
export function survey(view) {
  const { data, z0, reference } = view;
  if (view.kind === "picture") return UNSCALED; // pictures lie between 0 and 1
  const decoded = (/** @type {Vector} */ z) => view.decode(z, new Float32Array(data.d_x));
  const middle = decoded(z0);
  /** @type {Float32Array[]} */
  const samples = [middle];
  for (const { index: i } of data.latents) {
    const z = z0.slice();
    for (let step = 0; step < STEPS; step++) {
      z[i] = data.lo[i] + (step / (STEPS - 1)) * (data.hi[i] - data.lo[i]);
      samples.push(decoded(z));
    }
  }
  if (reference) samples.push(reference);
  if (view.kind === "plane") {
    let range = rangeOf(view.background ?? Float32Array.from(samples.flatMap((x) => Array.from(x))));
    for (const x of [middle, ...(reference ? [reference] : [])]) range = grown(range, x[0], x[1]);
    return { ...UNSCALED, range };
  }
  // Rates run away at the ends of a range: nine in ten samples fit at first, and the axis grows when it must.
  const lo = quantile(
    samples.map((x) => Math.min(0, ...x)),
    0.1,
  );
  const hi = quantile(
    samples.map((x) => Math.max(0, ...x)),
    0.9,
  );
  const values = samples.flatMap((x) => Array.from(x));
  const rates = [isCounts(data) ? 0 : quantile(values, 0.01), quantile(values, 0.98)];
  if (!(rates[1] > rates[0])) rates[1] = rates[0] + 1;
  const limits = [lo < 0 ? lo * 1.05 : 0, hi > 0 ? hi * 1.05 : lo < 0 ? 0 : 1];
  return { ...UNSCALED, rates, limits, heatOf: heatScale(data, samples, middle) };
}

/**
 * Axes that no longer hold what is decoded grow. True when the plane has to be laid out again.
 * @param {Scale} scale
 * @param {Kind} kind
 * @param {{ x: Vector }[]} screens
 */
export function grow(scale, kind, screens) {
  if (kind === "plane") {
    const before = scale.range;
    for (const { x } of screens) scale.range = grown(scale.range, x[0], x[1]);
    return scale.range !== before;
  }
  if (kind === "bars") {
    let [lo, hi] = scale.limits;
    for (const { x } of screens) for (const v of x) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
    if (lo < scale.limits[0]) scale.limits[0] = lo * 1.15;
    if (hi > scale.limits[1]) scale.limits[1] = hi * 1.15;
  }
  return false;
}
