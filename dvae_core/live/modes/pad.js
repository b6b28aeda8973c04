// Two latents at once.

import { Pad } from "../pad.js";
import { Mode } from "./mode.js";

/** @import { Explorer } from "../explorer.js" */

export class PadMode extends Mode {
  /** @param {Explorer} view */
  constructor(view) {
    super(view);
    this.pad = new Pad(view);
  }

  controls() {
    return [this.pad.node];
  }

  lay() {
    super.lay();
    this.pad.lay();
  }

  draw() {
    super.draw();
    this.pad.draw();
  }
}
