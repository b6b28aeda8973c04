// One decoded x on a canvas: a picture, a point in the plane, or bars.

import { Bitmap, drawBars } from "./draw.js";
import { captioned, pictureCanvas } from "./elements.js";
import { isCounts, thin } from "./numbers.js";
import { PICK_REM } from "./pad.js";
import { nearestTo, Plane, sprite } from "./plane.js";
import { outlined } from "./rotor_marks.js";
import { COLOURS } from "./theme.js";

/** @import { Display, Vector } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

export const CURVE_POINTS = 61;
const NAMES = { picture: "Picture", plane: "Point in the plane", bars: "Bars" };

/** @implements {Display} */
export class Screen {
  /**
   * @param {Explorer} view
   * @param {{ member?: number | null, through?: ((z: Vector) => Vector) | null, isSmall?: boolean, name?: string }} look
   *   member null follows the view's; through is a map in front of the decoder; a small plane has neither axes nor names
   */
  constructor(view, { member = null, through = null, isSmall = false, name = "" } = {}) {
    this.view = view;
    this.member = member;
    this.through = through;
    this.isSmall = isSmall;
    this.name = name;
    const { data, kind, names } = view;
    this.node = pictureCanvas("Decoded x", isSmall ? "main small" : "main");
    this.x = new Float32Array(data.d_x);
    this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
    if (data.x_shape) this.node.style.aspectRatio = `${data.x_shape[1]} / ${data.x_shape[0]}`;
    const look = isSmall ? { bare: true } : { xName: names[0], yName: names[1] };
    this.plane = kind === "plane" ? new Plane(this.node, look) : null;
    if (this.plane && data.paired && !isSmall && !through) this.listen(this.plane);
  }

  /**
   * A click on a data point moves z to its encoding.
   * @param {Plane} plane
   */
  listen(plane) {
    const { view } = this;
    this.node.addEventListener("click", ({ offsetX, offsetY }) => {
      if (!view.background) return;
      const row = nearestTo(plane, view.background, offsetX, offsetY, PICK_REM * view.theme.rem);
      if (row >= 0) view.pick(row);
    });
  }

  /** @param {Vector} z */
  decode(z, out = this.x) {
    return this.view.decode(this.through ? this.through(z) : z, out, this.member);
  }

  /** @param {string} where */
  describe(where) {
    const name = this.name ? `${this.name}: ` : "";
    this.node.setAttribute("aria-label", `${name}${NAMES[this.view.kind]} decoded from ${where}`);
  }

  /** Paint what stays while z moves: axes, data, the example. */
  lay() {
    const { plane, view, isSmall } = this;
    if (!plane || !view.scale) return;
    const { background, reference, theme } = view;
    const { rem } = theme;
    plane.range = view.scale.range;
    plane.lay(theme, (ctx) => {
      const [radius, most] = isSmall ? [0.09, 800] : [0.14, 5000];
      if (background) {
        const point = sprite(0, COLOURS.data, radius * rem, theme.dark ? 0.5 : 0.3);
        plane.stamp(ctx, background, thin(background.length / 2, most), point);
      }
      for (const { x } of view.mode.marked()) plane.cross(ctx, x[0], x[1], 0.5 * rem, COLOURS.data, theme);
      if (reference) plane.cross(ctx, reference[0], reference[1], (isSmall ? 0.35 : 0.5) * rem, COLOURS.data, theme);
    });
  }

  draw() {
    if (this.bitmap) this.bitmap.show(this.x).fill(this.node);
    else if (this.plane) this.drawPoint(this.plane);
    else this.drawBars();
  }

  /** @param {Plane} plane */
  drawPoint(plane) {
    const { x, view, isSmall } = this;
    if (!plane.isLaid) return;
    const { theme } = view;
    const ctx = plane.begin();
    const curve = curveOf(
      (z, out) => this.decode(z, out),
      (share) => view.mode.walkAt(share),
    );
    plane.curve(ctx, curve, COLOURS.latent, (isSmall ? 0.16 : 0.22) * theme.rem);
    for (const { letter, x: at } of view.mode.marked()) {
      outlined(ctx, theme, letter, plane.toX(at[0]) + theme.rem, plane.toY(at[1]) - 0.8 * theme.rem); // above the line
    }
    plane.dot(ctx, x[0], x[1], (isSmall ? 0.34 : 0.55) * theme.rem, COLOURS.reconstruction, theme);
    plane.end();
  }

  drawBars() {
    const { node, x, view } = this;
    const { scale, theme, reference, names, data } = view;
    if (!scale) return;
    const [unit, indexName] = isCounts(data) ? ["rate, counts per bin", "neuron"] : ["E[x|z]", "dimension of x"];
    const colour = COLOURS.reconstruction;
    drawBars(node, theme, { x, reference, names, limits: scale.limits, colour, unit, indexName });
  }
}

/**
 * The curve that x sweeps along a walk: (x0, y0, x1, y1 ...).
 * @param {(z: Vector, out: Float32Array<ArrayBuffer>) => Float32Array} decode
 * @param {(share: number) => Vector} walkAt
 */
export function curveOf(decode, walkAt) {
  const pairs = new Float32Array(2 * CURVE_POINTS);
  const x = new Float32Array(2);
  for (let k = 0; k < CURVE_POINTS; k++) pairs.set(decode(walkAt(k / (CURVE_POINTS - 1)), x), 2 * k);
  return pairs;
}

/** A given picture beside the decoded one, or a difference; planes and bars mark the example in place. */
export class Given {
  /** @param {Explorer} view @param {string} name @param {string} text */
  constructor(view, name, text) {
    const [height, width] = view.data.x_shape ?? [1, 1];
    this.view = view;
    this.bitmap = new Bitmap(view.data.x_shape ?? [1, 1]);
    this.canvas = pictureCanvas(name, "side");
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.node = captioned(this.canvas, text);
  }

  /** @param {Vector} x */
  show(x) {
    this.bitmap.show(x).fill(this.canvas);
  }

  /** @param {Vector} a @param {Vector} b */
  showDifference(a, b) {
    this.bitmap.showDifference(a, b, 0.5, this.view.theme).fill(this.canvas);
  }
}
