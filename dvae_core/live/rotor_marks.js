// The marks that the rotor draws over its points: the prior's circles, the axes of the other system, names and numbers.

import { COLOURS } from "./theme.js";

/** @import { Theme } from "./types.d.ts" */
/** @import { Plane } from "./plane.js" */

const LABELS_AT = (112 * Math.PI) / 180; // of the circles: between two of the numbered examples

/**
 * The prior at 1, 2 and 3 standard deviations.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Plane} plane
 * @param {Theme} theme
 */
export function priorCircles(ctx, plane, theme) {
  const { em } = theme;
  ctx.lineWidth = 0.11 * em;
  ctx.strokeStyle = theme.text;
  ctx.font = `600 ${0.75 * em}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const sd of [1, 2, 3]) {
    ctx.globalAlpha = 0.8;
    ctx.beginPath();
    const rx = plane.toX(sd) - plane.toX(0);
    const ry = plane.toY(0) - plane.toY(sd);
    ctx.ellipse(plane.toX(0), plane.toY(0), rx, ry, 0, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.globalAlpha = 1;
    const [x, y] = [plane.toX(sd * Math.cos(LABELS_AT)), plane.toY(sd * Math.sin(LABELS_AT))];
    if (sd < 3 && rx < 1.7 * em * sd) continue; // no room: one label names the rest
    const text = `${sd} sd`;
    const w = ctx.measureText(text).width + 0.5 * em;
    ctx.fillStyle = theme.backgroundText;
    ctx.fillRect(x - w / 2, y - 0.5 * em, w, em);
    ctx.fillStyle = theme.text;
    ctx.fillText(text, x, y);
  }
}

/**
 * Arrows from the origin: along (1, 0) and (0, 1) of the other system.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Plane} plane
 * @param {Theme} theme
 * @param {number[][]} columns
 * @param {string[]} names
 */
export function arrows(ctx, plane, theme, columns, names) {
  const { em } = theme;
  for (const [axis, [a, b]] of columns.entries()) {
    const length = Math.hypot(a, b);
    if (length < 1e-6) continue;
    const reach = 2.55 / length;
    const [x0, y0, x1, y1] = [plane.toX(0), plane.toY(0), plane.toX(reach * a), plane.toY(reach * b)];
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const head = 0.75 * em;
    const strokes = /** @type {[string, number][]} */ ([
      [theme.backgroundText, 0.5 * em],
      [COLOURS.latent, 0.26 * em],
    ]);
    for (const [colour, width] of strokes) {
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = width;
      ctx.setLineDash(axis ? [0.7 * em, 0.4 * em] : []);
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1 - head * 0.8 * Math.cos(angle), y1 - head * 0.8 * Math.sin(angle));
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      const grow = colour === COLOURS.latent ? 1 : 1.25;
      ctx.moveTo(x1 + (grow - 1) * head * Math.cos(angle), y1 + (grow - 1) * head * Math.sin(angle));
      ctx.lineTo(x1 - head * grow * Math.cos(angle - 0.5), y1 - head * grow * Math.sin(angle - 0.5));
      ctx.lineTo(x1 - head * grow * Math.cos(angle + 0.5), y1 - head * grow * Math.sin(angle + 0.5));
      ctx.fill();
    }
    outlined(ctx, theme, names[axis], x1 + 0.95 * em * Math.cos(angle), y1 + 0.95 * em * Math.sin(angle));
  }
}

/**
 * A name with a rim that separates it from what is under it.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Theme} theme
 * @param {string} text
 * @param {number} x
 * @param {number} y
 */
export function outlined(ctx, theme, text, x, y) {
  const { em } = theme;
  ctx.font = `700 ${1.05 * em}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 0.3 * em;
  ctx.lineJoin = "round";
  ctx.strokeStyle = theme.backgroundText;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = theme.text;
  ctx.fillText(text, x, y);
}

/**
 * The number of an example, ringed in its hue.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Theme} theme
 * @param {number} x
 * @param {number} y
 * @param {number} place
 * @param {string} hue
 */
export function numberTag(ctx, theme, x, y, place, hue) {
  const { em } = theme;
  ctx.beginPath();
  ctx.arc(x, y, 0.58 * em, 0, 2 * Math.PI);
  ctx.fillStyle = theme.backgroundText;
  ctx.fill();
  ctx.lineWidth = 0.2 * em;
  ctx.strokeStyle = hue;
  ctx.stroke();
  ctx.font = `700 ${0.8 * em}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = theme.text;
  ctx.fillText(String(place + 1), x, y + 0.04 * em);
}
