// Interactive latents, with E[x|z] decoded at every input event. The explorer is the frame: it holds z, what is drawn
// and what is reported to the host. Its mode (modes/*.js) decides how z is moved and what is decoded from it.

import { Autoplay } from "./autoplay.js";
import { decodeInto } from "./decode.js";
import { kindOf, namesOf } from "./draw.js";
import { element } from "./elements.js";
import { Exports } from "./export.js";
import { Film } from "./film.js";
import { Loss } from "./loss.js";
import { Betas } from "./modes/betas.js";
import { Between } from "./modes/between.js";
import { Members } from "./modes/members.js";
import { PadMode } from "./modes/pad.js";
import { Sliders } from "./modes/sliders.js";
import { Twin } from "./modes/twin.js";
import { number, numbersOf } from "./numbers.js";
import { LatentMap } from "./pad.js";
import { grow, survey } from "./scale.js";
import { themeOf } from "./theme.js";
import { DRAGGED, mountOf, View } from "./view.js";

/** @import { Display, ExplorerData, Kind, ModeName, OnChange, Scale, Side, Vector, Writable } from "./types.d.ts" */
/** @import { Mode } from "./modes/mode.js" */

/** @type {Record<ModeName, new (view: Explorer) => Mode>} */
const MODES = { sliders: Sliders, pad: PadMode, between: Between, members: Members, twin: Twin, betas: Betas };

/** @extends {View<ExplorerData>} */
export class Explorer extends View {
  // Made by `build`.
  /** @type {Mode} */
  mode;
  /** @type {Display[]} */
  screens;
  /** @type {HTMLElement} */
  figure;
  /** @type {string[]} */
  names;
  /** @type {Float32Array | null} */
  background;
  /** @type {Float32Array | null} */
  cloud;
  /** @type {Float32Array | null} */
  reference;
  /** @type {LatentMap | null} */
  map;
  /** @type {Film | null} */
  film = null;
  /** @type {Loss | null} */
  loss = null;

  /** @param {HTMLElement} root @param {ExplorerData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("explorer");
    this.z = Float64Array.from(data.z);
    this.z0 = Float64Array.from(data.z0);
    /** @type {Side} */
    this.side = { t: 0, angle: 30, beta: 0, ...data.side };
    this.sentSide = JSON.stringify(this.side);
    this.member = data.member;
    this.moved = data.latents[0].index; // the latent that was moved last
    this.hasReported = false; // whether it has reported that nothing can be drawn
    this.isFresh = true; // another decoder, member or example: the scales are found anew
    this.shape = "";
    this.example = "";
    this.cost = 0; // ms of the last picture
    this.painted = 0; // when it was drawn
    /** @type {Scale | null} */
    this.scale = null;
    /** @type {Kind} */
    this.kind = kindOf(data);
    const sweep = { share: () => this.mode.walk.share, goTo: (/** @type {number} */ share) => this.mode.goTo(share) };
    this.autoplay = new Autoplay(this, sweep, "a slider");
    this.acceptDrops();
  }

  /** Let an example be dropped here from a sheet of the same decoder. */
  acceptDrops() {
    const { root } = this;
    root.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault();
    });
    root.addEventListener("drop", (event) => {
      const { plan, z } = JSON.parse(event.dataTransfer?.getData(DRAGGED) || "{}");
      if (plan !== this.planId || z.length !== this.z.length || !this.mode.acceptsLatents) return;
      event.preventDefault();
      this.jump(z);
    });
  }

  /** @param {ExplorerData} data */
  update(data) {
    this.data = data;
    this.theme = themeOf(this.root);
    const isFirst = this.rev === 0;
    if (this.isPushed(data.rev)) {
      if (!isFirst) {
        this.autoplay.end(false); // Python moves the sliders now
        this.scrollIntoView();
      }
      this.z = Float64Array.from(data.z);
    }
    this.z0 = Float64Array.from(data.z0);
    const example = JSON.stringify(data.reference);
    if (this.example !== example) {
      this.example = example;
      this.isFresh = true;
    }
    this.reference = numbersOf(data.reference);
    if (this.member !== data.member) {
      this.member = data.member;
      this.isFresh = true;
    }
    // Whatever changes the content of the page builds it anew; another member or z does not.
    const { z, rev, z0, member, reference, autoplay, side, loss, ...rest } = data;
    const shape = JSON.stringify([rest, reference === null, loss === null]);
    if (this.shape !== shape) {
      this.shape = shape;
      this.build();
      this.isFresh = true;
    }
    this.follow(data.plan, () => {
      if (this.hasReported) this.reportFailure("");
      this.isFresh = true;
      this.lay();
    });
    this.place();
    this.lay();
    this.autoplay.follow(data.autoplay);
  }

  /** @param {string} sentence */
  fail(sentence) {
    super.fail(sentence);
    this.reportFailure(sentence);
  }

  /**
   * Python may draw in place of the browser.
   * @param {string} sentence
   */
  reportFailure(sentence) {
    this.hasReported = sentence !== "";
    this.onChange("failed", { plan: this.planId, sentence });
  }

  // --- the content of the page

  build() {
    const { data } = this;
    const focused = this.focusedRole();
    this.kind = kindOf(data);
    this.names = namesOf(data, data.x_names);
    this.background = numbersOf(data.background);
    this.cloud = numbersOf(data.cloud);
    if (!data.latents.some(({ index }) => index === this.moved)) this.moved = data.latents[0].index;
    this.film = null;
    this.mode = new MODES[data.mode](this);
    this.map = this.cloud && data.latents.length > 1 && this.mode.hasMap ? new LatentMap(this) : null;
    this.loss = data.loss ? new Loss(this) : null;
    const controls = this.controls();
    if (this.loss) controls.append(this.loss.node);
    this.screens = this.mode.screens();
    this.figure = element("figure", { class: "display" }, ...this.mode.display());
    if (this.map) (this.figure.querySelector(".sides") ?? controls).append(this.map.node);
    const film = data.filmstrip ? this.mode.film() : null;
    if (film) this.film = new Film(this, film);
    const below = [this.film?.node, data.code === null ? null : new Exports(this).node].filter((node) => node != null);
    this.body.replaceChildren(controls, this.figure, ...below);
    this.body.dataset.kind = this.kind;
    this.body.dataset.mode = data.mode;
    // Few controls leave room for the film under them.
    const isCompact = this.mode.isCompact || (this.kind === "plane" && data.latents.length <= 4);
    this.body.classList.toggle("aside", this.film !== null && isCompact);
    if (focused) this.focusRole(focused);
  }

  /** The element with the keyboard's focus, if a build replaces it: the pad, the map or a raster. */
  focusedRole() {
    const root = /** @type {Document | ShadowRoot} */ (this.root.getRootNode());
    return root.activeElement?.getAttribute("aria-roledescription");
  }

  /** @param {string} role */
  focusRole(role) {
    /** @type {HTMLElement | null} */
    const found = this.body.querySelector(`[aria-roledescription="${role}"]`);
    found?.focus({ preventScroll: true });
  }

  controls() {
    const title = "Back to where it started";
    const reset = element("button", { type: "button", textContent: "Reset", title, onclick: () => this.reset() });
    const heading = element("header", {}, element("h3", { textContent: this.mode.title }), reset);
    const label = { class: "controls", "aria-label": this.mode.title };
    return element("section", label, heading, ...this.mode.controls(), this.autoplay.hint);
  }

  reset() {
    this.z.set(this.z0);
    Object.assign(this.side, { t: 0, beta: 0 });
    this.place();
    this.request();
    this.send();
  }

  /** Replace the film by another one of the same mode. */
  replaceFilm() {
    const content = this.mode.film();
    if (!this.film || !content) return;
    const before = this.film.node;
    this.film = new Film(this, content);
    before.replaceWith(this.film.node);
    if (!this.model || !this.scale) return;
    this.film.lay();
    this.film.draw(Number.POSITIVE_INFINITY);
  }

  /** Scroll to the figure when another widget on the page has changed it. */
  scrollIntoView() {
    const { top, bottom } = this.figure.getBoundingClientRect();
    const edge = 6 * this.theme.rem;
    if (bottom >= edge && top <= globalThis.innerHeight - edge) return;
    this.root.scrollIntoView({ block: "start", behavior: this.autoplay.isStill ? "auto" : "smooth" });
  }

  // --- where things are

  /** @param {number} i */
  labelOf(i) {
    return this.data.latents.find(({ index }) => index === i)?.label ?? `z${i + 1}`;
  }

  /**
   * z with latent i at a value.
   * @param {number} i
   * @param {number} value
   */
  with(i, value) {
    const z = this.z.slice();
    z[i] = value;
    return z;
  }

  /**
   * E[x|z] of a member; null is the one that is shown.
   * @template {Writable} Out
   * @param {Vector} z
   * @param {Out} out
   * @param {number | null} member
   */
  decode(z, out, member = null) {
    return decodeInto(this.decoder, member ?? this.mode.member, z, out);
  }

  // --- moving

  /** @param {number} i @param {number} value */
  move(i, value) {
    this.z[i] = value;
    if (this.moved !== i) {
      this.moved = i;
      this.mode.movesAnother();
    }
    this.mode.show();
    this.film?.stale(i); // a latent's own row does not depend on where its slider is
    this.request();
  }

  /**
   * Set all latents at once, and report it to the host.
   * @param {Vector} z
   */
  jump(z) {
    this.autoplay.end(false);
    this.z.set(z);
    this.place();
    this.request();
    this.send();
  }

  /**
   * Go to a data point of the cloud in all latents, and report which.
   * @param {number} row
   */
  pick(row) {
    const { d_z } = this.data;
    if (this.cloud) this.jump(this.cloud.subarray(row * d_z, (row + 1) * d_z));
    this.reportPick({ row });
  }

  /** After z or side changed as a whole: all that follows from them, except pixels. */
  place() {
    this.mode.place();
    this.mode.show();
    this.film?.stale(this.mode.free);
  }

  position() {
    return { z: this.z.slice(), side: { ...this.side } };
  }

  /** @param {{ z: Float64Array<ArrayBuffer>, side: Side }} position */
  restore({ z, side }) {
    this.z = z;
    this.side = side;
    this.place();
  }

  report() {
    this.describe();
    const side = JSON.stringify(this.side);
    if (this.sentSide !== side) this.onChange("side", { ...this.side });
    this.sentSide = side;
    this.reportValue(
      "z",
      Array.from(this.z, (v) => Number(v.toFixed(3))),
    );
  }

  describe() {
    const where = this.data.latents.map(({ index, label }) => `${label} = ${number(this.z[index])}`).join(", ");
    for (const screen of this.screens) screen.describe(where);
  }

  // --- drawing

  lay() {
    if (!this.model) return;
    this.theme = themeOf(this.root);
    if (this.isFresh || !this.scale) {
      this.isFresh = false;
      this.scale = survey(this);
    }
    for (const screen of this.screens) screen.lay();
    this.film?.lay();
    this.mode.lay();
    this.map?.lay();
    this.describe();
    this.request();
  }

  /** The screens as z has them now. */
  paint() {
    for (const screen of this.screens) screen.decode(this.z);
    if (this.scale && grow(this.scale, this.kind, this.screens)) {
      for (const screen of this.screens) screen.lay();
      this.film?.lay();
    }
    for (const screen of this.screens) screen.draw();
    this.mode.draw();
    this.map?.draw();
    this.loss?.draw();
  }

  /** @param {number} now */
  draw(now) {
    if (!this.model || this.closed) return;
    const isPlaying = this.autoplay.step(now);
    const began = performance.now();
    this.paint();
    this.painted = performance.now();
    this.cost = this.painted - began;
    this.countFrame(this.cost);
    if (isPlaying) this.request();
    this.film?.drawWhenIdle();
  }
}

export const mount = mountOf(Explorer);
