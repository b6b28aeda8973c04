// The straight line in latent space between two examples, A and B.

import { STEPS } from "../draw.js";
import { legendEntry } from "../elements.js";
import { numbersOf } from "../numbers.js";
import { Given } from "../screen.js";
import { SideSlider } from "../sliders.js";
import { COLOURS } from "../theme.js";
import { Mode } from "./mode.js";

/** @import { FilmContent, Walk } from "../types.d.ts" */
/** @import { Explorer } from "../explorer.js" */

export class Between extends Mode {
  /** @param {Explorer} view */
  constructor(view) {
    super(view);
    this.title = "Between two examples";
    this.acceptsLatents = false;
    this.isCompact = true;
    this.ends = (view.data.ends ?? []).map(({ z, x }) => ({ z: Float64Array.from(z), x: numbersOf(x) }));
    const format = (/** @type {number} */ t) => `${Math.round(100 * t)} %`;
    this.slider = new SideSlider(view, "t", { label: "From A to B", max: 1, step: 0.01, format });
    this.decodedA = new Float32Array(view.data.d_x);
  }

  controls() {
    return [this.slider.node];
  }

  place() {
    this.view.z = this.walkAt(this.view.side.t);
  }

  show() {
    this.slider.show();
  }

  /** @returns {"t"} */
  get free() {
    return "t";
  }

  /** @returns {Walk} */
  get walk() {
    return { own: "t", name: "way from A to B", unit: " %", lo: 0, hi: 100, share: this.view.side.t };
  }

  /** @param {number} share */
  walkAt(share) {
    const [a, b] = this.ends;
    return a.z.map((v, i) => v + share * (b.z[i] - v));
  }

  /** @param {number} share */
  goTo(share) {
    this.view.side.t = share;
    this.view.place();
  }

  get movedName() {
    return "the way from A to B";
  }

  compare() {
    this.given = [new Given(this.view, "Example A", "data, A"), new Given(this.view, "Example B", "data, B")];
    const name = "Difference, decoded here minus decoded at A";
    this.change = new Given(this.view, name, "change since A, within \u00B10.5");
  }

  originals() {
    return this.ends.map(({ x }) => x);
  }

  baseline() {
    return this.view.decode(this.ends[0].z, this.decodedA);
  }

  marked() {
    return this.ends.map(({ x }, k) => ({ letter: "AB"[k], x }));
  }

  legend() {
    const legend = super.legend();
    if (this.view.kind === "plane") legend.append(legendEntry("cross", COLOURS.data, "the examples A and B"));
    return legend;
  }

  get sweptText() {
    return "x from A to B";
  }

  /** @returns {FilmContent | null} */
  film() {
    const { view } = this;
    if (view.kind === "plane") return null; // the panel above shows the line
    const go = (/** @type {number} */ share) => {
      this.goTo(share);
      view.request();
      view.send();
    };
    const own = () => /** @type {const} */ ("t");
    const row = { label: "A to B", own, at: this.walkAt.bind(this), mark: () => view.side.t, go };
    const text = `A straight line in latent space, decoded at ${STEPS} places${this.lineKey}`;
    return { rows: [row], ends: ["A", "half way", "B"], title: () => text };
  }
}
