// The world as two planes: the true factors, over which clouds can be drawn, and x.

import { contextOf } from "../draw.js";
import { element, legendEntry, pictureCanvas } from "../elements.js";
import { ARROWS, Plane, rangeOf, Swarm } from "../plane.js";
import { hueOf } from "../theme.js";
import { buttonOf } from "./controls.js";
import { arrow } from "./seeds.js";
import { GRID, gridOf, MOST_SEGMENTS, placeOf, REACH } from "./world.js";

/** @import { Drawn, Theme, Vector } from "../types.d.ts" */
/** @typedef {import("./seeds.js").Marks} Marks */

const APART = 1.5; // places of the grid between two points of a stroke
const MOST_POINTS = 400; // numbers of one cloud
const KEY_STEP = 2; // places of the grid

export class Scene {
  /** @param {(clouds: number[][]) => void} redrawn called with new clouds */
  constructor(redrawn) {
    this.redrawn = redrawn;
    const factors = pictureCanvas("The true factors", "factors");
    const x = pictureCanvas("The data x", "x");
    this.factors = new Plane(factors, { bare: true });
    this.data = new Plane(x, { bare: true });
    this.legend = element("div", { class: "legend" });
    this.chips = element("div", { class: "chips", role: "group", "aria-label": "The value of u that is drawn" });
    const clear = buttonOf("Clear this u", () => this.clear());
    const hint = element("p", { class: "caption", textContent: "Drag over the factors. Keys: arrows move, Enter sets a point." });
    this.tools = element("div", { class: "tools", hidden: true }, this.chips, clear, hint);
    this.node = element(
      "div",
      { class: "scene" },
      element("figure", {}, element("figcaption", { textContent: "true factors" }), factors),
      element("figure", {}, element("figcaption", { textContent: "data x" }), x),
      this.legend,
      this.tools,
    );
    /** @type {number[][]} */
    this.clouds = [];
    this.value = 0; // of u, that is drawn
    this.canDraw = false;
    this.cursor = [Math.round(GRID / 2), Math.round(GRID / 2)];
    /** @type {Theme | null} */
    this.theme = null;
    /** @type {Swarm[]} */
    this.swarms = [];
    /** @type {Float32Array[]} */
    this.pairs = [];
    /** @type {Vector} */
    this.axes = [];
    this.listen(factors);
  }

  /** @param {HTMLCanvasElement} canvas */
  listen(canvas) {
    let isDown = false;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.canDraw) return;
      isDown = true;
      canvas.setPointerCapture(event.pointerId);
      this.put(event.offsetX, event.offsetY);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (isDown) this.put(event.offsetX, event.offsetY);
    });
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, () => {
        if (isDown) this.redrawn(this.clouds);
        isDown = false;
      });
    canvas.addEventListener("keydown", (event) => {
      if (!this.canDraw) return;
      const way = ARROWS[event.key];
      if (way) this.cursor = this.cursor.map((at, i) => Math.max(0, Math.min(GRID - 1, at + KEY_STEP * way[i])));
      else if (event.key === "Enter") {
        this.add(this.cursor[0], this.cursor[1]);
        this.redrawn(this.clouds);
      } else return;
      event.preventDefault();
      this.draw();
    });
  }

  /** @param {number} px @param {number} py */
  put(px, py) {
    const [a, b] = [gridOf(this.factors.fromX(px)), gridOf(this.factors.fromY(py))];
    const cloud = this.clouds[this.value];
    const far = cloud.length ? Math.hypot(a - cloud[cloud.length - 2], b - cloud[cloud.length - 1]) : Infinity;
    if (far < APART) return;
    this.add(a, b);
    this.draw();
  }

  /** Add a point; a full cloud loses its oldest one. @param {number} a @param {number} b */
  add(a, b) {
    const cloud = this.clouds[this.value];
    this.clouds = this.clouds.map((each) => (each === cloud ? [...cloud, a, b].slice(-MOST_POINTS) : each));
  }

  clear() {
    this.clouds = this.clouds.map((cloud, value) => (value === this.value ? [] : cloud));
    this.draw();
    if (this.clouds.some((cloud) => cloud.length)) this.redrawn(this.clouds);
  }

  /**
   * Show other data.
   * @param {Drawn} drawn
   * @param {Marks} marks
   * @param {Theme} theme
   * @param {number[][] | null} clouds where they can be drawn
   */
  show(drawn, marks, theme, clouds) {
    this.canDraw = clouds !== null;
    this.tools.hidden = !this.canDraw;
    const { canvas } = this.factors;
    canvas.tabIndex = this.canDraw ? 0 : -1;
    canvas.setAttribute("role", this.canDraw ? "application" : "img");
    canvas.classList.toggle("drawable", this.canDraw);
    if (clouds) {
      this.clouds = [...clouds, ...Array.from({ length: MOST_SEGMENTS - clouds.length }, () => [])];
      this.value = Math.min(this.value, this.clouds.length - 1);
    }
    this.theme = theme;
    this.marks = marks;
    this.pairs = [marks.pairs(drawn.z), marks.pairs(firstTwo(drawn))];
    const reach = Math.max(...this.pairs[0].map(Math.abs)) * 1.05;
    const side = this.canDraw ? REACH : reach;
    this.factors.range = { x: [-side, side], y: [-side, side] };
    this.data.range = rangeOf(this.pairs[1]);
    this.entries(marks, theme);
    this.lay();
  }

  /** @param {Marks} marks @param {Theme} theme */
  entries(marks, theme) {
    const name = (/** @type {number} */ hue) =>
      marks.isOfU ? `u = ${hue + 1}` : ["low, low", "low, high", "high, low", "high, high"][hue];
    this.legend.hidden = this.canDraw;
    this.legend.replaceChildren(
      ...Array.from({ length: marks.count }, (_, hue) => legendEntry(hue, hueOf(hue, theme), marks.isOfU ? String(hue + 1) : name(hue))),
    );
    this.legend.prepend(element("span", { textContent: marks.isOfU ? "u, a label of each row:" : "s1, s2:" }));
    if (!this.canDraw) return;
    const used = this.clouds.map((cloud, value) => ({ cloud, value }));
    let hue = 0;
    this.chips.replaceChildren(
      ...used.map(({ cloud, value }) => {
        const own = cloud.length ? hue++ : -1;
        const chip = buttonOf("", () => this.choose(value));
        chip.append(own >= 0 ? legendEntry(own, hueOf(own, theme), String(value + 1)) : `${value + 1}`);
        chip.setAttribute("aria-label", `u = ${value + 1}`);
        chip.setAttribute("aria-pressed", String(value === this.value));
        return chip;
      }),
    );
  }

  /** @param {number} value */
  choose(value) {
    this.value = value;
    for (const [k, chip] of [...this.chips.children].entries()) chip.setAttribute("aria-pressed", String(k === value));
  }

  lay() {
    const { marks, theme } = this;
    if (!marks || !theme) return;
    this.swarms = [this.factors, this.data].flatMap((plane) => {
      plane.lay(theme);
      return plane.isLaid ? [new Swarm(plane, marks.groups, marks.symbols(theme), 0.13 * theme.rem, 0.8)] : [];
    });
    for (const [k, swarm] of this.swarms.entries()) swarm.paint(this.pairs[k]);
    this.draw();
  }

  /** The axes of all seeds over the true factors, order and signs matched: a fan that closes where they agree. @param {Vector} axes [members, 2, 2] */
  follow(axes) {
    this.axes = axes;
    this.draw();
  }

  draw() {
    const { theme, factors } = this;
    if (!theme || this.swarms.length < 2) return;
    this.swarms[0].show();
    const ctx = contextOf(factors.canvas);
    const { x, y, w, h } = factors.box;
    const length = 0.42 * Math.min(w, h);
    for (let k = 0; k < this.axes.length; k += 2)
      arrow(ctx, x + w / 2, y + h / 2, this.axes[k], this.axes[k + 1], length, k % 4 === 2, theme);
    if (this.canDraw) this.drawPoints(ctx, theme);
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Theme} theme */
  drawPoints(ctx, theme) {
    const { factors, clouds, cursor } = this;
    ctx.fillStyle = theme.text;
    for (const cloud of clouds)
      for (let k = 0; k < cloud.length; k += 2)
        ctx.fillRect(factors.toX(placeOf(cloud[k])) - 1, factors.toY(placeOf(cloud[k + 1])) - 1, 2, 2);
    ctx.strokeStyle = theme.text;
    ctx.strokeRect(factors.toX(placeOf(cursor[0])) - 4, factors.toY(placeOf(cursor[1])) - 4, 8, 8);
  }
}

/**
 * The plane of x that is drawn: x itself if it has two dimensions, and otherwise its two principal components.
 * @param {Drawn} drawn
 * @returns {Float32Array}
 */
function firstTwo({ x, n, dx }) {
  if (dx === 2) return x;
  /** @type {Float64Array[]} */
  const directions = [];
  for (const start of [0, 1]) {
    let v = Float64Array.from({ length: dx }, (_, i) => (i === start ? 1 : 0.1));
    for (let round = 0; round < 60; round++) {
      const next = new Float64Array(dx);
      for (let row = 0; row < n; row++) {
        let dot = 0;
        for (let i = 0; i < dx; i++) dot += x[row * dx + i] * v[i];
        for (let i = 0; i < dx; i++) next[i] += dot * x[row * dx + i];
      }
      for (const other of directions) {
        let dot = 0;
        for (let i = 0; i < dx; i++) dot += next[i] * other[i];
        for (let i = 0; i < dx; i++) next[i] -= dot * other[i];
      }
      const length = Math.hypot(...next) || 1;
      v = next.map((value) => value / length);
    }
    directions.push(v);
  }
  return Float32Array.from({ length: 2 * n }, (_, k) => {
    let dot = 0;
    for (let i = 0; i < dx; i++) dot += x[(k >> 1) * dx + i] * directions[k & 1][i];
    return dot;
  });
}
