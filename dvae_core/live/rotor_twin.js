// The data panel of a rotor and the strips under it: x = f(M^T z~), decoded anew at every angle.

import { decodeInto } from "./decode.js";
import { Bitmap, fit, Heat, heatScale, kindOf, namesOf, STEPS } from "./draw.js";
import { element, pictureCanvas } from "./elements.js";
import { minus, numbersOf, short, thin, tiny } from "./numbers.js";
import { Plane, rangeOf, sprite } from "./plane.js";
import { apply, applyTransposed } from "./rotation.js";
import { numberTag, outlined } from "./rotor_marks.js";
import { TILDE } from "./rotor_points.js";
import { COLOURS, hueOf } from "./theme.js";
import { pump } from "./view.js";

/** @import { Shade, Theme, Vector } from "./types.d.ts" */
/** @import { Rotor } from "./rotor.js" */

/** @typedef {{ axis: number, step: number, stale: boolean }} Step one step of the strip along an axis */
/** @typedef {{ k: number, place: number, stale: boolean, x: Float64Array }} Example and its x at angle 0 */
/** @typedef {{ name: string, canvas: HTMLCanvasElement, cells: Step[], heat: Heat | null }} Strip */

const BUDGET_MS = 6; // of one display frame, for pictures decoded anew while turning
const CHECKED = 64; // points whose x is decoded through the twin at every angle
const ACROSS = 3; // pictures in a row of the data panel
const CURVE_POINTS = 61;
const CAPTIONS = {
  plane: "the points do not move",
  picture: "the pictures do not change",
  bars: "the rows do not change",
};

export class TwinPanels {
  /** @param {Rotor} rotor */
  constructor(rotor) {
    const { data, points, tildes } = rotor;
    this.rotor = rotor;
    this.data = data;
    this.points = points;
    this.tildes = tildes;
    this.kind = kindOf(data);
    this.pumping = { cursor: 0 };
    this.worst = 0; // largest change of any x since the last turn
    this.canvas = pictureCanvas("");
    this.check = element("p", { class: "check" });
    this.caption = CAPTIONS[this.kind];
    const [xName, yName] = namesOf(data, data.x_names);
    this.plane = this.kind === "plane" ? new Plane(this.canvas, { xName, yName }) : null;
    /** @type {Float32Array} x of the points, in the plane */
    this.pairs = new Float32Array(0);
    this.thumb = new Plane(element("canvas"), { bare: true }); // a small picture of them, copied under each step
    this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
    this.shown = this.plane ? [] : points.spread(); // rows that the panel shows as pictures or heat columns
    this.heat = this.kind === "bars" ? new Heat(this.shown.length, data.d_x) : null;
    /** @type {(theme: Theme) => Shade} */
    this.heatOf = () => () => {};
    /** @type {Example[]} */
    this.examples = [];
    /** @type {{ k: number, x: Float64Array }[]} Points whose x is compared at every angle. */
    this.checked = [];
    /** @type {Strip[]} */
    this.strips = data.strips ? tildes.map((name, axis) => this.strip(name, axis)) : [];
  }

  get theme() {
    return this.rotor.theme;
  }

  /** @param {string} name @param {number} axis @returns {Strip} */
  strip(name, axis) {
    const cells = Array.from({ length: STEPS }, (_, step) => ({ axis, step, stale: true }));
    return { name, canvas: pictureCanvas(""), cells, heat: this.kind === "bars" ? new Heat(STEPS, this.data.d_x) : null };
  }

  /** The strips with their heading. */
  section() {
    const grid = element("div", { class: "strips" });
    for (const { name, canvas } of this.strips) grid.append(element("span", { class: "name", textContent: name }), canvas);
    const reach = short(this.data.reach);
    const ends = [minus(-this.data.reach), "0", reach].map((textContent) => element("span", { textContent }));
    grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...ends));
    const heading = element("h3", { textContent: `What ${this.tildes[0]} and ${this.tildes[1]} mean` });
    const textContent = `x = f(M\u1D40${TILDE}) along each rotated latent, through the prior mean: this does change with the angle`;
    const caption = element("p", { class: "caption", textContent });
    return element("section", { class: "walks", "aria-label": "Traversals of the rotated latents" }, heading, caption, grid);
  }

  /**
   * In float64, so that the largest change of x is what arithmetic leaves and not what float32 rounds away.
   * @param {Vector} z
   */
  decode(z) {
    return decodeInto(this.rotor.decoder, this.rotor.member, z, new Float64Array(this.data.d_x));
  }

  /**
   * x of the rotated twin: f(M^T z~).
   * @param {Vector} tilde
   */
  decodeTwin(tilde) {
    return this.decode(applyTransposed(this.rotor.M, tilde));
  }

  /** Decode everything anew: the angle has changed. */
  stale() {
    for (const { cells } of this.strips) for (const cell of cells) cell.stale = true;
    for (const example of this.examples) example.stale = true;
    this.worst = 0;
  }

  /** @param {string} turned */
  describe(turned) {
    const text = this.plane
      ? "Scatter of the data, the same at every angle, with the curves that the rotated latents sweep"
      : "Examples decoded from the rotated latents, the same at every angle";
    this.canvas.setAttribute("aria-label", text);
    for (const { name, canvas } of this.strips) {
      canvas.setAttribute("aria-label", `x decoded at ${STEPS} values of ${name} after a rotation by ${turned}`);
    }
  }

  /** Decode the examples at angle 0, once per decoder and member. */
  survey() {
    const { data } = this;
    this.checked = Array.from(thin(this.points.n, CHECKED), (k) => ({ k, x: this.decode(this.points.latentOf(k)) }));
    if (this.plane) {
      this.pairs = numbersOf(data.x_points) ?? this.decodedPairs();
      this.plane.range = rangeOf(this.pairs, 0.1);
    } else {
      this.examples = this.shown.map((k, place) => ({ k, place, stale: true, x: this.decode(this.points.latentOf(k)) }));
      const samples = this.heat ? this.checked.map(({ x }) => x) : [];
      this.heatOf = heatScale(data, samples, this.decode(new Float64Array(data.d_z)));
    }
    this.stale();
  }

  decodedPairs() {
    const pairs = new Float32Array(2 * this.points.n);
    for (let k = 0; k < this.points.n; k++) pairs.set(this.decode(this.points.latentOf(k)), 2 * k);
    return pairs;
  }

  lay() {
    const { theme, kind, plane, canvas: shown } = this;
    if (plane) plane.lay(theme, (ctx) => this.rotor.cloud(ctx, plane, this.pairs));
    else fit(shown)?.clearRect(0, 0, shown.clientWidth, shown.clientHeight);
    for (const { canvas } of this.strips) {
      const cell = canvas.clientWidth / STEPS - this.gap;
      const [rows, columns] = this.data.x_shape ?? [1, 1.15];
      canvas.style.height = kind === "bars" ? "" : `${(cell * rows) / columns}px`;
      fit(canvas)?.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    }
    this.thumb.isLaid = false;
    if (plane && this.strips.length) this.layThumb(plane);
    this.stale();
  }

  get gap() {
    return 0.16 * this.theme.rem;
  }

  /**
   * The cloud in the size of one step, painted once.
   * @param {Plane} plane
   */
  layThumb(plane) {
    const { canvas } = this.strips[0];
    const [w, h] = [canvas.clientWidth / STEPS - this.gap, canvas.clientHeight];
    if (!(w > 4 && h > 4)) return;
    const { thumb } = this;
    const ctx = fit(thumb.canvas, w, h);
    if (!ctx) return;
    thumb.range = plane.range;
    thumb.box = { x: 0.5, y: 0.5, w: w - 1, h: h - 1 };
    thumb.isLaid = true;
    ctx.clearRect(0, 0, w, h);
    thumb.axes(ctx, this.theme);
    thumb.stamp(ctx, this.pairs, thin(this.points.n, 600), sprite(0, COLOURS.reference, 0.07 * this.theme.rem, 0.6));
  }

  draw() {
    if (this.plane) {
      for (const { k, x } of this.checked) this.compare(this.decodeTwin(apply(this.rotor.M, this.points.latentOf(k))), x);
      this.drawCurves(this.plane);
    }
    /** @type {(Step | Example)[]} */
    const jobs = [...this.strips.flatMap(({ cells }) => cells), ...this.examples];
    const work = (/** @type {Step | Example} */ job) => ("axis" in job ? this.drawStep(job) : this.drawExample(job));
    const areLeft = pump(jobs, this.pumping, BUDGET_MS, work);
    for (const { heat, canvas } of this.strips) {
      const ctx = heat && fit(canvas);
      if (ctx) heat.paint(ctx, 0, 0, canvas.clientWidth, canvas.clientHeight);
    }
    if (this.heat) this.drawRows(this.heat);
    if (areLeft) this.rotor.request();
    else this.check.textContent = `largest change of any x: ${tiny(this.worst)}`;
  }

  /**
   * The curves that x follows along each of the rotated latents.
   * @param {Plane} plane
   */
  drawCurves(plane) {
    const { theme, tildes, data } = this;
    const { rem } = theme;
    const { box } = plane;
    const ctx = plane.begin();
    for (const [axis, name] of tildes.entries()) {
      const pairs = new Float32Array(2 * CURVE_POINTS);
      const half = (CURVE_POINTS - 1) / 2;
      for (let k = 0; k < CURVE_POINTS; k++) pairs.set(this.alongAxis(axis, ((k - half) / half) * data.reach), 2 * k);
      plane.curve(ctx, pairs, theme.backgroundText, 0.5 * rem);
      plane.curve(ctx, pairs, COLOURS.latent, 0.28 * rem, axis ? [0.7 * rem, 0.45 * rem] : []);
      const [x, y] = [plane.toX(pairs[2 * CURVE_POINTS - 2]), plane.toY(pairs[2 * CURVE_POINTS - 1])];
      const inside = [
        Math.max(box.x + rem, Math.min(box.x + box.w - rem, x)),
        Math.max(box.y + rem, Math.min(box.y + box.h - rem, y - 0.9 * rem)),
      ];
      outlined(ctx, theme, name, inside[0], inside[1]);
    }
    plane.end();
  }

  /** @param {Vector} x @param {Vector} first */
  compare(x, first) {
    for (let k = 0; k < x.length; k++) {
      const change = Math.abs(x[k] - first[k]);
      if (change > this.worst) this.worst = change;
    }
  }

  /**
   * x of the twin at one value of a rotated latent, the others 0.
   * @param {number} axis
   * @param {number} value
   */
  alongAxis(axis, value) {
    const tilde = new Float64Array(this.data.d_z);
    tilde[axis ? this.points.j : this.points.i] = value;
    return this.decodeTwin(tilde);
  }

  /** @param {Step} job */
  drawStep({ axis, step }) {
    const { canvas, heat } = this.strips[axis];
    const x = this.alongAxis(axis, ((step - (STEPS - 1) / 2) / ((STEPS - 1) / 2)) * this.data.reach);
    if (heat) {
      heat.column(step, x, this.heatOf(this.theme));
      return;
    }
    const ctx = fit(canvas);
    if (!ctx) return;
    const width = canvas.clientWidth / STEPS;
    const box = { x: step * width + this.gap / 2, y: 0, w: width - this.gap, h: canvas.clientHeight };
    if (this.bitmap) this.bitmap.show(x).paint(ctx, box.x, box.y, box.w, box.h);
    else if (this.thumb.isLaid) {
      ctx.clearRect(box.x - 0.5, 0, box.w + 1, box.h);
      ctx.drawImage(this.thumb.canvas, box.x, 0, box.w, box.h);
      ctx.save();
      ctx.translate(box.x, 0);
      this.thumb.clip(ctx);
      const { range } = this.thumb;
      const inside = [range.x, range.y].map(([lo, hi], a) => Math.max(lo, Math.min(hi, x[a])));
      this.thumb.dot(ctx, inside[0], inside[1], 0.42 * this.theme.rem, COLOURS.reconstruction, this.theme);
      ctx.restore();
    }
  }

  /**
   * An example through the twin; it is the same picture at every angle, and that is the point.
   * @param {Example} job
   */
  drawExample({ k, place, x: first }) {
    const x = this.decodeTwin(apply(this.rotor.M, this.points.latentOf(k)));
    this.compare(x, first);
    if (this.heat) {
      this.heat.column(place, x, this.heatOf(this.theme));
      return;
    }
    const ctx = fit(this.canvas);
    if (!ctx || !this.bitmap) return;
    const { rem } = this.theme;
    const { width: columns, height: rows } = this.bitmap;
    const down = Math.ceil(this.shown.length / ACROSS);
    const [w, h] = [ctx.canvas.clientWidth / ACROSS, ctx.canvas.clientHeight / down];
    const scale = Math.min((w - 0.8 * rem) / columns, (h - 0.8 * rem) / rows);
    const [cx, cy] = [(place % ACROSS) * w + w / 2, Math.floor(place / ACROSS) * h + h / 2];
    const [pw, ph] = [scale * columns, scale * rows];
    ctx.clearRect((place % ACROSS) * w, Math.floor(place / ACROSS) * h, w, h);
    this.bitmap.show(x).paint(ctx, cx - pw / 2, cy - ph / 2, pw, ph);
    ctx.lineWidth = 0.25 * rem;
    ctx.strokeStyle = this.hueOf(k);
    ctx.strokeRect(cx - pw / 2, cy - ph / 2, pw, ph);
    numberTag(ctx, this.theme, cx - pw / 2 + 0.35 * rem, cy - ph / 2 + 0.35 * rem, place, this.hueOf(k));
  }

  /** @param {Heat} heat */
  drawRows(heat) {
    const ctx = fit(this.canvas);
    if (!ctx) return;
    const { rem } = this.theme;
    const { clientWidth: w, clientHeight: h } = ctx.canvas;
    ctx.clearRect(0, 0, w, h);
    heat.paint(ctx, 0, 1.9 * rem, w, h - 1.9 * rem);
    for (const [place, k] of this.shown.entries()) {
      numberTag(ctx, this.theme, ((place + 0.5) * w) / this.shown.length, 0.85 * rem, place, this.hueOf(k));
    }
  }

  /**
   * Numbers at the points that the panel shows.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   * @param {Vector} pairs
   */
  tags(ctx, plane, pairs) {
    for (const [place, k] of this.shown.entries()) {
      numberTag(ctx, this.theme, plane.toX(pairs[2 * k]), plane.toY(pairs[2 * k + 1]), place, this.hueOf(k));
    }
  }

  /** @param {number} k */
  hueOf(k) {
    return hueOf(this.points.hues[k], this.theme);
  }
}
