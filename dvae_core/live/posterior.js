// The distribution of z given x: point at an x to see its exact posterior beside the Gaussians that approximate it.

import { Autoplay } from "./autoplay.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { number, numbersOf } from "./numbers.js";
import { ARROWS, nearestTo, nextFrom, Plane, rangeOf, ring, sprite } from "./plane.js";
import { COLOURS, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { Box, OnChange, PosteriorData, Theme } from "./types.d.ts" */

const CORNERS = 60; // of an ellipse
const DASH = [5, 4];
const INSET = 0.34; // of the panel of x: the side of the square in its corner
const INSET_SIGMAS = 3.2; // to each side in it

/**
 * The ellipse of a Gaussian at some standard deviations, as pairs of numbers.
 * @param {number} x
 * @param {number} y
 * @param {number[]} cov its entries 11, 12 and 22
 * @param {number} sigmas
 */
export function ellipse(x, y, [a, b, c], sigmas) {
  const l11 = Math.sqrt(a);
  const l21 = b / l11;
  const l22 = Math.sqrt(Math.max(0, c - l21 * l21));
  return Float32Array.from({ length: 2 * (CORNERS + 1) }, (_, i) => {
    const turn = (2 * Math.PI * (i >> 1)) / CORNERS;
    const [p, q] = [sigmas * Math.cos(turn), sigmas * Math.sin(turn)];
    return i % 2 ? y + l21 * p + l22 * q : x + l11 * p;
  });
}

/** @extends {View<PosteriorData>} */
export class Posterior extends View {
  // Made by `build`.
  /** @type {Float32Array} */
  mean;
  /** @type {Float32Array | null} */
  x = null;
  /** @type {Float32Array | null} */
  xMean = null;
  /** @type {Plane | null} */
  xPlane = null;
  /** @type {Plane} */
  zPlane;
  /** @type {Plane} */
  near;

  /** @param {HTMLElement} root @param {PosteriorData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("posterior");
    this.row = 0;
    this.place = 0; // on the path
    this.text = "";
    this.legend = element("div", { class: "legend" });
    this.status = element("p", { class: "status", role: "status" });
    const share = () => this.place / Math.max(1, this.data.path.length - 1);
    const goTo = (/** @type {number} */ to) => {
      this.place = Math.round(to * (this.data.path.length - 1));
      this.show(this.data.path[this.place]);
    };
    this.autoplay = new Autoplay(this, { share, goTo }, "a picture");
  }

  /** @param {PosteriorData} data */
  update(data) {
    const text = JSON.stringify({ ...data, autoplay: false });
    if (this.text !== text) {
      this.text = text;
      this.data = data;
      this.row = data.path[0];
      this.build();
    }
    this.lay();
    this.autoplay.follow(data.autoplay);
  }

  build() {
    const { data } = this;
    this.mean = numbersOf(data.mean);
    this.x = numbersOf(data.x);
    this.xMean = numbersOf(data.x_mean);
    this.cov = numbersOf(data.cov);
    this.qMean = numbersOf(data.q_mean);
    this.qCov = numbersOf(data.q_cov);
    this.varDiagonal = numbersOf(data.var_diagonal);
    this.lossQ = numbersOf(data.loss_q);
    this.lossDiagonal = numbersOf(data.loss_diagonal);
    const figures = [];
    if (this.x) {
      this.xPlane = this.planeOf(data.x_names, this.x, "Data x: point at one");
      figures.push(this.figure("Data x: point at one", this.xPlane));
    } else this.xPlane = null;
    const title = `Means of z given ${data.given}`;
    this.zPlane = this.planeOf(["z1", "z2"], this.mean, `${title}: point at one`);
    this.near = new Plane(pictureCanvas("", "near"), { xName: "z1 − mean", yName: "z2 − mean" });
    this.near.range = { x: [-data.reach, data.reach], y: [-data.reach, data.reach] };
    figures.push(this.figure(title, this.zPlane), this.figure(`z given this ${data.given}, enlarged`, this.near));
    const panels = element("div", { class: "panels" }, ...figures);
    this.body.replaceChildren(panels, this.legend, this.status, this.autoplay.hint);
  }

  showLegend() {
    const { data, legend, theme } = this;
    legend.replaceChildren(
      legendEntry("line", theme.text, `exact p(z|${data.given})`),
      legendEntry("line", COLOURS.latent, data.q_name),
      legendEntry("line", COLOURS.bad, "diagonal q (dashed)"),
      ...(data.x_cov ? [legendEntry("line", COLOURS.reconstruction, "p(x|z) = N(μx, Σx), enlarged in the corner")] : []),
    );
  }

  /**
   * A plane of points that can be pointed at.
   * @param {string[]} names
   * @param {Float32Array} pairs
   * @param {string} label
   */
  planeOf([xName, yName], pairs, label) {
    const canvas = pictureCanvas(label);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    const plane = new Plane(canvas, { xName, yName });
    plane.range = rangeOf(pairs);
    const point = (/** @type {PointerEvent} */ event) => {
      const { left, top } = canvas.getBoundingClientRect();
      this.autoplay.end(false);
      this.show(nearestTo(plane, pairs, event.clientX - left, event.clientY - top));
    };
    canvas.addEventListener("pointermove", (event) => event.pointerType === "touch" || point(event));
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("keydown", (event) => {
      const direction = ARROWS[event.key];
      if (!direction) return;
      event.preventDefault();
      event.stopPropagation(); // an arrow key here is not one for the page
      this.show(nextFrom(plane, pairs, this.row, direction));
    });
    return plane;
  }

  /** @param {string} title @param {Plane} plane */
  figure(title, plane) {
    return element("figure", {}, element("h3", { textContent: title }), plane.canvas);
  }

  /** @param {number} row */
  show(row) {
    if (row < 0 || row === this.row) return;
    this.row = row;
    this.describe();
    this.request();
  }

  describe() {
    const { row, cov, lossQ, lossDiagonal } = this;
    if (!cov || !lossQ || !lossDiagonal) return;
    const [a, b, c] = cov.subarray(3 * row, 3 * row + 3);
    const correlation = number(b / Math.sqrt(a * c));
    this.status.textContent =
      `Here z1 and z2 correlate by ${correlation}. ` +
      `A diagonal q loses ${number(lossDiagonal[row])} nats of the bound, ${this.data.q_name} ${number(lossQ[row])}.`;
    this.near.canvas.setAttribute("aria-label", this.status.textContent);
  }

  lay() {
    this.theme = themeOf(this.root);
    const { theme } = this;
    const points = (/** @type {Plane | null} */ plane, /** @type {Float32Array | null} */ pairs, /** @type {string} */ colour) => {
      if (!plane || !pairs) return;
      const rows = Array.from({ length: pairs.length / 2 }, (_, k) => k);
      plane.lay(theme, (ctx) => plane.stamp(ctx, pairs, rows, sprite(0, colour, 0.22 * theme.rem, 0.6)));
    };
    points(this.xPlane, this.x, COLOURS.data);
    points(this.zPlane, this.mean, theme.muted);
    this.near.lay(theme);
    this.showLegend();
    this.describe();
    this.request();
  }

  /** @param {number} now */
  draw(now) {
    if (this.closed) return;
    const isPlaying = this.autoplay.step(now);
    const began = performance.now();
    const { row, theme, mean, x } = this;
    if (this.xPlane?.isLaid && x) {
      const ctx = this.xPlane.begin();
      ring(ctx, this.xPlane, x[2 * row], x[2 * row + 1], theme);
      this.noise(ctx, this.xPlane, x[2 * row], x[2 * row + 1]);
      this.xPlane.end();
    }
    if (this.zPlane.isLaid) this.gaussians(this.zPlane, theme, mean[2 * row], mean[2 * row + 1]);
    if (this.near.isLaid) this.gaussians(this.near, theme, 0, 0);
    this.countFrame(performance.now() - began);
    if (isPlaying) this.request();
  }

  /**
   * The Gaussian of x given z, in its place, and enlarged in a corner with the x that is pointed at.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   * @param {number} x
   * @param {number} y
   */
  noise(ctx, plane, x, y) {
    const { theme, xMean, row } = this;
    const cov = this.data.x_cov;
    if (!xMean || !cov) return;
    const [mx, my] = [xMean[2 * row], xMean[2 * row + 1]];
    const colour = COLOURS.reconstruction;
    plane.curve(ctx, ellipse(mx, my, cov, 2), colour, 0.13 * theme.rem);
    const inset = new Plane(plane.canvas, {});
    inset.box = this.corner(plane, plane.toX(x), plane.toY(y));
    const side = inset.box.w;
    const reach = INSET_SIGMAS * Math.sqrt(Math.max(cov[0], cov[2]));
    inset.range = { x: [mx - reach, mx + reach], y: [my - reach, my + reach] };
    ctx.save();
    inset.clip(ctx);
    ctx.fillStyle = theme.backgroundText;
    ctx.fillRect(inset.box.x, inset.box.y, side, side);
    for (const sigmas of [1, 2]) inset.curve(ctx, ellipse(mx, my, cov, sigmas), colour, 0.16 * theme.rem);
    inset.dot(ctx, x, y, 0.3 * theme.rem, COLOURS.data, theme);
    ctx.restore();
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(inset.box.x, inset.box.y, side, side);
  }

  /**
   * The corner for the inset: not over the x at (left, top) in pixels, and otherwise over as few points as can be.
   * @param {Plane} plane
   * @param {number} left
   * @param {number} top
   */
  corner(plane, left, top) {
    const { box } = plane;
    const side = INSET * Math.min(box.w, box.h);
    const boxes = [box.x + box.w - side, box.x].flatMap((x) => [box.y, box.y + box.h - side].map((y) => ({ x, y, w: side, h: side })));
    const pairs = /** @type {Float32Array} */ (this.x);
    /** @param {Box} at @param {number} px @param {number} py @param {number} near */
    const covers = ({ x, y, w, h }, px, py, near) => px > x - near && px < x + w + near && py > y - near && py < y + h + near;
    const crowd = (/** @type {Box} */ at) =>
      pairs.filter((v, i) => i % 2 === 0 && covers(at, plane.toX(v), plane.toY(pairs[i + 1]), 0)).length;
    const free = boxes.filter((at) => !covers(at, left, top, this.theme.rem));
    return free.reduce((best, at) => (crowd(at) < crowd(best) ? at : best));
  }

  /**
   * The Gaussians of the chosen example, with the exact mean at (x, y).
   * @param {Plane} plane
   * @param {Theme} theme
   * @param {number} x
   * @param {number} y
   */
  gaussians(plane, theme, x, y) {
    const { row, mean, cov, qMean, qCov, varDiagonal } = this;
    if (!cov || !qMean || !qCov || !varDiagonal) return;
    const ctx = plane.begin();
    const three = (/** @type {Float32Array} */ of) => [...of.subarray(3 * row, 3 * row + 3)];
    const [qx, qy] = [x + qMean[2 * row] - mean[2 * row], y + qMean[2 * row + 1] - mean[2 * row + 1]];
    const diagonal = [varDiagonal[2 * row], 0, varDiagonal[2 * row + 1]];
    for (const sigmas of [1, 2]) {
      plane.curve(ctx, ellipse(x, y, three(cov), sigmas), theme.text, 0.26 * theme.rem);
      plane.curve(ctx, ellipse(qx, qy, three(qCov), sigmas), COLOURS.latent, 0.13 * theme.rem);
      plane.curve(ctx, ellipse(x, y, diagonal, sigmas), COLOURS.bad, 0.15 * theme.rem, DASH);
    }
    plane.end();
  }
}

export const mount = mountOf(Posterior);
