// The base of all views: a decoder that may arrive later, one redraw per display frame, sizes, reports to the host,
// and a sentence where nothing can be drawn.

import { element } from "./elements.js";
import { COLOURS, themeOf } from "./theme.js";

/** @import { Model, Mount, Offer, OnChange } from "./types.d.ts" */

// --- decoders: the store offers them, the views wait for them

/** @typedef {{ offered: Map<string, Offer & { holders: number }>, waiting: Map<string, Set<(offer: Offer) => void>> }} Decoders */

/** By the plan's id. On globalThis, because each component may be a bundle of its own. */
const page = /** @type {{ dvaeDecoders?: Decoders }} */ (globalThis);
page.dvaeDecoders ??= { offered: new Map(), waiting: new Map() };
const DECODERS = page.dvaeDecoders;

/**
 * Offer a decoder that a store has, or the sentence that says why it has none.
 * @param {string} id
 * @param {Offer} offer
 */
export function offerDecoder(id, offer) {
  const held = DECODERS.offered.get(id);
  if (held) {
    held.holders += 1;
    return;
  }
  DECODERS.offered.set(id, { ...offer, holders: 1 });
  for (const receive of DECODERS.waiting.get(id) ?? []) receive(offer);
}

/**
 * Withdraw the decoder of a store that was removed. Views that already have it keep it.
 * @param {string} id
 */
export function withdrawDecoder(id) {
  const held = DECODERS.offered.get(id);
  if (held && --held.holders <= 0) DECODERS.offered.delete(id);
}

/**
 * Call back with the decoder, at once if it is here, otherwise when it arrives. Returns a function that stops waiting.
 * @param {string} id
 * @param {(offer: Offer) => void} receive
 */
function awaitDecoder(id, receive) {
  const held = DECODERS.offered.get(id);
  if (held) {
    receive(held);
    return () => {};
  }
  const waiting = DECODERS.waiting.get(id) ?? new Set();
  DECODERS.waiting.set(id, waiting.add(receive));
  return () => {
    waiting.delete(receive);
  };
}

// --- views

export const DRAGGED = "application/x-dvae-latents"; // what an example carries from a sheet to an explorer: {plan, z}
const REPORT_MISSING_AFTER_MS = 5000;
const SEND_AFTER_MS = 200; // after the last move; a release sends at once

/**
 * One mount. A view implements update(data), lay() and draw(now); one that reports a value also has report().
 * @template Data
 */
export class View {
  /** @param {HTMLElement} root @param {Data} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    this.root = root;
    this.data = data;
    this.onChange = onChange;
    root.classList.add("dv");
    for (const role of /** @type {const} */ (["latent", "bad", "reference", "prior", "reconstruction"])) {
      root.style.setProperty(`--${role}`, COLOURS[role]);
    }
    this.theme = themeOf(root);
    /** @type {Model | null} */
    this.model = null;
    /** @type {string | null} */
    this.planId = null;
    this.failed = false;
    this.closed = false;
    this.rev = 0; // of the last value that the host pushed; it starts at 1
    this.sent = ""; // the last value that the host knows
    this.count = 0;
    this.message = element("p", { class: "message", hidden: true });
    this.body = element("div", { class: "body" });
    root.replaceChildren(this.message, this.body);
    this.frame = 0;
    /** @type {Set<number>} */
    this.timers = new Set();
    this.sending = 0;
    this.stopWaiting = () => {};
    /** Parts that are closed with the view. @type {{ close: () => void }[]} */
    this.parts = [];
    this.width = 0;
    this.resizes = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === this.width) return; // its height follows from what is drawn
      this.width = contentRect.width;
      this.lay();
    });
    this.resizes.observe(root);
  }

  /**
   * Take over new data; with equal data, only the theme may have changed.
   * @param {Data} _data
   */
  update(_data) {}

  /** Paint what stays while something moves: after a new size, theme, decoder or member. */
  lay() {}

  /**
   * Paint what moves.
   * @param {number} _now
   */
  draw(_now) {}

  close() {
    for (const part of this.parts) part.close();
    this.stopWaiting();
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    for (const timer of this.timers) clearTimeout(timer);
    this.closed = true;
  }

  /** Draw in the next display frame, however often this is asked for. */
  request() {
    if (this.closed) return;
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      this.draw(now);
    });
  }

  /** For tests and benchmarks: how many frames were drawn, and how long the last one took. */
  countFrame(ms = 0) {
    const { dataset } = this.root;
    dataset.frames = String(Number(dataset.frames ?? 0) + 1);
    dataset.ms = ms.toFixed(2);
  }

  /**
   * Show a sentence in place of the picture; "" brings the picture back. While waiting, the room for it is kept.
   * @param {string} sentence
   */
  showMessage(sentence, waiting = false) {
    this.message.textContent = sentence;
    this.message.hidden = !sentence;
    this.message.classList.toggle("waiting", waiting);
    this.body.classList.toggle("blank", waiting);
    this.body.hidden = Boolean(sentence) && !waiting;
  }

  /** The decoder, where it is certain to be here. */
  get decoder() {
    return /** @type {Model} */ (this.model);
  }

  /**
   * Follow the decoder with this id; nothing of the one before stays on the screen.
   * @param {string} id
   * @param {() => void} ready
   */
  follow(id, ready) {
    if (this.planId === id) return;
    this.planId = id;
    this.model = null;
    this.failed = false;
    this.stopWaiting();
    this.showMessage("Waiting for the decoder ...", true);
    this.later(REPORT_MISSING_AFTER_MS, () => {
      if (this.planId !== id || this.model || this.failed) return;
      this.fail(`The decoder ${id} has not come to this page: it is sent by ship(plan, tensors).`);
    });
    this.stopWaiting = awaitDecoder(id, ({ model, error }) => {
      if (this.planId !== id || this.closed) return;
      if (!model) {
        this.fail(error ?? "");
        return;
      }
      // All views of a decoder share its scratch memory; that is safe because decoding never yields half way.
      this.model = model;
      this.showMessage("");
      ready();
    });
  }

  /** Stop following a decoder: the data need none. */
  unfollow() {
    this.planId = null;
    this.stopWaiting();
    this.showMessage("");
  }

  /**
   * Say why nothing can be drawn; a view may also report it.
   * @param {string} sentence
   */
  fail(sentence) {
    this.failed = true;
    this.showMessage(sentence);
  }

  /** @param {number} ms @param {() => void} run */
  later(ms, run) {
    const timer = window.setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  // --- reports to the host

  /**
   * Whether the host has pushed another value than before; from now on, reports answer that push.
   * @param {number} rev
   */
  isPushed(rev) {
    if (this.rev === rev) return false;
    this.rev = rev;
    this.sent = "";
    return true;
  }

  /** Report the value of the view when it is moved. */
  report() {}

  /** Report once nothing has moved for a while. */
  sendLater() {
    this.cancelSending();
    this.sending = this.later(SEND_AFTER_MS, () => this.send());
  }

  /** Report now. */
  send() {
    this.cancelSending();
    this.report();
  }

  cancelSending() {
    clearTimeout(this.sending);
    this.timers.delete(this.sending);
  }

  /**
   * Report the value that both sides may move, unless the host knows it: a release follows the debounce of a short drag.
   *
   * The host drops what answers an older push than its last (rev). The count makes a return to an earlier value news.
   * @param {string} name
   * @param {unknown} value
   */
  reportValue(name, value) {
    const text = JSON.stringify(value);
    if (this.sent === text) return;
    this.sent = text;
    this.onChange(name, { value, rev: this.rev, count: ++this.count });
  }

  /**
   * Report that something was chosen, also if it is the same as before.
   * @param {Record<string, unknown>} what
   */
  reportPick(what) {
    this.onChange("picked", { ...what, count: ++this.count });
  }
}

/**
 * The mount function of a view.
 * @template Data
 * @param {new (root: HTMLElement, data: Data, onChange: OnChange) => View<Data>} ViewClass
 * @returns {Mount<Data>}
 */
export const mountOf =
  (ViewClass) =>
  ({ element, data, onChange }) => {
    const view = new ViewClass(element, data, onChange);
    view.update(data);
    return { update: (next) => view.update(next), close: () => view.close() };
  };

/**
 * Do the jobs that are stale, starting where the last frame stopped, for at most `budget` ms. True when some are left.
 * @template {{ stale: boolean }} Job
 * @param {Job[]} jobs
 * @param {{ cursor: number }} state
 * @param {number} budget
 * @param {(job: Job) => void} work
 */
export function pump(jobs, state, budget, work) {
  const until = performance.now() + budget;
  const n = jobs.length;
  for (let k = 0; k < n; k++) {
    const at = (state.cursor + k) % n;
    if (!jobs[at].stale) continue;
    jobs[at].stale = false;
    work(jobs[at]);
    if (performance.now() > until) {
      state.cursor = (at + 1) % n;
      return jobs.some((job) => job.stale);
    }
  }
  return false;
}
