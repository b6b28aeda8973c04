// Numbers: as text, out of base64, and a few statistics of them.

/** @import { Packed, Vector } from "./types.d.ts" */

/**
 * A number as text with a real minus sign.
 * @param {number | string} value
 */
export const minus = (value) => String(value).replace("-", "\u2212");

/**
 * A number with a fixed count of decimals.
 * @param {number} value
 */
export function number(value, digits = 2) {
  return minus(Math.abs(value) < 0.5 * 10 ** -digits ? (0).toFixed(digits) : value.toFixed(digits));
}

/**
 * A number with at most two decimals, and no more than it needs.
 * @param {number} value
 */
export const short = (value) => minus(Number(value.toFixed(2)));

/**
 * Whether x is counts, and what is decoded their rates.
 * @param {{ likelihood: string | null }} plan
 */
export const isCounts = ({ likelihood }) => likelihood === "poisson" || likelihood === "negative-binomial";

const SUPERSCRIPTS = "\u2070\u00B9\u00B2\u00B3\u2074\u2075\u2076\u2077\u2078\u2079";

/**
 * A very small number as text: 2.4e-7 as 2 x 10^-7 in superscripts, 0 as 0.
 * @param {number} value
 */
export function tiny(value) {
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(0).split("e");
  const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "\u207B" : SUPERSCRIPTS[Number(c)])).join("");
  return `${mantissa}\u00D710${raised}`;
}

/** @param {string} base64 */
export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Numbers that Python packed; null stays null.
 * @template {Packed | null} P
 * @param {P} packed
 * @returns {P extends null ? null : Float32Array}
 */
export const numbersOf = (packed) => /** @type {any} */ (packed && unpacked(packed));

/** @param {Packed} packed */
function unpacked(packed) {
  if ("f32" in packed) return new Float32Array(bytesOf(packed.f32).buffer);
  return Float32Array.from(bytesOf(packed.u8), (v) => v * packed.scale);
}

/**
 * The value that a share of the finite numbers lie at or below.
 * @param {Vector} values
 * @param {number} share
 */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

/**
 * Indices of at most `most` of n rows, evenly spread.
 * @param {number} n
 * @param {number} most
 */
export function thin(n, most) {
  const step = Math.max(1, n / most);
  return Int32Array.from({ length: Math.min(n, most) }, (_, i) => Math.floor(i * step));
}

/**
 * Round tick values inside [lo, hi], at most `most` + 1 of them.
 * @param {number} lo
 * @param {number} hi
 */
export function ticks(lo, hi, most = 5) {
  if (!(hi > lo)) return [lo];
  const rough = (hi - lo) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((f) => f * power >= rough * 0.999) ?? 10);
  /** @type {number[]} */
  const out = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k++) out.push(Number((k * step).toPrecision(12)));
  return out;
}
