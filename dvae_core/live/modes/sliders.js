// One slider per latent.

import { element } from "../elements.js";
import { LatentSlider } from "../sliders.js";
import { Mode } from "./mode.js";

/** @import { Explorer } from "../explorer.js" */

export class Sliders extends Mode {
  /** @param {Explorer} view */
  constructor(view) {
    super(view);
    this.hasMap = true;
    this.sliders = view.data.latents.map((latent) => new LatentSlider(view, latent));
  }

  /** @returns {HTMLElement[]} */
  controls() {
    return [element("div", { class: "sliders" }, ...this.sliders.map(({ node }) => node))];
  }

  show() {
    for (const slider of this.sliders) slider.show();
  }
}
