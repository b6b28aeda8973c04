// The original and its rotated twin f(M^T z): two models with the same p(x), moved by one set of sliders.

import { captioned, element } from "../elements.js";
import { short } from "../numbers.js";
import { applyTransposed, rotation } from "../rotation.js";
import { Screen } from "../screen.js";
import { SideSlider } from "../sliders.js";
import { SeveralModels } from "./members.js";

/** @import { Vector } from "../types.d.ts" */
/** @import { Explorer } from "../explorer.js" */

export class Twin extends SeveralModels {
  /** @param {Explorer} view */
  constructor(view) {
    super(view);
    this.plane = view.data.plane ?? [0, 1];
    const label = `Angle, ${this.plane.map((k) => view.labelOf(k)).join(" and ")}`;
    const format = (/** @type {number} */ degrees) => `${short(degrees)}\u00B0`;
    this.angle = new SideSlider(view, "angle", { label, max: 90, step: 1, format });
    this.M = rotation(view.side.angle, view.data.d_z, ...this.plane);
  }

  controls() {
    return [this.angle.node, ...super.controls()];
  }

  place() {
    this.M = rotation(this.view.side.angle, this.view.data.d_z, ...this.plane);
  }

  show() {
    super.show();
    this.angle.show();
  }

  /**
   * From the twin's latents to the original's.
   * @param {Vector} z
   */
  turnBack(z) {
    return applyTransposed(this.M, z);
  }

  screens() {
    const through = this.turnBack.bind(this);
    return [new Screen(this.view, { name: "Original" }), new Screen(this.view, { through, name: "Rotated twin" })];
  }

  display() {
    const texts = ["original, f(z)", "rotated twin, f(M\u1D40z)"];
    const panels = this.view.screens.map(({ node }, k) => captioned(node, texts[k]));
    const textContent = "Two models with the same p(x), one set of sliders: the same numbers mean something else in each.";
    const shown = [element("div", { class: "pair" }, ...panels), element("p", { class: "caption", textContent })];
    return this.view.kind === "picture" ? shown : [...shown, this.legend()];
  }

  film() {
    const through = this.turnBack.bind(this);
    return this.filmOf([{ label: "Original" }, { label: "Twin", through }], "both models");
  }
}
