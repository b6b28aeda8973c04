// Turn the latents: z~ = M z. The prior's circles stay, the data x = f(M^T z~) stay, what a latent means does not.

import { decodeInto } from "./decode.js";
import { Dial, turnable } from "./dial.js";
import { Bitmap, fit, Heat, heatScale, kindOf, namesOf, STEPS } from "./draw.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { minus, numbersOf, quantile, short, thin, tiny } from "./numbers.js";
import { Plane, rangeOf, Swarm, sprite } from "./plane.js";
import { apply, applyTransposed, rotation } from "./rotation.js";
import { COLOURS, hueOf, themeOf } from "./theme.js";
import { mountOf, pump, View } from "./view.js";

/** @import { Box, Kind, OnChange, RotorData, Shade, Theme, Vector } from "./types.d.ts" */
/** @import { Sprite } from "./plane.js" */
/** @typedef {{ axis: number, step: number, stale: boolean }} Step one step of the strip along an axis */
/** @typedef {{ k: number, place: number, stale: boolean, x: Float64Array }} Example and its x at angle 0 */
/** @typedef {{ name: string, canvas: HTMLCanvasElement, cells: Step[], heat: Heat | null }} Strip */

const TURN_BUDGET_MS = 6; // of one display frame, for pictures decoded anew while turning
const CHECKED = 64; // points whose x is decoded through the twin at every angle
const SHOWN = 6; // examples in the data panel where x is not a plane
const ACROSS = 3; // pictures in a row of it
const MOST_LISTED = 12; // hues in the legend
const CURVE_POINTS = 61;
const LABELS_AT = (112 * Math.PI) / 180; // of the circles: between two of the numbered examples
const TILDE = "z\u0303";
const SUBSCRIPTS = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089";

/** @param {number} i */
const sub = (i) => [...String(i + 1)].map((c) => SUBSCRIPTS[Number(c)]).join("");

/** @extends {View<RotorData>} */
export class Rotor extends View {
  // What `build` and `lay` make.
  /** @type {Float32Array} */
  latents;
  /** @type {Float32Array} In the plane that turns, as pairs. */
  before;
  /** @type {Float32Array} The same, turned. */
  after;
  /** @type {number[]} */
  hues;
  /** @type {string[]} */
  labels;
  /** @type {Map<number, number[]>} Rows by hue. */
  groups;
  /** @type {Map<number, Sprite>} */
  sprites;
  /** @type {number[]} Rows that the data panel shows as pictures or heat columns. */
  examples;
  /** @type {Float32Array} */
  xPairs;
  /** @type {Plane} */
  zPlane;
  /** @type {Plane} */
  tPlane;
  /** @type {Plane | null} */
  xPlane = null;
  /** @type {Plane} One small picture of the cloud, copied under each step of the strips. */
  thumb;
  /** @type {HTMLElement} */
  legend;
  /** @type {HTMLElement} */
  check;
  /** @type {HTMLCanvasElement | null} */
  xCanvas = null;
  /** @type {Dial} */
  dial;
  /** @type {Float64Array} */
  M;
  /** @type {Kind | null} */
  kind = null;
  /** @type {Swarm | null} */
  swarm = null;
  /** @type {Bitmap | null} */
  bitmap = null;
  /** @type {Heat | null} */
  dataHeat = null;
  /** @type {(theme: Theme) => Shade} */
  heatOf;

  /** @param {HTMLElement} root @param {RotorData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("rotor");
    this.angle = 0;
    this.member = data.member;
    this.isFresh = true;
    this.shape = "";
    this.pumping = { cursor: 0 };
    this.worst = 0; // largest change of any x since the last turn
    this.i = data.plane[0];
    this.j = data.plane[1];
    this.n = 0;
    /** @type {Float64Array | null} */
    this.base = null;
    this.names = [""];
    this.tildes = [""];
    /** @type {Strip[]} */
    this.stripRows = [];
    /** @type {Example[]} */
    this.twins = [];
    /** @type {{ k: number, x: Float64Array }[]} Points whose x is compared at every angle. */
    this.checked = [];
  }

  /** @param {RotorData} data */
  update(data) {
    this.data = data;
    this.theme = themeOf(this.root);
    const shape = JSON.stringify({ ...data, angle: 0, rev: 0, member: 0 });
    if (this.isPushed(data.rev)) this.angle = Math.max(0, Math.min(data.limit, data.angle));
    if (this.shape !== shape) {
      this.shape = shape;
      this.build();
      this.isFresh = true;
    }
    if (this.member !== data.member) {
      this.member = data.member;
      this.isFresh = true;
    }
    if (data.twin && data.plan !== null) {
      this.follow(data.plan, () => {
        this.isFresh = true;
        this.lay();
      });
    } else this.unfollow();
    this.turn();
    this.lay();
  }

  get isReady() {
    return !this.data.twin || this.model !== null;
  }

  // --- what stands on the page

  build() {
    const { data } = this;
    [this.i, this.j] = data.plane;
    this.xCanvas = this.xPlane = this.swarm = null; // of the panels before
    this.stripRows = [];
    this.twins = [];
    this.names = [this.i, this.j].map((k) => `z${sub(k)}`);
    this.tildes = [this.i, this.j].map((k) => `${TILDE}${sub(k)}`);
    this.kind = data.twin ? kindOf(data) : null;
    this.latents = numbersOf(data.points);
    this.n = this.latents.length / data.d_z;
    this.base = data.base ? Float64Array.from(data.base) : null;
    this.before = this.inPlane(this.latents);
    this.after = new Float32Array(this.before.length);
    this.hues = data.hues ?? Array.from({ length: this.n }, (_, k) => this.quadrant(k));
    const [a, b] = this.names;
    this.labels = data.hues ? data.hue_labels : [`${a}, ${b} > 0`, `${a} < 0 < ${b}`, `${a}, ${b} < 0`, `${b} < 0 < ${a}`];
    this.groups = new Map([...new Set(this.hues)].map((hue) => [hue, []]));
    for (const [k, hue] of this.hues.entries()) this.groups.get(hue)?.push(k);
    this.examples = this.kind === "picture" || this.kind === "bars" ? this.spread() : [];

    this.zPlane = this.roundPlane(this.names, "");
    this.tPlane = this.roundPlane(this.tildes, "turns");
    const panels = [
      this.panel("Latents z", "circles: N(0, I) at 1, 2, 3 sd", this.zPlane.canvas),
      this.panel(`Rotated ${TILDE} = M z`, "the very same circles", this.tPlane.canvas),
    ];
    if (data.twin) panels.push(this.dataPanel());
    turnable(this, this.tPlane.canvas, () => {
      const { box, canvas } = this.tPlane;
      const { left, top } = canvas.getBoundingClientRect();
      return [left + box.x + box.w / 2, top + box.y + box.h / 2];
    });
    this.legend = element("div", { class: "legend" });
    this.dial = new Dial(this);
    const views = element("div", { class: "views" }, element("div", { class: "scatters" }, ...panels), this.legend);
    const top = element("div", { class: "top" }, this.dial.panel, views);
    this.body.replaceChildren(top, ...(data.strips ? [this.strips()] : []));
    this.body.dataset.kind = this.kind ?? "prior";
    this.body.dataset.strips = data.strips ? "below" : "none";
  }

  /**
   * A plane of two latents, with room for the circles.
   * @param {string[]} names
   * @param {string} className
   */
  roundPlane([xName, yName], className) {
    const plane = new Plane(pictureCanvas("", className), { xName, yName, left: 2.5, bottom: 2.5 });
    const reach = this.reach();
    plane.range = { x: [-reach, reach], y: [-reach, reach] };
    return plane;
  }

  /** The values of u that the legend lists. */
  get listed() {
    return [...this.groups.keys()].sort((a, b) => a - b).slice(0, MOST_LISTED);
  }

  showLegend() {
    const { groups, labels, theme } = this;
    const entries = this.listed.map((hue) => legendEntry(hue, hueOf(hue, theme), labels[hue] ?? `u = ${hue}`));
    this.legend.replaceChildren(...entries);
    const more = groups.size - entries.length;
    if (more) this.legend.append(element("span", { textContent: `and ${more} more` }));
  }

  /** @param {string} title @param {string} caption @param {HTMLCanvasElement} canvas */
  panel(title, caption, canvas, below = element("span")) {
    const heading = element("h3", { textContent: title });
    return element("figure", {}, heading, element("p", { class: "caption", textContent: caption }), canvas, below);
  }

  dataPanel() {
    this.check = element("p", { class: "check" });
    const canvas = pictureCanvas("");
    this.xCanvas = canvas;
    const [xName, yName] = namesOf(this.data, this.data.x_names);
    if (this.kind === "plane") this.xPlane = new Plane(canvas, { xName, yName });
    const captions = {
      plane: "the points do not move",
      picture: "the pictures do not change",
      bars: "the rows do not change",
    };
    const caption = captions[this.kind ?? "plane"];
    return this.panel(`Data x = f(z) = f(M\u1D40${TILDE})`, caption, canvas, this.check);
  }

  strips() {
    this.stripRows = this.tildes.map((name, axis) => {
      const canvas = pictureCanvas("");
      const cells = Array.from({ length: STEPS }, (_, step) => ({ axis, step, stale: true }));
      return { name, canvas, cells, heat: this.kind === "bars" ? new Heat(STEPS, this.data.d_x) : null };
    });
    const grid = element("div", { class: "strips" });
    for (const { name, canvas } of this.stripRows) grid.append(element("span", { class: "name", textContent: name }), canvas);
    const reach = short(this.data.reach);
    const ends = [minus(-this.data.reach), "0", reach].map((textContent) => element("span", { textContent }));
    grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...ends));
    const heading = element("h3", { textContent: `What ${this.tildes[0]} and ${this.tildes[1]} mean` });
    const textContent = `x = f(M\u1D40${TILDE}) along each rotated latent, through the prior mean: this does change with the angle`;
    const caption = element("p", { class: "caption", textContent });
    return element("section", { class: "walks", "aria-label": "Traversals of the rotated latents" }, heading, caption, grid);
  }

  // --- numbers

  /** @param {Float32Array} latents */
  inPlane(latents) {
    const d = this.data.d_z;
    const pairs = new Float32Array(2 * this.n);
    for (let k = 0; k < this.n; k++) {
      pairs[2 * k] = latents[k * d + this.i];
      pairs[2 * k + 1] = latents[k * d + this.j];
    }
    return pairs;
  }

  /** @param {number} k */
  quadrant(k) {
    const [a, b] = [this.before[2 * k], this.before[2 * k + 1]];
    return a >= 0 ? (b >= 0 ? 0 : 3) : b >= 0 ? 1 : 2;
  }

  /** Half a side of the latent panels: the circles, and 99 % of the points whichever way they turn. */
  reach() {
    const d = this.data.d_z;
    /** @type {number[]} */
    const radii = [];
    for (let k = 0; k < this.n; k++) {
      let s = 0;
      if (this.base) for (let c = 0; c < d; c++) s += this.latents[k * d + c] ** 2;
      else s = this.before[2 * k] ** 2 + this.before[2 * k + 1] ** 2;
      radii.push(Math.sqrt(s));
    }
    return Math.max(3.6, Math.min(8, 1.05 * quantile(radii, 0.99)));
  }

  /** A few points spread around the plane, to be shown as pictures. */
  spread() {
    const angles = Array.from({ length: SHOWN }, (_, k) => (k * Math.PI) / 3 + 0.4);
    const wanted = angles.map((a) => [1.4 * Math.cos(a), 1.4 * Math.sin(a)]);
    /** @type {Set<number>} */
    const chosen = new Set();
    for (const [x, y] of wanted) {
      let best = -1;
      let least = Infinity;
      for (let k = 0; k < this.n; k++) {
        const far = (this.before[2 * k] - x) ** 2 + (this.before[2 * k + 1] - y) ** 2;
        if (far < least && !chosen.has(k)) [best, least] = [k, far];
      }
      if (best >= 0) chosen.add(best);
    }
    return [...chosen];
  }

  /** @param {number} k */
  latentOf(k) {
    return Float64Array.from(this.latents.subarray(k * this.data.d_z, (k + 1) * this.data.d_z));
  }

  /**
   * In float64, so that the largest change of x is what arithmetic leaves and not what float32 rounds away.
   * @param {Vector} z
   */
  decode(z) {
    return decodeInto(this.decoder, this.member, z, new Float64Array(this.data.d_x));
  }

  /**
   * x of the rotated twin: f(M^T z~).
   * @param {Vector} tilde
   */
  decodeTwin(tilde) {
    return this.decode(applyTransposed(this.M, tilde));
  }

  // --- moving

  /** @param {number} degrees */
  turnTo(degrees) {
    const { limit } = this.data;
    const isFullCircle = limit >= 360;
    const wrap = isFullCircle && degrees < 0 ? 360 : isFullCircle && degrees > 360 ? -360 : 0;
    const angle = Math.max(0, Math.min(limit, degrees + wrap));
    if (angle === this.angle) return;
    this.angle = angle;
    this.turn();
    this.request();
  }

  /** Everything that follows from the angle, except pixels. */
  turn() {
    const d = this.data.d_z;
    this.M = rotation(this.angle, d, this.i, this.j, this.base);
    const { M, i, j, before, after } = this;
    if (this.base) {
      for (let k = 0; k < this.n; k++) {
        let [a, b] = [0, 0];
        for (let c = 0; c < d; c++) {
          a += M[i * d + c] * this.latents[k * d + c];
          b += M[j * d + c] * this.latents[k * d + c];
        }
        after[2 * k] = a;
        after[2 * k + 1] = b;
      }
    } else {
      const [a, b, c, e] = [M[i * d + i], M[i * d + j], M[j * d + i], M[j * d + j]];
      for (let k = 0; k < before.length; k += 2) {
        after[k] = a * before[k] + b * before[k + 1];
        after[k + 1] = c * before[k] + e * before[k + 1];
      }
    }
    this.dial.show(this.angle, M);
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
    for (const job of this.twins) job.stale = true;
    this.worst = 0;
  }

  report() {
    this.describe();
    this.reportValue("angle", Number(this.angle.toFixed(2)));
  }

  describe() {
    const turned = `${short(this.angle)} degrees`;
    const label = (/** @type {HTMLCanvasElement} */ canvas, /** @type {string} */ text) => canvas.setAttribute("aria-label", text);
    const names = this.names.join(", ");
    label(this.zPlane.canvas, `Scatter of ${this.n} latents ${names} with circles of the standard normal prior`);
    label(this.tPlane.canvas, `The same latents rotated by ${turned}, with the same circles`);
    const data = this.xPlane
      ? "Scatter of the data, the same at every angle, with the curves that the rotated latents sweep"
      : "Examples decoded from the rotated latents, the same at every angle";
    if (this.xCanvas) label(this.xCanvas, data);
    for (const { name, canvas } of this.stripRows) {
      label(canvas, `x decoded at ${STEPS} values of ${name} after a rotation by ${turned}`);
    }
  }

  // --- drawing

  lay() {
    if (!this.isReady) return;
    const theme = themeOf(this.root);
    this.theme = theme;
    const radius = (this.n > 1500 ? 0.15 : 0.2) * theme.rem;
    const alpha = this.n > 1500 ? 0.6 : 0.85;
    const hues = [...this.groups.keys()];
    this.sprites = new Map(hues.map((hue) => [hue, sprite(hue, hueOf(hue, theme), radius, alpha)]));
    this.showLegend();
    if (this.data.twin && this.isFresh) {
      this.isFresh = false;
      this.survey();
    }
    this.zPlane.lay(theme, (ctx) => {
      this.cloud(ctx, this.zPlane, this.before);
      this.circles(ctx, this.zPlane);
      this.tags(ctx, this.zPlane, this.before);
    });
    if (this.tPlane.lay(theme)) {
      const symbols = new Map(hues.map((hue) => [hue, { symbol: hue, colour: hueOf(hue, theme) }]));
      this.swarm = new Swarm(this.tPlane, this.groups, symbols, radius, alpha);
    }
    if (this.data.twin) this.layData();
    this.describe();
    this.request();
  }

  /** What the decoder says at angle 0, once per decoder and member. */
  survey() {
    const { data } = this;
    this.checked = Array.from(thin(this.n, CHECKED), (k) => ({ k, x: this.decode(this.latentOf(k)) }));
    if (this.xPlane) {
      this.xPairs = numbersOf(data.x_points) ?? this.decodedPairs();
      this.xPlane.range = rangeOf(this.xPairs, 0.1);
    } else {
      this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
      this.twins = this.examples.map((k, place) => ({ k, place, stale: true, x: this.decode(this.latentOf(k)) }));
      this.dataHeat = this.kind === "bars" ? new Heat(this.examples.length, data.d_x) : null;
      const samples = this.dataHeat ? this.checked.map(({ x }) => x) : [];
      this.heatOf = heatScale(data, samples, this.decode(new Float64Array(data.d_z)));
    }
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
  }

  decodedPairs() {
    const pairs = new Float32Array(2 * this.n);
    for (let k = 0; k < this.n; k++) pairs.set(this.decode(this.latentOf(k)), 2 * k);
    return pairs;
  }

  layData() {
    const { theme, kind, xPlane, xCanvas } = this;
    if (xPlane) {
      xPlane.lay(theme, (ctx) => this.cloud(ctx, xPlane, this.xPairs));
      this.thumb = new Plane(element("canvas"), { bare: true });
    } else {
      for (const job of this.twins) job.stale = true;
      if (xCanvas) fit(xCanvas)?.clearRect(0, 0, xCanvas.clientWidth, xCanvas.clientHeight);
    }
    for (const { canvas } of this.stripRows) {
      const cell = canvas.clientWidth / STEPS - this.gap;
      const [rows, columns] = this.data.x_shape ?? [1, 1.15];
      canvas.style.height = kind === "bars" ? "" : `${(cell * rows) / columns}px`;
      fit(canvas)?.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    }
    if (xPlane && this.stripRows.length) this.layThumb(xPlane);
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
  }

  get gap() {
    return 0.16 * this.theme.rem;
  }

  /**
   * The cloud in the size of one step, painted once.
   * @param {Plane} xPlane
   */
  layThumb(xPlane) {
    const { canvas } = this.stripRows[0];
    const [w, h] = [canvas.clientWidth / STEPS - this.gap, canvas.clientHeight];
    if (!(w > 4 && h > 4)) return;
    const plane = this.thumb;
    const ctx = fit(plane.canvas, w, h);
    if (!ctx) return;
    plane.range = xPlane.range;
    plane.box = { x: 0.5, y: 0.5, w: w - 1, h: h - 1 };
    plane.isLaid = true;
    ctx.clearRect(0, 0, w, h);
    plane.axes(ctx, this.theme);
    plane.stamp(ctx, this.xPairs, thin(this.n, 600), sprite(0, COLOURS.reference, 0.07 * this.theme.rem, 0.6));
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Plane} plane @param {Vector} pairs */
  cloud(ctx, plane, pairs) {
    for (const [hue, point] of this.sprites) plane.stamp(ctx, pairs, this.groups.get(hue) ?? [], point);
  }

  /**
   * The prior at 1, 2 and 3 standard deviations.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   */
  circles(ctx, plane) {
    const { theme } = this;
    const { rem } = theme;
    ctx.lineWidth = 0.11 * rem;
    ctx.strokeStyle = theme.text;
    ctx.font = `600 ${0.75 * rem}px ${theme.font}`;
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
      if (sd < 3 && rx < 1.7 * rem * sd) continue; // no room: one label names the rest
      const text = `${sd} sd`;
      const w = ctx.measureText(text).width + 0.5 * rem;
      ctx.fillStyle = theme.backgroundText;
      ctx.fillRect(x - w / 2, y - 0.5 * rem, w, rem);
      ctx.fillStyle = theme.text;
      ctx.fillText(text, x, y);
    }
  }

  /**
   * Arrows from the origin: along (1, 0) and (0, 1) of the other system.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   * @param {number[][]} columns
   * @param {string[]} names
   */
  arrows(ctx, plane, columns, names) {
    const { theme } = this;
    const { rem } = theme;
    for (const [axis, [a, b]] of columns.entries()) {
      const length = Math.hypot(a, b);
      if (length < 1e-6) continue;
      const reach = 2.55 / length;
      const [x0, y0, x1, y1] = [plane.toX(0), plane.toY(0), plane.toX(reach * a), plane.toY(reach * b)];
      const angle = Math.atan2(y1 - y0, x1 - x0);
      const head = 0.75 * rem;
      const strokes = /** @type {[string, number][]} */ ([
        [theme.backgroundText, 0.5 * rem],
        [COLOURS.latent, 0.26 * rem],
      ]);
      for (const [colour, width] of strokes) {
        ctx.strokeStyle = ctx.fillStyle = colour;
        ctx.lineWidth = width;
        ctx.setLineDash(axis ? [0.7 * rem, 0.4 * rem] : []);
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
      this.outlined(ctx, names[axis], x1 + 0.95 * rem * Math.cos(angle), y1 + 0.95 * rem * Math.sin(angle));
    }
  }

  /**
   * A name with a rim that keeps it apart from what lies under it.
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} text
   * @param {number} x
   * @param {number} y
   */
  outlined(ctx, text, x, y) {
    const { theme } = this;
    const { rem } = theme;
    ctx.font = `700 ${1.05 * rem}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.lineWidth = 0.3 * rem;
    ctx.lineJoin = "round";
    ctx.strokeStyle = theme.backgroundText;
    ctx.strokeText(text, x, y);
    ctx.fillStyle = theme.text;
    ctx.fillText(text, x, y);
  }

  /**
   * Numbers at the points that the data panel shows as pictures.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Plane} plane
   * @param {Vector} pairs
   */
  tags(ctx, plane, pairs) {
    for (const [place, k] of this.examples.entries()) {
      this.tag(ctx, plane.toX(pairs[2 * k]), plane.toY(pairs[2 * k + 1]), place);
    }
  }

  /** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} place */
  tag(ctx, x, y, place) {
    const { theme } = this;
    const { rem } = theme;
    const hue = hueOf(this.hues[this.examples[place]], theme);
    ctx.beginPath();
    ctx.arc(x, y, 0.58 * rem, 0, 2 * Math.PI);
    ctx.fillStyle = theme.backgroundText;
    ctx.fill();
    ctx.lineWidth = 0.2 * rem;
    ctx.strokeStyle = hue;
    ctx.stroke();
    ctx.font = `700 ${0.8 * rem}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = theme.text;
    ctx.fillText(String(place + 1), x, y + 0.04 * rem);
  }

  draw() {
    if (this.closed || !this.isReady || !this.swarm) return;
    const began = performance.now();
    const d = this.data.d_z;
    const { M, i, j } = this;
    let ctx = this.zPlane.begin();
    // z~_i grows along row i of M: the direction M^T e_i
    const rows = [i, j].map((row) => [M[row * d + i], M[row * d + j]]);
    this.arrows(ctx, this.zPlane, rows, this.tildes);
    this.zPlane.end();
    ctx = this.tPlane.begin();
    this.swarm.paint(this.after);
    this.circles(ctx, this.tPlane);
    this.tags(ctx, this.tPlane, this.after);
    this.tPlane.end();
    if (this.data.twin) this.drawTwin();
    this.countFrame(performance.now() - began);
  }

  drawTwin() {
    if (this.xPlane) {
      for (const { k, x } of this.checked) this.compare(this.decodeTwin(apply(this.M, this.latentOf(k))), x);
      this.drawCurves(this.xPlane);
    }
    /** @type {(Step | Example)[]} */
    const jobs = [...this.stripRows.flatMap(({ cells }) => cells), ...this.twins];
    const work = (/** @type {Step | Example} */ job) => ("axis" in job ? this.drawStep(job) : this.drawExample(job));
    const areLeft = pump(jobs, this.pumping, TURN_BUDGET_MS, work);
    for (const { heat, canvas } of this.stripRows) {
      const ctx = heat && fit(canvas);
      if (ctx) heat.paint(ctx, 0, 0, canvas.clientWidth, canvas.clientHeight);
    }
    if (this.dataHeat) this.drawRows(this.dataHeat);
    if (areLeft) this.request();
    else this.check.textContent = `largest change of any x: ${tiny(this.worst)}`;
  }

  /**
   * What x sweeps along each of the rotated latents.
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
      this.outlined(ctx, name, inside[0], inside[1]);
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
    tilde[axis ? this.j : this.i] = value;
    return this.decodeTwin(tilde);
  }

  /** @param {Step} job */
  drawStep({ axis, step }) {
    const { canvas, heat } = this.stripRows[axis];
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
    const x = this.decodeTwin(apply(this.M, this.latentOf(k)));
    this.compare(x, first);
    if (this.dataHeat) {
      this.dataHeat.column(place, x, this.heatOf(this.theme));
      return;
    }
    const ctx = this.xCanvas && fit(this.xCanvas);
    if (!ctx || !this.bitmap) return;
    const { rem } = this.theme;
    const { width: columns, height: rows } = this.bitmap;
    const down = Math.ceil(this.examples.length / ACROSS);
    const [w, h] = [ctx.canvas.clientWidth / ACROSS, ctx.canvas.clientHeight / down];
    const scale = Math.min((w - 0.8 * rem) / columns, (h - 0.8 * rem) / rows);
    const [cx, cy] = [(place % ACROSS) * w + w / 2, Math.floor(place / ACROSS) * h + h / 2];
    const [pw, ph] = [scale * columns, scale * rows];
    ctx.clearRect((place % ACROSS) * w, Math.floor(place / ACROSS) * h, w, h);
    this.bitmap.show(x).paint(ctx, cx - pw / 2, cy - ph / 2, pw, ph);
    ctx.lineWidth = 0.25 * rem;
    ctx.strokeStyle = hueOf(this.hues[k], this.theme);
    ctx.strokeRect(cx - pw / 2, cy - ph / 2, pw, ph);
    this.tag(ctx, cx - pw / 2 + 0.35 * rem, cy - ph / 2 + 0.35 * rem, place);
  }

  /** @param {Heat} heat */
  drawRows(heat) {
    const ctx = this.xCanvas && fit(this.xCanvas);
    if (!ctx) return;
    const { rem } = this.theme;
    const { clientWidth: w, clientHeight: h } = ctx.canvas;
    ctx.clearRect(0, 0, w, h);
    heat.paint(ctx, 0, 1.9 * rem, w, h - 1.9 * rem);
    const n = this.examples.length;
    for (let place = 0; place < n; place++) this.tag(ctx, ((place + 0.5) * w) / n, 0.85 * rem, place);
  }
}

export const mount = mountOf(Rotor);
