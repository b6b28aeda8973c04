// Sliders: of one latent, and of what is moved beside the latents.

import { element } from "./elements.js";
import { number } from "./numbers.js";

/** @import { Latent, Side } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

/** @type {Record<string, number>} */
const STEPS_OF_KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 };

export class LatentSlider {
  /** @param {Explorer} view @param {Latent} latent */
  constructor(view, latent) {
    this.view = view;
    this.index = latent.index;
    const { lo, hi } = view.data;
    const range = { min: lo[this.index], max: hi[this.index], step: "any" };
    this.input = element("input", { type: "range", ...range, "aria-label": latent.label });
    this.output = element("output", { class: "value" });
    /** @type {number | null} */
    this.shown = null;
    const dead = latent.dead ? ["dead"] : [];
    const notes = [...dead, ...(latent.kl === null ? [] : [`KL ${number(latent.kl)} nats`])].join(", ");
    const name = [element("b", { textContent: latent.label }), element("small", { textContent: notes })];
    const className = ["row", ...dead].join(" ");
    this.node = element("label", { class: className }, element("span", { class: "name" }, ...name), this.input, this.output);
    if (latent.dead) this.input.setAttribute("aria-description", "dead: the posterior of this latent is its prior");
    this.listen();
  }

  listen() {
    const { input, view } = this;
    input.addEventListener("input", () => {
      view.autoplay.end(false);
      view.move(this.index, Number(input.value));
      view.sendLater();
    });
    input.addEventListener("change", () => view.send());
    // Arrows move by a tenth (with Shift a hundredth), Page keys by half a unit; Home and End stay native.
    input.addEventListener("keydown", (event) => {
      const way = STEPS_OF_KEYS[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const unit = event.shiftKey ? 0.01 : 0.1;
      input.value = String(Math.round(Number(input.value) / unit + way) * unit);
      input.dispatchEvent(new Event("input"));
    });
  }

  show() {
    const { input, output, view, index } = this;
    const v = view.z[index];
    if (this.shown === v) return;
    this.shown = v;
    // A data example may lie beyond the range; the native slider would silently show its end.
    const lo = Math.min(view.data.lo[index], v);
    const hi = Math.max(view.data.hi[index], v);
    [input.min, input.max, input.value] = [lo, hi, v].map(String);
    fill(input, lo, hi, v);
    const text = number(v);
    if (output.textContent !== text) output.textContent = text;
  }
}

/** A slider from 0 up, for anything that is not a latent. */
export class SideSlider {
  /**
   * @param {Explorer} view
   * @param {keyof Side} name
   * @param {{ label: string, max: number, step: number, format: (value: number) => string }} look
   */
  constructor(view, name, { label, max, step, format }) {
    this.view = view;
    this.name = name;
    this.max = max;
    this.format = format;
    this.input = element("input", { type: "range", min: 0, max, step, "aria-label": label });
    this.output = element("output", { class: "value" });
    const heading = element("span", { class: "name" }, element("b", { textContent: label }));
    this.node = element("label", { class: "row side" }, heading, this.input, this.output);
    this.input.addEventListener("input", () => {
      view.side[name] = Number(this.input.value);
      view.place();
      view.request();
      view.sendLater();
    });
    this.input.addEventListener("change", () => view.send());
  }

  show() {
    const value = this.view.side[this.name];
    this.input.value = String(value);
    this.output.textContent = this.format(value);
    this.input.setAttribute("aria-valuetext", this.output.textContent);
    fill(this.input, 0, this.max, value);
  }
}

/**
 * Colour a slider's track from 0 to its value.
 * @param {HTMLInputElement} input
 * @param {number} lo
 * @param {number} hi
 * @param {number} v
 */
export function fill(input, lo, hi, v) {
  const at = (/** @type {number} */ x) => `${(((Math.max(lo, Math.min(hi, x)) - lo) / (hi - lo || 1)) * 100).toFixed(2)}%`;
  input.style.setProperty("--from", at(Math.min(0, v)));
  input.style.setProperty("--to", at(Math.max(0, v)));
}
