// The first latent sweeps slowly until someone touches the explorer: something moves before a word is read.

import { element } from "./elements.js";

/** @import { Explorer } from "./explorer.js" */

const PERIOD_S = 9;
const REACH = 0.85; // of the slider
const TOUCHES = ["pointerdown", "keydown", "wheel", "touchstart"];

export class Autoplay {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    /** @type {"idle" | "running" | "over"} */
    this.state = "idle";
    /** @type {number | null} */
    this.started = null;
    this.isVisible = true;
    const textContent = "Moving by itself. Touch a slider to take over.";
    this.hint = element("p", { class: "hint", textContent, hidden: true });
    for (const type of TOUCHES) view.root.addEventListener(type, () => this.end(), { passive: true });
    this.watcher = new IntersectionObserver(([entry]) => {
      this.isVisible = entry.isIntersecting;
      if (this.isVisible && this.state === "running") view.request();
    });
    this.watcher.observe(view.root);
  }

  close() {
    this.watcher.disconnect();
  }

  /** Whether the system asks for reduced motion. */
  get isStill() {
    return globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /**
   * Start, the first time that Python asks for it; end where it no longer does.
   * @param {boolean} isWanted
   */
  follow(isWanted) {
    if (!isWanted) this.end(false);
    else if (this.state === "idle") this.state = this.isStill ? "over" : "running";
    this.hint.hidden = this.state !== "running";
  }

  /** For good. Python hears of what the screen shows, unless it has moved the sliders itself. */
  end(reports = true) {
    const ran = this.state === "running";
    this.state = "over";
    this.hint.hidden = true;
    if (ran && reports && this.started !== null) this.view.sendLater();
  }

  /**
   * Move one step, in a display frame. Whether it moves on.
   * @param {number} now
   */
  step(now) {
    if (this.state !== "running" || !this.isVisible) return false;
    const { lo, hi, latents } = this.view.data;
    const i = latents[0].index;
    this.started ??= now;
    const middle = (lo[i] + hi[i]) / 2;
    const half = ((hi[i] - lo[i]) / 2) * REACH;
    const from = Math.asin(Math.max(-1, Math.min(1, (this.view.z0[i] - middle) / half)));
    const turns = (now - this.started) / 1000 / PERIOD_S;
    this.view.move(i, middle + half * Math.sin(from + 2 * Math.PI * turns));
    return true;
  }
}
