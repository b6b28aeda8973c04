// Moves a control slowly until the user touches it, so that something moves at once.

import { element } from "./elements.js";

/**
 * @typedef {object} Sweep What is moved: its share of the range, and how to go to a share.
 * @property {() => number} share
 * @property {(share: number) => void} goTo
 */
/**
 * @typedef {object} Moving What autoplay needs of a view.
 * @property {HTMLElement} root
 * @property {() => void} request
 * @property {() => void} sendLater
 * @property {{ close: () => void }[]} parts
 */

const PERIOD_S = 9;
const REACH = 0.85; // of the slider
const TOUCHES = ["pointerdown", "keydown", "wheel", "touchstart"];

export class Autoplay {
  /** @param {Moving} view @param {Sweep} sweep @param {string} control */
  constructor(view, sweep, control) {
    this.view = view;
    this.sweep = sweep;
    /** @type {"idle" | "running" | "over"} */
    this.state = "idle";
    /** @type {number | null} */
    this.started = null;
    this.from = 0; // the phase at the start
    this.isVisible = true;
    const textContent = `Moving by itself. Touch ${control} to take over.`;
    this.hint = element("p", { class: "hint", textContent, hidden: true });
    for (const type of TOUCHES) view.root.addEventListener(type, () => this.end(), { passive: true });
    this.watcher = new IntersectionObserver(([entry]) => {
      this.isVisible = entry.isIntersecting;
      if (this.isVisible && this.state === "running") view.request();
    });
    this.watcher.observe(view.root);
    view.parts.push(this);
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

  /** End for good, and report to Python what the screen shows, unless Python moved the sliders itself. */
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
    if (this.started === null) {
      this.started = now;
      this.from = Math.asin(Math.max(-1, Math.min(1, (2 * this.sweep.share() - 1) / REACH)));
    }
    const turns = (now - this.started) / 1000 / PERIOD_S;
    this.sweep.goTo(0.5 + (REACH / 2) * Math.sin(this.from + 2 * Math.PI * turns));
    return true;
  }
}
