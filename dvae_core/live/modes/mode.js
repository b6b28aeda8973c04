// The base of all modes: the explorer gets the controls, the screens and the film from its mode, and calls it when z or
// side has changed. The defaults are those of moving one latent at a time.

import { MOST_NAMED } from "../draw.js";
import { captioned, element, legendEntry } from "../elements.js";
import { isCounts, short } from "../numbers.js";
import { Rates } from "../rates.js";
import { Given, Screen } from "../screen.js";
import { COLOURS } from "../theme.js";

/** @import { Display, FilmContent, FilmRow, Vector, Walk } from "../types.d.ts" */
/** @import { Explorer } from "../explorer.js" */

export const MOST_ROWS = 24; // of small planes; with all betas, of rows

export class Mode {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    this.title = "Latents";
    this.acceptsLatents = true; // from a sheet, as a drop
    this.hasMap = false; // a click in the latents' map may move the sliders
    this.isCompact = false; // few controls: the film fits under them
    /** @type {Given[]} Pictures beside the one that is decoded. */
    this.given = [];
    /** @type {Given | null} */
    this.change = null;
    this.sweptName = element("span");
  }

  // --- what is moved

  /** @returns {HTMLElement[]} */
  controls() {
    return [];
  }

  /** z or side has changed as a whole. */
  place() {}

  /** Let the controls show z and side. */
  show() {}

  /** Another latent than before is being moved. */
  movesAnother() {}

  /** The control that may move without a change to the rows of the film: see FilmRow.own. @returns {"t" | null} */
  get free() {
    return null;
  }

  /** The member that is shown. */
  get member() {
    return this.view.member;
  }

  // --- what was moved last, through its range

  /** @returns {Walk} */
  get walk() {
    const { moved: i, z, data } = this.view;
    const [lo, hi] = [Math.min(data.lo[i], z[i]), Math.max(data.hi[i], z[i])];
    return { own: i, name: this.view.labelOf(i), unit: "", lo, hi, share: (z[i] - lo) / (hi - lo) };
  }

  /**
   * z at a share of the walk.
   * @param {number} share
   * @returns {Float64Array<ArrayBuffer>}
   */
  walkAt(share) {
    const { lo, hi } = this.walk;
    return this.view.with(this.view.moved, lo + share * (hi - lo));
  }

  /**
   * Go to a share of the walk, without a report.
   * @param {number} share
   */
  goTo(share) {
    this.view.z = this.walkAt(share);
    this.view.place();
  }

  /** What an animation shows. */
  get displayed() {
    return this.view.figure;
  }

  /** The walk, in a sentence. */
  get movedName() {
    return this.walk.name;
  }

  // --- what is drawn

  /** @returns {Display[]} */
  screens() {
    const { data, kind } = this.view;
    const isRaster = kind === "bars" && (isCounts(data) || data.d_x > MOST_NAMED);
    return [isRaster ? new Rates(this.view) : new Screen(this.view)];
  }

  /** The contents of the figure. @returns {HTMLElement[]} */
  display() {
    const [screen] = this.view.screens;
    if (screen instanceof Rates) return [screen.node];
    if (this.view.kind !== "picture") return [screen.node, this.legend()];
    this.compare();
    const row = element("div", { class: "pictures" }, captioned(screen.node, "decoded, E[x|z]"));
    const beside = [...this.given, ...(this.change ? [this.change] : [])].map(({ node }) => node);
    if (beside.length || this.view.map) {
      row.append(element("div", { class: this.view.map ? "sides wide" : "sides" }, ...beside));
    }
    return [row];
  }

  /** Put what a decoded picture is compared with into `given` and `change`. */
  compare() {
    if (!this.view.reference) return;
    this.given = [new Given(this.view, "The data example", "data, x")];
    this.change = new Given(this.view, "Difference, decoded minus data", "difference, within \u00B10.5");
  }

  /** The x of each picture in `given`, in their order. @returns {Vector[]} */
  originals() {
    return this.view.reference ? [this.view.reference] : [];
  }

  /** The x from which `change` is the difference. */
  baseline() {
    return this.originals()[0];
  }

  /** Data points that a plane marks by a letter. @returns {{ letter: string, x: Vector }[]} */
  marked() {
    return [];
  }

  legend() {
    const { kind, background } = this.view;
    const legend = element("figcaption");
    if (kind === "plane") {
      const swept = legendEntry("line", COLOURS.latent, "");
      this.sweptName = /** @type {HTMLSpanElement} */ (swept.lastElementChild);
      legend.append(legendEntry(0, COLOURS.reconstruction, "decoded, f(z)"), swept);
      if (background) legend.append(legendEntry(0, COLOURS.data, "data"));
    } else legend.append(legendEntry(1, COLOURS.reconstruction, "decoded, E[x|z]"));
    if (this.marksExample) legend.append(legendEntry(kind === "plane" ? "cross" : "tick", COLOURS.data, "this example"));
    return legend;
  }

  /** Whether the screens mark the example that the sliders start from. */
  get marksExample() {
    return this.view.reference !== null;
  }

  get sweptText() {
    return `x as ${this.walk.name} moves`;
  }

  lay() {
    const originals = this.originals();
    for (const [k, given] of this.given.entries()) given.show(originals[k]);
  }

  draw() {
    this.sweptName.textContent = this.sweptText;
    this.change?.showDifference(this.view.screens[0].x, this.baseline());
  }

  // --- the filmstrip

  /** @returns {FilmContent | null} */
  film() {
    const { kind, data } = this.view;
    const latents = data.latents.slice(0, kind === "plane" ? MOST_ROWS : undefined);
    const rows = latents.map(({ index, label, dead }) => ({ ...this.latentRow(index), label, dead }));
    const each = kind === "plane" ? "panel" : "row";
    const text = `Each ${each} moves one latent ${this.across}, the others stay where the sliders are${this.lineKey}`;
    return { rows, ends: this.rangeEnds(), title: () => text };
  }

  /**
   * A row of the film that moves latent i through the range of its slider.
   * @param {number} i
   * @returns {FilmRow}
   */
  latentRow(i) {
    const { view } = this;
    const { lo, hi } = view.data;
    const valueAt = (/** @type {number} */ share) => lo[i] + share * (hi[i] - lo[i]);
    return {
      label: view.labelOf(i),
      own: () => i,
      at: (share) => view.with(i, valueAt(share)),
      mark: () => (view.z[i] - lo[i]) / (hi[i] - lo[i]),
      go: (share) => {
        view.move(i, valueAt(share));
        view.send();
      },
    };
  }

  /** The labels under the film's first, middle and last step. */
  rangeEnds() {
    const { lo, hi } = this.view.data;
    const isSame = lo.every((v) => v === lo[0]) && hi.every((v) => v === hi[0]);
    return isSame ? [short(lo[0]), short((lo[0] + hi[0]) / 2), short(hi[0])] : ["lowest", "middle", "highest"];
  }

  get across() {
    return this.view.kind === "plane" ? "through its range" : "from left to right";
  }

  /** How to read the lines of a heat strip. */
  get lineKey() {
    const { kind, data } = this.view;
    if (kind !== "bars") return "";
    return isCounts(data)
      ? ". Lines are neurons, orange above and purple below their rate in the middle"
      : ". Lines are dimensions, orange above and purple below the middle, each by its own largest change";
  }
}
