// Colours, symbols, and what a picture on a canvas needs to know of the page that it is on.

import palette from "../figures/colours.json" with { type: "json" };

/** @import { Role, Theme } from "./types.d.ts" */

/**
 * One meaning each, everywhere in the app.
 * @type {Record<Role, string>}
 */
export const COLOURS = palette.roles;

/**
 * Outlines in a box from -1 to 1, for Path2D on a canvas and for <path d> in a legend.
 * @type {Record<string, string>}
 */
const OUTLINES = {
  circle: "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",
  square: "M-.9,-.9H.9V.9H-.9Z",
  diamond: "M0,-1.25L1.25,0L0,1.25L-1.25,0Z",
  "triangle-up": "M0,-1.1L1.1,.9H-1.1Z",
  cross: "M-.38,-1.1H.38V-.38H1.1V.38H.38V1.1H-.38V.38H-1.1V-.38H-.38Z",
  x: "M-1.05,-.55L-.55,-1.05L0,-.5L.55,-1.05L1.05,-.55L.5,0L1.05,.55L.55,1.05L0,.5L-.55,1.05L-1.05,.55L-.5,0Z",
  star: "M0.00,-1.30L0.31,-0.42L1.24,-0.40L0.49,0.16L0.76,1.05L0.00,0.52L-0.76,1.05L-0.49,0.16L-1.24,-0.40L-0.31,-0.42Z",
  "triangle-down": "M0,1.1L1.1,-.9H-1.1Z",
  pentagon: "M0.00,-1.10L1.05,-0.34L0.65,0.89L-0.65,0.89L-1.05,-0.34Z",
  hexagram:
    "M0.00,-1.25L0.36,-0.62L1.08,-0.62L0.72,0.00L1.08,0.62L0.36,0.62" +
    "L0.00,1.25L-0.36,0.62L-1.08,0.62L-0.72,0.00L-1.08,-0.63L-0.36,-0.62Z",
};

/** A second cue beside the hue, in the same order as in plotly's figures. */
export const SYMBOLS = palette.symbols.map((name) => OUTLINES[name]);

/**
 * The hue of a category. Black turns white on a dark page, where nobody would see it.
 * @param {number} category
 * @param {Theme} theme
 */
export function hueOf(category, theme) {
  const hue = palette.hues[category % palette.hues.length];
  return hue === "#000000" && theme.dark ? "#FFFFFF" : hue;
}

const LEAST_EM = 20; // pixels: the smallest type on a canvas, that of its ticks, has 0.8 em
const PHONE = 640; // pixels: a narrower window is held in the hand, and has no room for larger type

/**
 * Read the theme of the page around a node: the host sets the --dv-... properties.
 * @param {Element} node
 * @returns {Theme}
 */
export function themeOf(node) {
  const style = getComputedStyle(node);
  /** @param {string} name @param {string} otherwise */
  const get = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const background = rgbOf(get("--dv-background-color", "#ffffff"));
  const text = rgbOf(get("--dv-text-color", "#31333f"));
  const dark = background[0] * 0.3 + background[1] * 0.6 + background[2] * 0.1 < 110;
  /** @param {number} share */
  const mixed = (share) => `rgb(${background.map((b, i) => Math.round(b + share * (text[i] - b)))})`;
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  return {
    rem,
    em: globalThis.innerWidth < PHONE ? rem : Math.max(rem, LEAST_EM),
    font: get("--dv-font", "sans-serif"),
    text: mixed(0.92),
    muted: mixed(0.66),
    line: mixed(0.3),
    grid: mixed(0.1),
    background,
    backgroundText: `rgb(${background})`,
    dark,
  };
}

/** @type {CanvasRenderingContext2D | null} */
let probe = null;

/**
 * Any CSS colour as [r, g, b].
 * @param {string} colour
 */
export function rgbOf(colour) {
  probe ??= /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
  probe.fillStyle = "#808080";
  probe.fillStyle = colour;
  const text = probe.fillStyle;
  if (text[0] === "#") return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
  probe.clearRect(0, 0, 1, 1); // rgba, oklch, color(srgb ...): a pixel has it in 0..255
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}

const BELOW = [94, 60, 153]; // purple and orange-brown: distinct in every kind of colour vision
const ABOVE = [214, 96, 0];

/**
 * Purple at -1, the page's background at 0, orange-brown at 1: three numbers into out at p.
 * @param {number} value
 * @param {Theme} theme
 * @param {number[] | Uint8ClampedArray} out
 * @param {number} p
 */
export function diverging(value, theme, out, p) {
  const v = Math.max(-1, Math.min(1, value));
  const end = v < 0 ? BELOW : ABOVE;
  const share = Math.abs(v) ** 0.8;
  for (let k = 0; k < 3; k++) {
    const far = theme.dark ? end[k] + 0.35 * (255 - end[k]) : end[k];
    out[p + k] = theme.background[k] + share * (far - theme.background[k]);
  }
}
