// What explorer, sheet and rotor have in common: a decoder that may come later, one redraw per display frame, sizes, and a
// sentence where nothing can be drawn. Needs decode.js and draw.js.

// --- decoders: the store offers them, the views wait for them

// id -> {model | error, holders} and id -> waiting callbacks. On globalThis: each component is a module of its own.
const DECODERS = (globalThis.__dvaeDecoders ??= { offered: new Map(), waiting: new Map() });

/** A store mount has this decoder (or the sentence that says why not). */
function offerDecoder(id, offer) {
  const held = DECODERS.offered.get(id);
  if (held) {
    held.holders += 1;
    return;
  }
  DECODERS.offered.set(id, { ...offer, holders: 1 });
  for (const tell of DECODERS.waiting.get(id) ?? []) tell(offer);
}

/** The store mount has gone. Views that already have the decoder keep it. */
function withdrawDecoder(id) {
  const held = DECODERS.offered.get(id);
  if (held && --held.holders <= 0) DECODERS.offered.delete(id);
}

/** Call back with {model} or {error}, at once if it is here, else when it comes. Returns a function that stops waiting. */
function awaitDecoder(id, tell) {
  const held = DECODERS.offered.get(id);
  if (held) {
    tell(held);
    return () => {};
  }
  if (!DECODERS.waiting.has(id)) DECODERS.waiting.set(id, new Set());
  DECODERS.waiting.get(id).add(tell);
  return () => DECODERS.waiting.get(id)?.delete(tell);
}

// --- a view: what explorer, sheet and rotor have in common

const DRAGGED = "application/x-dvae-latents"; // what an example carries from a sheet to an explorer: {plan, z}
const SAY_MISSING_AFTER_MS = 5000;

/** One mount: its root, its decoder (by plan id), redrawing once per display frame, resizing, a sentence when it cannot draw. */
class View {
  constructor(root) {
    this.root = root;
    this.model = null;
    this.planId = undefined;
    this.message = element("p", { class: "message", hidden: true });
    this.body = element("div", { class: "body" });
    root.replaceChildren(this.message, this.body);
    this.frame = 0;
    this.timers = new Set();
    this.stopWaiting = () => {};
    this.onFrame = (now) => {
      this.frame = 0;
      this.draw(now);
    };
    this.width = 0;
    this.resizes = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === this.width) return; // its height follows from what is drawn
      this.width = contentRect.width;
      this.relay();
    });
    this.resizes.observe(root);
    // Only the cleanup returned by the latest call is kept: always the same one.
    this.close = () => {
      this.stopWaiting();
      this.resizes.disconnect();
      cancelAnimationFrame(this.frame);
      for (const timer of this.timers) clearTimeout(timer);
      this.closed = true;
    };
  }

  /** Draw in the next display frame, however often this is asked for. */
  request() {
    if (!this.closed) this.frame ||= requestAnimationFrame(this.onFrame);
  }

  /** A sentence in place of the picture ("" brings the picture back). While waiting the room for it is kept. */
  say(sentence, waiting = false) {
    this.message.textContent = sentence;
    this.message.hidden = !sentence;
    this.message.classList.toggle("waiting", waiting);
    this.body.classList.toggle("blank", waiting);
    this.body.hidden = Boolean(sentence) && !waiting;
  }

  /** Follow the decoder with this id; nothing of the one before stays on the screen. */
  follow(id, ready) {
    if (this.planId === id) return;
    this.planId = id;
    this.model = null;
    this.stopWaiting();
    this.say("Waiting for the decoder ...", true);
    this.later(SAY_MISSING_AFTER_MS, () => {
      if (this.planId === id && !this.model && !this.failed) this.fail(`The decoder ${id} has not come to this page: it is sent by ship(plan, tensors).`);
    });
    this.failed = false;
    this.stopWaiting = awaitDecoder(id, ({ model, error }) => {
      if (this.planId !== id || this.closed) return;
      if (error) {
        this.fail(error);
        return;
      }
      // Scratch memory is shared by all views of a decoder; decoding never yields half way, so that is safe.
      this.model = model;
      this.say("");
      ready();
    });
  }

  /** Say why nothing can be drawn; a view may also tell Python. */
  fail(sentence) {
    this.failed = true;
    this.say(sentence);
  }

  later(ms, run) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
    return timer;
  }
}

/** Draw `jobs` that are stale, going on where the last frame stopped, for at most `budget` ms. True when some are left. */
function pump(jobs, state, budget, work) {
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
