// Two latents as a plane with the encoded data in it. In the pad, drag anywhere, or click a data point to go to its posterior
// mean in all latents; in the map, beside the sliders, click only.

import { element, legendEntry, pictureCanvas } from "./elements.js";
import { number } from "./numbers.js";
import { ARROWS, grown, nearestTo, nextFrom, Plane, rangeOf, ring, sprite, within } from "./plane.js";
import { COLOURS, hueOf } from "./theme.js";

/** @import { Range } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */
/** @typedef {{ symbol: number, colour: string, name: string }} Mark */

const CLICK_PX = 4; // a press that moved less is a click
export const PICK_REM = 0.8;
const MOST_LISTED = 12; // values of u in the legend

class LatentPlane {
  /**
   * @param {Explorer} view
   * @param {{ className: string, role: string, name: string, hint: string, help: string, pointRem: number, dotRem: number,
   *   hidesAxes: boolean }} look
   */
  constructor(view, look) {
    this.view = view;
    this.look = look;
    const { latents } = view.data;
    this.axes = [latents[0].index, latents[1].index];
    this.at = -1; // the data point that the keyboard is at
    this.pairs = new Float32Array(0);
    this.canvas = pictureCanvas("", "padded");
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", look.role);
    this.canvas.tabIndex = 0;
    this.plane = new Plane(this.canvas, { left: 2.6, bottom: 2.6 });
    this.value = element("output", { class: "value" });
    this.selects = ["across", "up"].map((way, a) => this.axisSelect(way, a));
    const labels = ["Across", "Up"].map((textContent, a) => element("label", {}, element("span", { textContent }), this.selects[a]));
    this.legend = element("div", { class: "legend" });
    const axes = element("div", { class: "axes", hidden: look.hidesAxes }, ...labels, this.value);
    const below = view.cloud ? [this.legend, element("p", { class: "hint", textContent: look.hint })] : [];
    this.node = element("div", { class: look.className }, axes, this.canvas, ...below);
    this.listen();
  }

  /** @param {string} way @param {number} a */
  axisSelect(way, a) {
    const options = this.view.data.latents.map(({ index, label, dead }) =>
      element("option", { value: index, textContent: dead ? `${label}, dead` : label }),
    );
    const select = element("select", { "aria-label": `Latent ${way}` }, ...options);
    select.value = String(this.axes[a]);
    select.addEventListener("change", () => this.choose(a, Number(select.value)));
    return select;
  }

  /**
   * Put latent i on axis a; if the other axis has it, they change places.
   * @param {number} a
   * @param {number} i
   */
  choose(a, i) {
    if (this.axes[1 - a] === i) this.axes[1 - a] = this.axes[a];
    this.axes[a] = i;
    for (const [k, select] of this.selects.entries()) select.value = String(this.axes[k]);
    this.lay();
    this.view.request();
  }

  listen() {}

  /**
   * Ring a data point, -1 for none.
   * @param {number} row
   */
  ringAt(row) {
    if (this.at === row) return;
    this.at = row;
    const { data } = this.view;
    const u = row >= 0 && data.hues ? `, ${data.hue_labels[data.hues[row]]}` : "";
    const where = `at ${number(this.pairs[2 * row])}, ${number(this.pairs[2 * row + 1])}${u}`;
    if (row >= 0) this.canvas.setAttribute("aria-description", where);
    this.view.request();
  }

  /** Where z is on the canvas. */
  get place() {
    const [i, j] = this.axes;
    return /** @type {const} */ ([this.plane.toX(this.view.z[i]), this.plane.toY(this.view.z[j])]);
  }

  /** The data point nearest to a place, -1 where there is none. */
  nearest(x = 0, y = 0, most = PICK_REM * this.view.theme.rem) {
    return nearestTo(this.plane, this.pairs, x, y, most);
  }

  /** Colour and symbol of the points by their u; data blue without one. @returns {Mark[]} */
  marks() {
    const { data, theme } = this.view;
    if (!data.hues) return [{ symbol: 0, colour: COLOURS.data, name: "data" }];
    const ramp = theme.dark
      ? [
          [38, 92, 140],
          [206, 236, 255],
        ]
      : [
          [130, 200, 240],
          [0, 42, 84],
        ];
    const last = Math.max(1, data.hue_labels.length - 1);
    const shade = (/** @type {number} */ k) => `rgb(${ramp[0].map((v, c) => Math.round(v + (k / last) * (ramp[1][c] - v)))})`;
    return data.hue_labels.map((name, k) =>
      data.hues_ordered ? { symbol: 0, colour: shade(k), name } : { symbol: k, colour: hueOf(k, theme), name },
    );
  }

  /**
   * The range of the axes.
   * @param {number} i
   * @param {number} j
   * @returns {Range}
   */
  room(i, j) {
    const { lo, hi } = this.view.data;
    const side = (/** @type {number} */ k) =>
      /** @type {[number, number]} */ ([lo[k] - 0.04 * (hi[k] - lo[k]), hi[k] + 0.04 * (hi[k] - lo[k])]);
    return { x: side(i), y: side(j) };
  }

  lay() {
    const { cloud, data, theme } = this.view;
    const [i, j] = this.axes;
    const n = cloud ? cloud.length / data.d_z : 0;
    this.pairs = new Float32Array(2 * n);
    for (let k = 0; cloud && k < n; k++) this.pairs.set([cloud[k * data.d_z + i], cloud[k * data.d_z + j]], 2 * k);
    this.plane.range = this.room(i, j);
    this.plane.xName = this.view.labelOf(i);
    this.plane.yName = this.view.labelOf(j);
    const axes = `${this.plane.xName} across, ${this.plane.yName} up`;
    this.canvas.setAttribute("aria-label", `${this.look.name}: ${axes}. ${this.look.help}`);
    const marks = this.marks();
    const alpha = data.hues ? 0.75 : theme.dark ? 0.65 : 0.45;
    this.plane.lay(theme, (ctx) => {
      for (const [k, { symbol, colour }] of marks.entries()) {
        const rows = Array.from({ length: n }, (_, row) => row).filter((row) => !data.hues || data.hues[row] === k);
        this.plane.stamp(ctx, this.pairs, rows, sprite(symbol, colour, this.look.pointRem * theme.rem, alpha));
      }
    });
    const isListed = data.hues && marks.length <= MOST_LISTED;
    const entries = isListed ? marks.map(({ symbol, colour, name }) => legendEntry(symbol, colour, name)) : [];
    this.legend.replaceChildren(...entries);
  }

  draw() {
    if (!this.plane.isLaid) return;
    const { theme, z } = this.view;
    const { x, y, w, h } = this.plane.box;
    const [i, j] = this.axes;
    const [atX, atY] = this.place;
    const ctx = this.plane.begin();
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.1 * theme.rem;
    ctx.beginPath();
    ctx.moveTo(atX, y);
    ctx.lineTo(atX, y + h);
    ctx.moveTo(x, atY);
    ctx.lineTo(x + w, atY);
    ctx.stroke();
    this.plane.dot(ctx, z[i], z[j], this.look.dotRem * theme.rem, COLOURS.latent, theme);
    if (this.at >= 0) ring(ctx, this.plane, this.pairs[2 * this.at], this.pairs[2 * this.at + 1], theme);
    this.plane.end();
    const text = `${this.view.labelOf(i)} = ${number(z[i])}, ${this.view.labelOf(j)} = ${number(z[j])}`;
    if (this.value.textContent !== text) this.value.textContent = text;
  }
}

export class Pad extends LatentPlane {
  /** @param {Explorer} view */
  constructor(view) {
    super(view, {
      className: "pad",
      role: "2-D pad",
      name: "Pad",
      hint: "Points: held-out data, encoded. Click a point to go to it, in all latents.",
      help: "Arrow keys move; Enter goes to the nearest data point.",
      pointRem: 0.15,
      dotRem: 0.6,
      hidesAxes: false,
    });
  }

  listen() {
    const { canvas, view } = this;
    /** @type {{ x: number, y: number, moved: boolean } | null} */
    let press = null;
    const go = (/** @type {PointerEvent} */ { offsetX, offsetY }) => this.goTo(this.plane.fromX(offsetX), this.plane.fromY(offsetY));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      press = { x: event.offsetX, y: event.offsetY, moved: false };
      go(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!press) return;
      press.moved ||= Math.hypot(event.offsetX - press.x, event.offsetY - press.y) >= CLICK_PX;
      go(event);
      view.sendLater();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!press) return;
      const row = press.moved ? -1 : this.nearest(event.offsetX, event.offsetY);
      press = null;
      if (row >= 0) view.pick(row);
      else view.send();
    });
    canvas.addEventListener("pointercancel", () => {
      press = null;
    });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { view } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") {
      const row = this.nearest(...this.place, Number.POSITIVE_INFINITY);
      if (row >= 0) view.pick(row);
    } else if (ARROWS[event.key]) {
      const unit = event.shiftKey ? 0.01 : 0.1;
      const [x, y] = this.axes.map((i, a) => {
        const way = ARROWS[event.key][a];
        return way ? (Math.round(view.z[i] / unit) + way) * unit : view.z[i];
      });
      this.goTo(x, y);
      view.sendLater();
    } else return;
    event.preventDefault();
  }

  /** @param {number} x @param {number} y */
  goTo(x, y) {
    const { lo, hi } = this.view.data;
    const inside = [x, y].map((v, a) => Math.max(lo[this.axes[a]], Math.min(hi[this.axes[a]], v)));
    this.view.move(this.axes[1], inside[1]);
    this.view.move(this.axes[0], inside[0]);
  }
}

/** The map beside the sliders: a click, or Enter at the point that the arrow keys have reached, moves the sliders there. */
export class LatentMap extends LatentPlane {
  /** @param {Explorer} view */
  constructor(view) {
    super(view, {
      className: "map",
      role: "latent scatter",
      name: "Map of the latents",
      hint: "Held-out data, encoded. Click a point: the sliders go there.",
      help: "Arrow keys go from point to point; Enter moves the sliders there.",
      pointRem: 0.17,
      dotRem: 0.42,
      hidesAxes: view.data.latents.length === 2,
    });
  }

  /**
   * Of the points, and of z where that lies outside.
   * @param {number} i
   * @param {number} j
   */
  room(i, j) {
    const { z } = this.view;
    return grown(rangeOf(this.pairs), z[i], z[j]);
  }

  draw() {
    const [i, j] = this.axes;
    if (this.plane.isLaid && !within(this.plane.range, this.view.z[i], this.view.z[j])) this.lay();
    super.draw();
  }

  listen() {
    const { canvas, view } = this;
    canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      const row = this.nearest(offsetX, offsetY, 1.5 * PICK_REM * view.theme.rem);
      if (row >= 0) view.pick(row);
    });
    canvas.addEventListener("blur", () => this.ringAt(-1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const way = ARROWS[event.key];
      if (event.key === "Enter" && this.at >= 0) view.pick(this.at);
      else if (way && this.at < 0) this.ringAt(this.nearest(...this.place, Number.POSITIVE_INFINITY));
      else if (way) this.ringAt(nextFrom(this.plane, this.pairs, this.at, way));
      else return;
      event.preventDefault();
    });
  }
}
