// Turn the latents: z~ = M z. The prior's circles stay, the data x = f(M^T z~) stay, what a latent means does not.

import { Autoplay } from "./autoplay.js";
import { Dial, turnable } from "./dial.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { short } from "./numbers.js";
import { Plane, Swarm, sprite } from "./plane.js";
import { rotation } from "./rotation.js";
import { arrows, priorCircles } from "./rotor_marks.js";
import { Points, subscript, TILDE } from "./rotor_points.js";
import { TwinPanels } from "./rotor_twin.js";
import { hueOf, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { OnChange, RotorData, Vector } from "./types.d.ts" */
/** @import { Sprite } from "./plane.js" */

const MOST_LISTED = 12; // hues in the legend

/** @extends {View<RotorData>} */
export class Rotor extends View {
  // Made by `build`.
  /** @type {Points} */
  points;
  /** @type {string[]} Names of the two latents that turn, before and after. */
  names;
  /** @type {string[]} */
  tildes;
  /** @type {Plane} */
  zPlane;
  /** @type {Plane} */
  tPlane;
  /** @type {HTMLElement} */
  legend;
  /** @type {Dial} */
  dial;
  /** @type {TwinPanels | null} */
  twin = null;
  /** @type {Swarm | null} */
  swarm = null;

  /**
   * @param {HTMLElement} root
   * @param {RotorData} data
   * @param {OnChange} onChange
   */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("rotor");
    this.angle = 0;
    this.M = rotation(0, data.d_z);
    this.member = data.member;
    this.isFresh = true; // another decoder or member: the panels find their scales anew
    this.shape = "";
    /** @type {Map<number, Sprite>} */
    this.sprites = new Map();
    const share = () => this.angle / this.data.limit;
    const goTo = (/** @type {number} */ to) => this.turnTo(to * this.data.limit);
    this.autoplay = new Autoplay(this, { share, goTo }, "the dial");
  }

  /** @param {RotorData} data */
  update(data) {
    this.data = data;
    this.theme = themeOf(this.root);
    const shape = JSON.stringify({ ...data, angle: 0, rev: 0, member: 0, autoplay: false });
    if (this.rev > 0 && data.rev > this.rev) this.autoplay.end(false); // Python turns it now
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
    this.autoplay.follow(data.autoplay);
  }

  get isReady() {
    return !this.data.twin || this.model !== null;
  }

  // --- the content of the page

  build() {
    const { data } = this;
    this.points = new Points(data);
    this.names = data.plane.map((k) => `z${subscript(k)}`);
    this.tildes = data.plane.map((k) => `${TILDE}${subscript(k)}`);
    this.swarm = null; // of the panels before
    this.zPlane = this.roundPlane(this.names, "");
    this.tPlane = this.roundPlane(this.tildes, "turns");
    this.twin = data.twin ? new TwinPanels(this) : null;
    const panels = [
      this.panel("Latents z", "circles: N(0, I) at 1, 2, 3 sd", this.zPlane.canvas),
      this.panel(`Rotated ${TILDE} = M z`, "the very same circles", this.tPlane.canvas),
    ];
    if (this.twin) {
      const { caption, canvas, check } = this.twin;
      panels.push(this.panel(`Data x = f(z) = f(M\u1D40${TILDE})`, caption, canvas, check));
    }
    turnable(this, this.tPlane.canvas, () => {
      const { box, canvas } = this.tPlane;
      const { left, top } = canvas.getBoundingClientRect();
      return [left + box.x + box.w / 2, top + box.y + box.h / 2];
    });
    this.legend = element("div", { class: "legend" });
    this.dial = new Dial(this);
    const views = element("div", { class: "views" }, element("div", { class: "scatters" }, ...panels), this.legend);
    this.dial.panel.append(this.autoplay.hint);
    const top = element("div", { class: "top" }, this.dial.panel, views);
    this.body.replaceChildren(top, ...(this.twin && data.strips ? [this.twin.section()] : []));
    this.body.dataset.kind = this.twin?.kind ?? "prior";
    this.body.dataset.strips = data.strips ? "below" : "none";
  }

  /**
   * A plane of two latents, with room for the circles.
   * @param {string[]} names
   * @param {string} className
   */
  roundPlane([xName, yName], className) {
    const plane = new Plane(pictureCanvas("", className), { xName, yName, left: 2.5, bottom: 2.5 });
    const reach = this.points.reach();
    plane.range = { x: [-reach, reach], y: [-reach, reach] };
    return plane;
  }

  /** The values of u that the legend lists. */
  get listed() {
    return [...this.points.groups.keys()].sort((a, b) => a - b).slice(0, MOST_LISTED);
  }

  showLegend() {
    const { theme } = this;
    const { groups, labels } = this.points;
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
    const { d, i, j, base } = this.points;
    this.M = rotation(this.angle, d, i, j, base);
    this.points.turn(this.M);
    this.dial.show(this.angle, this.M);
    this.twin?.stale();
  }

  report() {
    this.describe();
    this.reportValue("angle", Number(this.angle.toFixed(2)));
  }

  describe() {
    const turned = `${short(this.angle)} degrees`;
    const names = this.names.join(", ");
    const before = `Scatter of ${this.points.n} latents ${names} with circles of the standard normal prior`;
    this.zPlane.canvas.setAttribute("aria-label", before);
    this.tPlane.canvas.setAttribute("aria-label", `The same latents rotated by ${turned}, with the same circles`);
    this.twin?.describe(turned);
  }

  // --- drawing

  lay() {
    if (!this.isReady) return;
    const theme = themeOf(this.root);
    this.theme = theme;
    const { n, groups, before } = this.points;
    const [radius, alpha] = n > 1500 ? [0.15 * theme.rem, 0.6] : [0.2 * theme.rem, 0.85];
    const hues = [...groups.keys()];
    this.sprites = new Map(hues.map((hue) => [hue, sprite(hue, hueOf(hue, theme), radius, alpha)]));
    this.showLegend();
    if (this.isFresh) {
      this.isFresh = false;
      this.twin?.survey();
    }
    this.zPlane.lay(theme, (ctx) => {
      this.cloud(ctx, this.zPlane, before);
      priorCircles(ctx, this.zPlane, theme);
      this.twin?.tags(ctx, this.zPlane, before);
    });
    if (this.tPlane.lay(theme)) {
      const symbols = new Map(hues.map((hue) => [hue, { symbol: hue, colour: hueOf(hue, theme) }]));
      this.swarm = new Swarm(this.tPlane, groups, symbols, radius, alpha);
    }
    this.twin?.lay();
    this.describe();
    this.request();
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Plane} plane @param {Vector} pairs */
  cloud(ctx, plane, pairs) {
    for (const [hue, point] of this.sprites) plane.stamp(ctx, pairs, this.points.groups.get(hue) ?? [], point);
  }

  /** @param {number} now */
  draw(now) {
    if (this.closed || !this.isReady || !this.swarm) return;
    const isPlaying = this.autoplay.step(now);
    const began = performance.now();
    const { M, theme } = this;
    const { d, i, j, after } = this.points;
    const before = this.zPlane.begin();
    // z~_i grows along row i of M: the direction M^T e_i
    const rows = [i, j].map((row) => [M[row * d + i], M[row * d + j]]);
    arrows(before, this.zPlane, theme, rows, this.tildes);
    this.zPlane.end();
    const turned = this.tPlane.begin();
    this.swarm.paint(after);
    priorCircles(turned, this.tPlane, theme);
    this.twin?.tags(turned, this.tPlane, after);
    this.tPlane.end();
    this.twin?.draw();
    this.countFrame(performance.now() - began);
    if (isPlaying) this.request();
  }
}

export const mount = mountOf(Rotor);
