// The playground: one screen on which eight seeds of a VAE or an iVAE learn while the world, u and the bound are changed.

import { download, element } from "./elements.js";
import { buttonOf, choiceOf, dialOf } from "./playground/controls.js";
import { Known } from "./playground/known.js";
import { createPool } from "./playground/pool.js";
import { Scene } from "./playground/scene.js";
import { Marks, Seeds } from "./playground/seeds.js";
import { advice, verdict } from "./playground/sentences.js";
import { CHOICES, DIALS, decode, encode, isSame, MEMBERS, MOST_SEED, PRESETS, SHOWN, trainingOf, worldOf } from "./playground/settings.js";
import { cloudsOf, drawWorld } from "./playground/world.js";
import { COLOURS, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { OnChange, PlaygroundData, PlaygroundFrame, PlaygroundState } from "./types.d.ts" */
/** @typedef {keyof PlaygroundState} Name */

const WORLD_DIALS = /** @type {const} */ (["segments", "strength", "layers", "dx", "folds", "noise"]);
// Seeds 3, and 2, 1, 4 and 0 of the world: node tests/js/playground_sentence.js < {"link": "prior~u_seed~2", "steps": 800, "members": 8}
const CHOSEN =
  "The first world was chosen among five for its result: with u its seeds agree at R\u00B2 1.00 (order, sign, scale), those of the others at .84, .96, .99 and 1.00. Other data shows the spread.";
const OF_SEGMENTS = ["segments", "moves"]; // what only a world that changes with u has
const REDRAW_AFTER_MS = 120; // of the last move of a dial of the world: a start costs more than a frame

/** @extends {View<PlaygroundData>} */
export class Playground extends View {
  /** @param {HTMLElement} root @param {PlaygroundData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("playground");
    root.style.setProperty("--factor", COLOURS.factor);
    /** @type {PlaygroundState} */
    this.state = PRESETS[0].state;
    /** @type {string | null} */
    this.link = null; // the last that was read or reported
    /** @type {PlaygroundFrame | null} */
    this.frameSeen = null;
    this.isWanted = false; // to play
    this.isVisible = true;
    this.isRunning = false;
    this.isStarting = 0;
    /** @type {Record<string, { node: HTMLElement, show: (value: any) => void }>} */
    this.controls = {};
    this.pool = createPool((/** @type {any} */ message) => this.receive(message));
    this.seeds = new Seeds();
    this.known = new Known();
    this.scene = new Scene((clouds) => this.change("clouds", clouds));
    this.build();
    this.watch();
  }

  build() {
    for (const name of /** @type {const} */ (["kind", "moves", "prior", "posterior"]))
      this.controls[name] = choiceOf(name, CHOICES[name], (value) => this.change(name, value));
    for (const name of /** @type {const} */ ([...WORLD_DIALS, "beta"]))
      this.controls[name] = dialOf(DIALS[name], (value) => this.change(name, value));
    this.presets = PRESETS.map(({ name, state }, k) => {
      const chip = buttonOf("", () => this.go(state));
      chip.append(element("b", { textContent: String(k + 1) }), ` ${name}`);
      return chip;
    });
    this.playing = buttonOf("Play", () => this.play(!this.isWanted), "play");
    this.saving = buttonOf("Save", () => this.save());
    this.saving.title = "A file of these seeds: python -m dvae_core import-run FILE turns it into a run";
    this.progress = element("output", { class: "progress" });
    const buttons = [
      this.playing,
      buttonOf("Step", () => this.step()),
      buttonOf("Reset", () => this.start()),
      buttonOf("Other data", () => this.change("seed", (this.state.seed + 1) % (MOST_SEED + 1))),
      this.saving,
    ];
    this.sentence = element("p", { class: "verdict", role: "status" });
    this.advice = element("p", { class: "advice" });
    this.problem = element("p", { class: "message", role: "alert", hidden: true });
    const { controls } = this;
    const dials = element("div", { class: "dials" }, ...[...WORLD_DIALS].map((name) => controls[name].node));
    this.body.append(
      this.problem,
      element(
        "div",
        { class: "top" },
        element("div", { class: "presets", role: "group", "aria-label": "Five experiments" }, ...this.presets),
        element("div", { class: "transport", role: "group", "aria-label": "Training" }, ...buttons, this.progress),
      ),
      element(
        "section",
        { class: "world", "aria-label": "The world" },
        element("h3", { textContent: "The world" }),
        this.scene.node,
        controls.kind.node,
        controls.moves.node,
        dials,
      ),
      element(
        "section",
        { class: "seeds", "aria-label": "Eight seeds" },
        element("h3", { textContent: "Eight seeds of one model, learning the same x" }),
        this.seeds.node,
        this.sentence,
        this.advice,
        element("p", {
          class: "caption",
          textContent:
            "Latents z1, z2 of each seed; order and sign as in seed 0. Arrows: where z1 and z2 (dashed) point among the true factors.",
        }),
        element("p", { class: "caption", textContent: CHOSEN }),
      ),
      this.known.node,
      element(
        "div",
        { class: "switches", role: "group", "aria-label": "The model" },
        controls.prior.node,
        controls.posterior.node,
        controls.beta.node,
      ),
    );
  }

  watch() {
    this.onKey = (/** @type {KeyboardEvent} */ event) => {
      const target = event.composedPath()[0];
      const isFree = target === document.body || (target instanceof Node && this.root.contains(target));
      const isTaken = target instanceof HTMLElement && target.closest("button, input[type=radio], summary, a");
      if (event.key !== " " || !isFree || isTaken || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.play(!this.isWanted);
    };
    this.onHidden = () => this.follows();
    this.onResize = () => this.size();
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("visibilitychange", this.onHidden);
    addEventListener("resize", this.onResize);
    this.watcher = new IntersectionObserver(([entry]) => {
      this.isVisible = entry.isIntersecting;
      this.size();
      this.follows();
    });
    this.watcher.observe(this.root);
  }

  close() {
    super.close();
    if (this.onKey) document.removeEventListener("keydown", this.onKey);
    if (this.onHidden) document.removeEventListener("visibilitychange", this.onHidden);
    if (this.onResize) removeEventListener("resize", this.onResize);
    this.watcher?.disconnect();
    this.pool.close();
  }

  /** @param {PlaygroundData} data */
  update(data) {
    this.data = data;
    if (this.isPushed(data.rev)) {
      const { state, problem } = decode(data.link);
      const isFirst = this.link === null;
      this.link = data.link;
      this.problemIs(problem);
      this.state = state;
      if (isFirst) this.isWanted = !matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.begin();
    }
    this.lay();
  }

  // --- settings

  /** One dial or switch. @param {Name} name @param {any} value */
  change(name, value) {
    const state = /** @type {PlaygroundState} */ ({ ...this.state, [name]: value });
    if (name === "kind" && value === "drawn" && this.drawn) state.clouds = cloudsOf(this.drawn);
    if (name === "kind" && value === "time" && state.prior === "u") state.prior = "time";
    if (name === "kind" && value !== "time" && ["time", "shuffled"].includes(state.prior)) state.prior = "u";
    this.go(state);
  }

  /** @param {PlaygroundState} state */
  go(state) {
    const isSameWorld = JSON.stringify(worldOf(state)) === JSON.stringify(worldOf(this.state));
    const isPriorSame = state.prior === this.state.prior;
    if (JSON.stringify(state) === JSON.stringify(this.state)) return; // the preset that runs: its schedule goes on
    this.state = state;
    this.updateLink();
    this.show();
    if (isSameWorld && isPriorSame) {
      this.pool.post({ type: "set", settings: trainingOf(state) });
      if (!this.isDone) this.follows();
      return;
    }
    clearTimeout(this.isStarting);
    this.isStarting = this.later(REDRAW_AFTER_MS, () => this.begin());
  }

  /** Put the state into the link. */
  updateLink() {
    const link = encode(this.state);
    if (link === this.link) return;
    this.link = link;
    this.problemIs("");
    this.sendLater();
  }

  report() {
    this.reportValue("link", this.link);
  }

  /** Draw the world of the state, and start all seeds on it. */
  begin() {
    try {
      this.drawn = drawWorld(worldOf(this.state));
    } catch (error) {
      this.problemIs(error instanceof Error ? error.message : String(error));
      return;
    }
    this.marks = new Marks(this.drawn);
    this.lay();
    this.start();
  }

  /** All seeds begin again. */
  start() {
    if (!this.drawn) return;
    const { x, z, n, dx, dz, u, segments } = this.drawn;
    this.frameSeen = null;
    this.seeds.restart();
    this.known.restart();
    this.show();
    const world = { x, z, n, dx, dz, u: u ?? new Int32Array(n), segments, shown: SHOWN };
    const seeds = Array.from({ length: MEMBERS }, (_, k) => k);
    this.pool.post({ type: "start", world, settings: trainingOf(this.state), seeds });
    this.isRunning = false;
    this.follows();
  }

  // --- playing

  get isDone() {
    const { frameSeen } = this;
    return frameSeen !== null && frameSeen.step >= frameSeen.steps;
  }

  /** @param {boolean} isWanted */
  play(isWanted) {
    this.isWanted = isWanted;
    if (isWanted && this.isDone) this.start();
    this.follows();
    this.show();
  }

  step() {
    this.play(false);
    if (this.isDone) this.start();
    this.pool.post({ type: "step" });
  }

  /** Play while it is wanted and seen. */
  follows() {
    const runs = this.isWanted && this.isVisible && !document.hidden && !this.isDone;
    if (runs !== this.isRunning) this.pool.post({ type: runs ? "play" : "pause" });
    this.isRunning = runs;
  }

  /** @param {any} message */
  receive(message) {
    if (this.closed) return;
    if (message.type === "failed") {
      this.problemIs(message.message);
      return;
    }
    this.frameSeen = message;
    this.seeds.follow(message, performance.now());
    this.known.follow(message);
    this.scene.follow(this.seeds.panels.flatMap(({ axes }) => Array.from(axes)));
    this.showFrame();
    this.request();
  }

  /** A file of the seeds as they are, which becomes a run of the app. */
  async save() {
    const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (await this.pool.save());
    download(bytes, "application/octet-stream", "playground.safetensors");
  }

  // --- what is shown

  /** @param {string} sentence */
  problemIs(sentence) {
    if (!this.problem) return;
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }

  /** Show the settings, and the results in the last frame. */
  show() {
    const { state, controls } = this;
    for (const [name, control] of Object.entries(controls)) control.show(/** @type {any} */ (state)[name]);
    for (const name of OF_SEGMENTS) controls[name].node.hidden = state.kind !== "segments";
    controls.strength.node.hidden = state.kind === "drawn";
    for (const [k, chip] of (this.presets ?? []).entries()) chip.setAttribute("aria-pressed", String(isSame(PRESETS[k].state, state)));
    this.showFrame();
  }

  /** Show the results of a frame. It is called for every frame, so it leaves the controls alone. */
  showFrame() {
    const { state, frameSeen } = this;
    const { kind, text } = verdict(state, frameSeen);
    if (this.sentence && this.sentence.textContent !== text) this.sentence.textContent = text;
    this.sentence?.setAttribute("data-kind", kind);
    if (this.advice) this.advice.textContent = kind === "wait" ? "\u00A0" : advice(state, kind === "agree");
    if (this.playing) this.playing.textContent = this.isDone ? "Play again" : this.isWanted ? "Pause" : "Play";
    if (this.progress) this.progress.textContent = frameSeen ? `step ${frameSeen.step} of ${frameSeen.steps}` : "starting";
    this.root.dataset.step = String(frameSeen?.step ?? 0);
  }

  /** One screen, where the window is wide enough for it. */
  size() {
    const top = this.root.getBoundingClientRect().top + scrollY;
    this.root.style.setProperty("--room", `${Math.max(540, innerHeight - top - 12)}px`);
  }

  lay() {
    this.theme = themeOf(this.root);
    this.size();
    this.known.lay(this.theme);
    if (this.drawn && this.marks) {
      this.scene.show(this.drawn, this.marks, this.theme, this.state.kind === "drawn" ? this.state.clouds : null);
      this.seeds.lay(this.theme, this.marks);
    }
    this.show();
    this.request();
  }

  /** @param {number} now */
  draw(now) {
    if (this.closed) return;
    const began = performance.now();
    const moves = this.seeds.draw(this.theme, now);
    this.countFrame(performance.now() - began);
    if (moves) this.request();
  }
}

export const mount = mountOf(Playground);
