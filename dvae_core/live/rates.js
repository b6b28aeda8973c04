// Many units at once, shown as neurons usually are: a raster of E[x|z] (units by places of what was moved last), beside
// it the units at z itself and at the example, and under it the tuning curves of chosen units.

import { fit, Heat } from "./draw.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { isCounts, minus, number, short, ticks } from "./numbers.js";
import { COLOURS, hueOf, rgbOf, SYMBOLS } from "./theme.js";

/** @import { Box, Display, Shade, Theme, Vector } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

const PLACES = 41; // of the raster, along what was moved last
const CHOSEN = 4;
const UNIT_HUES = [2, 4, 9, 5]; // not the hues of data, latents and reconstructions
const UNIT_DASHES = [[], [0.7, 0.35], [0.2, 0.3], [1.1, 0.3, 0.2, 0.3]]; // em

/**
 * Units by the place where their rate is highest; ties by the middle of their curve.
 * @param {Float32Array} table table[place * units + unit]
 * @param {number} places
 * @param {number} units
 */
export function preferenceOrder(table, places, units) {
  const preferred = new Int32Array(units);
  const middle = new Float64Array(units);
  for (let i = 0; i < units; i++) {
    let least = Infinity;
    for (let p = 0; p < places; p++) {
      if (table[p * units + i] > table[preferred[i] * units + i]) preferred[i] = p;
      least = Math.min(least, table[p * units + i]);
    }
    let sum = 0;
    for (let p = 0; p < places; p++) {
      sum += table[p * units + i] - least;
      middle[i] += p * (table[p * units + i] - least);
    }
    middle[i] = sum > 0 ? middle[i] / sum : places / 2;
  }
  const byPlace = (/** @type {number} */ a, /** @type {number} */ b) => preferred[a] - preferred[b] || middle[a] - middle[b] || a - b;
  return Int32Array.from({ length: units }, (_, i) => i).sort(byPlace);
}

/**
 * Of each of `many` equal parts of the order, the unit whose rate changes most.
 * @param {Float32Array} table
 * @param {number} places
 * @param {number} units
 * @param {Int32Array} order
 * @param {number} many
 */
export function mostChanging(table, places, units, order, many) {
  const change = (/** @type {number} */ i) => {
    let [lo, hi] = [Infinity, -Infinity];
    for (let p = 0; p < places; p++) {
      const value = table[p * units + i];
      [lo, hi] = [Math.min(lo, value), Math.max(hi, value)];
    }
    return hi - lo;
  };
  const parts = Math.min(many, units);
  return Array.from({ length: parts }, (_, k) => {
    const part = [...order.subarray(Math.floor((k * units) / parts), Math.floor(((k + 1) * units) / parts))];
    return part.reduce((best, i) => (change(i) > change(best) ? i : best));
  });
}

/** @implements {Display} */
export class Rates {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    const { data } = view;
    this.isNeurons = isCounts(data);
    this.unit = this.isNeurons ? "rate (counts per bin)" : "E[x|z]";
    this.kin = this.isNeurons ? "neuron" : "dimension";
    this.x = new Float32Array(data.d_x);
    this.table = new Float32Array(PLACES * data.d_x);
    this.heat = new Heat(PLACES, data.d_x);
    this.now = new Heat(1, data.d_x);
    this.given = new Heat(1, data.d_x);
    this.order = new Int32Array(0); // of the units, from the top
    /** @type {number[]} */
    this.chosen = []; // units with a tuning curve
    this.isChosenByHand = false;
    this.row = -1; // under the pointer, or where the keyboard is
    this.key = ""; // what the table depends on
    /** @type {number | "t" | null} */
    this.own = null; // what the table moves
    /** @type {unknown} */
    this.sortedAt = null; // the scale that stood when the units were sorted
    this.isStale = true;
    /** @type {[number, number] | null} */
    this.reach = null; // of the tuning curves' axis
    /** @type {Box & { end: number }} */
    this.box = { x: 0, y: 0, w: 0, h: 0, end: 0 };
    this.raster = pictureCanvas("", "raster");
    this.raster.setAttribute("role", "application");
    this.raster.setAttribute("aria-roledescription", "rate raster");
    this.raster.tabIndex = 0;
    this.curves = pictureCanvas("", "tuning");
    this.readout = element("output", { class: "status" });
    this.chips = element("div", { class: "chips", role: "group", "aria-label": `Chosen ${this.kin}s` });
    const every = this.isNeurons ? "Rate" : "E[x|z]";
    const heading = (/** @type {string} */ textContent) => element("p", { class: "caption title", textContent });
    this.node = element(
      "div",
      { class: "rates" },
      heading(`${every} of every ${this.kin}, sorted by where it is highest`),
      this.raster,
      heading("Tuning curves"),
      this.curves,
      this.chips,
      this.readout,
    );
    this.listen();
  }

  /** @param {Vector} z */
  decode(z, out = this.x) {
    return this.view.decode(z, out);
  }

  /** @param {string} where */
  describe(where) {
    const { names, mode, data } = this.view;
    const help = "Up and down choose one, Enter shows its tuning curve.";
    this.raster.setAttribute("aria-label", `Raster of ${data.d_x} ${this.kin}s decoded from ${where}. ${help}`);
    const chosen = this.chosen.map((i) => names[i]).join(", ");
    this.curves.setAttribute("aria-label", `Tuning curves of ${chosen} along ${mode.walk.name}, marked at ${where}`);
  }

  listen() {
    const { raster } = this;
    const rowAt = (/** @type {number} */ y) => Math.floor(((y - this.box.y) / this.box.h) * this.order.length);
    const isInside = (/** @type {MouseEvent} */ { offsetX, offsetY }) => {
      const { x, y, h, end } = this.box;
      return offsetX >= x && offsetX <= end && offsetY > y && offsetY < y + h;
    };
    raster.addEventListener("pointermove", (event) => this.point(isInside(event) ? rowAt(event.offsetY) : -1));
    raster.addEventListener("pointerleave", () => this.point(-1));
    raster.addEventListener("blur", () => this.point(-1));
    raster.addEventListener("click", (event) => {
      if (isInside(event)) this.toggle(this.order[rowAt(event.offsetY)]);
    });
    raster.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.order.length) return;
      const last = this.order.length - 1;
      /** @type {Record<string, number>} */
      const places = {
        ArrowUp: Math.max(0, this.row - 1),
        ArrowDown: Math.min(last, this.row + 1),
        Home: 0,
        End: last,
      };
      const to = places[event.key];
      if (to !== undefined) this.point(to);
      else if (event.key === "Enter" && this.row >= 0) this.toggle(this.order[this.row]);
      else return;
      event.preventDefault();
    });
  }

  /**
   * Say a row's rate and frame it.
   * @param {number} row
   */
  point(row) {
    if (row === this.row) return;
    this.row = row;
    this.view.request();
  }

  /** @param {number} unit */
  toggle(unit) {
    const at = this.chosen.indexOf(unit);
    this.isChosenByHand = true;
    if (at >= 0) this.chosen.splice(at, 1);
    else this.chosen = [...this.chosen.slice(this.chosen.length >= CHOSEN ? 1 : 0), unit];
    this.listChosen();
    this.view.request();
  }

  listChosen() {
    const { theme, names } = this.view;
    this.reach = null;
    const chips = this.chosen.map((unit, k) => {
      const label = `${names[unit]}: remove its curve`;
      const look = {
        type: "button",
        title: "Remove its curve",
        "aria-label": label,
        onclick: () => this.toggle(unit),
      };
      return element("button", look, legendEntry(UNIT_HUES[k], hueOf(UNIT_HUES[k], theme), names[unit]));
    });
    const textContent = `Click a ${this.kin} in the raster to add its curve.`;
    this.chips.replaceChildren(...chips, element("span", { class: "hint", textContent }));
  }

  /** Rates along what was moved last; they do not depend on its present value. */
  follow() {
    const { view } = this;
    const { mode, data } = view;
    const { own } = mode.walk;
    const rest = Array.from(mode.walkAt(0), (v, i) => (i === own ? data.lo[i] : v)).join();
    const key = `${own}|${mode.member}|${rest}`;
    if (this.key === key) return;
    this.key = key;
    for (let p = 0; p < PLACES; p++) {
      this.decode(mode.walkAt(p / (PLACES - 1)), this.table.subarray(p * data.d_x, (p + 1) * data.d_x));
    }
    if (this.own !== own || this.sortedAt !== view.scale) {
      [this.own, this.sortedAt] = [own, view.scale];
      this.order = preferenceOrder(this.table, PLACES, data.d_x);
      if (!this.isChosenByHand) this.chosen = mostChanging(this.table, PLACES, data.d_x, this.order, CHOSEN);
      this.listChosen();
      this.view.describe();
    }
    this.isStale = true;
  }

  lay() {
    this.key = ""; // another decoder, member, theme or size
    this.isStale = true;
    if (this.chosen.length) this.listChosen();
  }

  /**
   * From the page's background to dark (light on a dark page) through the colour of reconstructions.
   * @param {Theme} theme
   * @returns {Shade}
   */
  colour(theme) {
    const [lo, hi] = this.limits;
    const stops = [theme.background, rgbOf(COLOURS.reconstruction), theme.dark ? [255, 236, 247] : [72, 18, 52]];
    return (v, _, out, p) => {
      const share = 2 * Math.max(0, Math.min(1, (v - lo) / (hi - lo)));
      const at = share < 1 ? 0 : 1;
      for (let k = 0; k < 3; k++) out[p + k] = stops[at][k] + (share - at) * (stops[at + 1][k] - stops[at][k]);
    };
  }

  draw() {
    const { theme } = this.view;
    if (!this.raster.clientWidth) return;
    this.follow();
    const { em } = theme;
    const strips = this.view.reference ? 2 : 1;
    const left = 3.2 * em;
    const right = (1.9 + 1.5 * strips + 2.2) * em;
    const w = Math.max(20, this.raster.clientWidth - left - right);
    const end = left + w + (1.9 + 1.5 * strips) * em;
    this.box = { x: left, y: 1.3 * em, w, h: this.raster.clientHeight - 1.6 * em, end };
    this.drawRaster(strips);
    this.drawCurves();
  }

  /** The rates at the ends of the colour scale. */
  get limits() {
    return this.view.scale?.rates ?? [0, 1];
  }

  /** @param {number} strips */
  drawRaster(strips) {
    const { theme, reference } = this.view;
    const { em } = theme;
    const { box, order } = this;
    const units = order.length;
    const colour = this.colour(theme);
    if (this.isStale) {
      for (let p = 0; p < PLACES; p++) this.heat.column(p, this.table.subarray(p * units, (p + 1) * units), colour, order);
      if (reference) this.given.column(0, reference, colour, order);
      this.isStale = false;
    }
    this.now.column(0, this.x, colour, order);
    const ctx = fit(this.raster);
    if (!ctx) return;
    ctx.clearRect(0, 0, this.raster.clientWidth, this.raster.clientHeight);
    const frame = (/** @type {number} */ x, /** @type {number} */ w) => {
      ctx.strokeStyle = theme.line;
      ctx.lineWidth = 1;
      ctx.strokeRect(x, box.y, w, box.h);
    };
    this.heat.paint(ctx, box.x, box.y, box.w, box.h);
    frame(box.x, box.w);
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    const strip = (/** @type {number} */ k, /** @type {Heat} */ heat, /** @type {string} */ name) => {
      const x = box.x + box.w + (0.5 + 1.6 * k) * em;
      heat.paint(ctx, x, box.y, 1.1 * em, box.h);
      frame(x, 1.1 * em);
      ctx.fillText(name, x + 0.55 * em, box.y - 0.15 * em);
    };
    strip(0, this.now, "at z");
    if (reference) strip(1, this.given, "x");
    this.drawColourKey(ctx, colour, box.x + box.w + (0.5 + 1.6 * strips + 0.4) * em);
    // Which line is whose.
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    for (const i of ticks(1, units, 5).filter((tick) => tick >= 1 && Number.isInteger(tick))) {
      ctx.fillText(String(i), box.x - 0.4 * em, box.y + ((i - 0.5) / units) * box.h);
    }
    this.upright(ctx, `${this.kin}s, sorted`, 0.1 * em, "top");
    // Chosen units, the row under the pointer, and the place of z.
    for (const [k, unit] of this.chosen.entries()) {
      const at = box.y + ((order.indexOf(unit) + 0.5) / units) * box.h;
      this.symbol(ctx, k, box.x + 0.55 * em, at, 0.3 * em);
    }
    if (this.row >= 0) {
      const tall = Math.max(2, box.h / units);
      ctx.strokeStyle = theme.text;
      ctx.lineWidth = 1.5;
      const top = box.y + (this.row / units) * box.h;
      ctx.strokeRect(box.x - 1, top - 1, box.end - box.x - 1.4 * em + 2, tall + 2);
    }
    const text = this.row >= 0 ? this.rateOf(order[this.row]) : "";
    if (this.readout.textContent !== text) this.readout.textContent = text;
    this.marker(ctx, box);
  }

  /** @param {number} unit */
  rateOf(unit) {
    const { names, reference } = this.view;
    const given = reference ? `, ${short(reference[unit])} in this example` : "";
    return `${names[unit]}: ${number(this.x[unit])}${this.isNeurons ? " counts per bin" : ""} at z${given}`;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Shade} colour @param {number} x */
  drawColourKey(ctx, colour, x) {
    const { box } = this;
    const { theme } = this.view;
    const { em } = theme;
    const [lo, hi] = this.limits;
    const shade = ctx.createLinearGradient(0, box.y + box.h, 0, box.y);
    for (let k = 0; k <= 8; k++) {
      const rgb = [0, 0, 0];
      colour(lo + (k / 8) * (hi - lo), 0, rgb, 0);
      shade.addColorStop(k / 8, `rgb(${rgb.map(Math.round)})`);
    }
    ctx.fillStyle = shade;
    ctx.fillRect(x, box.y, 0.6 * em, box.h);
    ctx.strokeRect(x, box.y, 0.6 * em, box.h);
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    const y = (/** @type {number} */ v) => box.y + box.h - ((v - lo) / (hi - lo)) * box.h;
    for (const v of ticks(lo, hi, 4)) if (y(v) > box.y + 0.6 * em) ctx.fillText(minus(v), x + 0.75 * em, y(v));
    ctx.fillText(`\u2265${minus(Number(hi.toPrecision(2)))}`, x + 0.75 * em, box.y + 0.1 * em);
    this.upright(ctx, this.unit, this.raster.clientWidth - 0.1 * em, "bottom");
  }

  /**
   * A line where z is on the walk.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Box} box
   */
  marker(ctx, { x, y, w, h }) {
    const { em } = this.view.theme;
    const at = x + this.view.mode.walk.share * w;
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.16 * em;
    ctx.beginPath();
    ctx.moveTo(at, y);
    ctx.lineTo(at, y + h);
    ctx.stroke();
  }

  /**
   * A text that runs upwards, beside a box.
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} text
   * @param {number} x
   * @param {CanvasTextBaseline} baseline
   * @param {Box} box
   */
  upright(ctx, text, x, baseline, box = this.box) {
    const { theme } = this.view;
    ctx.save();
    ctx.translate(x, box.y + box.h / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.font = `600 ${0.85 * theme.em}px ${theme.font}`;
    ctx.fillStyle = theme.text;
    ctx.textAlign = "center";
    ctx.textBaseline = baseline;
    ctx.fillText(text, 0, 0, box.h + 2 * theme.em);
    ctx.restore();
  }

  /**
   * The symbol of the k-th chosen unit.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   */
  symbol(ctx, k, x, y, radius) {
    const { theme } = this.view;
    ctx.save();
    ctx.translate(x, y);
    ctx.scale(radius, radius);
    const path = new Path2D(SYMBOLS[UNIT_HUES[k] % SYMBOLS.length]);
    ctx.lineWidth = 0.7;
    ctx.strokeStyle = theme.backgroundText;
    ctx.stroke(path);
    ctx.fillStyle = hueOf(UNIT_HUES[k], theme);
    ctx.fill(path);
    ctx.restore();
  }

  drawCurves() {
    const { theme, reference, data } = this.view;
    const { em } = theme;
    const ctx = fit(this.curves);
    if (!ctx) return;
    const { clientWidth: w, clientHeight: h } = this.curves;
    const box = { x: this.box.x, y: 1.2 * em, w: this.box.w, h: h - 3.9 * em };
    ctx.clearRect(0, 0, w, h);
    const units = data.d_x;
    let [lo, hi] = this.reach ?? [Math.min(0, this.limits[0]), 0];
    for (const unit of this.chosen) {
      for (let p = 0; p < PLACES; p++) {
        const value = this.table[p * units + unit];
        [lo, hi] = [Math.min(lo, value), Math.max(hi, value)];
      }
    }
    this.reach = [lo, hi]; // it only grows while others move
    const top = hi + 0.06 * (hi - lo || 1);
    const { walk } = this.view.mode;
    const toX = (/** @type {number} */ v) => box.x + ((v - walk.lo) / (walk.hi - walk.lo)) * box.w;
    const toY = (/** @type {number} */ v) => box.y + box.h - ((v - lo) / (top - lo)) * box.h;
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.strokeStyle = theme.grid;
    ctx.fillStyle = theme.muted;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    const many = Math.max(2, Math.min(6, Math.floor(box.w / (3.2 * em))));
    for (const v of ticks(walk.lo, walk.hi, many)) {
      ctx.moveTo(toX(v), box.y);
      ctx.lineTo(toX(v), box.y + box.h);
      ctx.fillText(`${minus(v)}${walk.unit}`, toX(v), box.y + box.h + 0.3 * em);
    }
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const v of ticks(lo, top, 4)) {
      ctx.moveTo(box.x, toY(v));
      ctx.lineTo(box.x + box.w, toY(v));
      ctx.fillText(minus(v), box.x - 0.4 * em, toY(v));
    }
    ctx.stroke();
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(box.x, box.y, box.w, box.h);
    ctx.font = `600 ${0.9 * em}px ${theme.font}`;
    ctx.fillStyle = theme.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText(walk.name, box.x + box.w / 2, h, box.w);
    this.upright(ctx, this.unit, 0.1 * em, "top", box);
    this.marker(ctx, box);
    const at = box.x + walk.share * box.w;
    for (const [k, unit] of this.chosen.entries()) {
      ctx.strokeStyle = hueOf(UNIT_HUES[k], theme);
      ctx.lineWidth = 0.19 * em;
      ctx.lineJoin = "round";
      ctx.setLineDash(UNIT_DASHES[k].map((v) => v * em));
      ctx.beginPath();
      for (let p = 0; p < PLACES; p++) {
        ctx.lineTo(box.x + (p / (PLACES - 1)) * box.w, toY(this.table[p * units + unit]));
      }
      ctx.stroke();
      ctx.setLineDash([]);
    }
    for (const [k, unit] of this.chosen.entries()) this.symbol(ctx, k, at, toY(this.x[unit]), 0.42 * em);
    if (!reference) return;
    // The counts, at the right edge, because they have no place on this axis.
    for (const [k, unit] of this.chosen.entries()) {
      ctx.globalAlpha = reference[unit] > top ? 0.4 : 1;
      this.symbol(ctx, k, box.x + box.w + 1.0 * em, toY(Math.min(top, reference[unit])), 0.34 * em);
      ctx.globalAlpha = 1;
    }
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText("x", box.x + box.w + 1.0 * em, box.y - 0.25 * em);
  }
}
