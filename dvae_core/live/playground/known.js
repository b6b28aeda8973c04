// The panel of what can be known: the bound of every seed with its error, how far the seeds agree, and, on request, the truth.

import { fit } from "../draw.js";
import { element, pictureCanvas } from "../elements.js";
import { minus, number, quantile, ticks } from "../numbers.js";
import { COLOURS } from "../theme.js";
import { buttonOf, dialOf } from "./controls.js";
import { REACHED, rotationFloor } from "./measures.js";
import { agreementWords, isEarly, revealed } from "./sentences.js";
import { MEMBERS } from "./settings.js";

/** @import { PlaygroundFrame, Theme } from "../types.d.ts" */
/** @import { Rung } from "./measures.js" */

const FLOOR = rotationFloor(2);
const SETTLED = 0.1; // of the steps, which set no scale: the bound falls from far away at first

export class Known {
  constructor() {
    this.curve = pictureCanvas("The bound of every seed", "curve");
    this.bounds = element("p", { class: "caption" });
    this.bars = { permutation: rung("order, sign, scale"), orthogonal: rung("a rotation"), affine: rung("any linear map") };
    this.words = element("p", { class: "words" });
    /** @type {number | null} */
    this.guess = null; // until the slider has been moved
    const guessed = dialOf({ label: "Your guess", min: 0, max: 1, step: 0.05 }, (value) => {
      this.guess = value;
    });
    guessed.show(0.8);
    this.ask = element(
      "div",
      { class: "ask" },
      guessed.node,
      buttonOf("Reveal the truth", () => this.reveal(true)),
    );
    this.lines = pictureCanvas("The MCC of every seed with the true factors", "lines");
    this.truth = element("p", { class: "truth" });
    this.answer = element(
      "div",
      { class: "answer", hidden: true },
      this.lines,
      this.truth,
      buttonOf("Hide it again", () => this.reveal(false)),
    );
    this.node = element(
      "section",
      { class: "known", "aria-label": "What can be known" },
      element("h3", { textContent: "What can be known" }),
      element("p", { class: "name", textContent: "Bound, nats per row" }),
      this.curve,
      this.bounds,
      element("p", { class: "name", textContent: "Agreement between seeds" }),
      this.words,
      ...Object.values(this.bars).map(({ node }) => node),
      element("p", { class: "name", textContent: "And the truth? MCC: 1 if the factors are found" }),
      this.ask,
      this.answer,
    );
    /** @type {{ step: number, mean: Float32Array }[]} */
    this.history = [];
    /** @type {PlaygroundFrame | null} */
    this.frame = null;
    /** @type {Theme | null} */
    this.theme = null;
  }

  /** @param {boolean} isWanted */
  reveal(isWanted) {
    this.ask.hidden = isWanted;
    this.answer.hidden = !isWanted;
    this.show();
  }

  restart() {
    this.history = [];
    this.frame = null;
    this.reveal(false);
  }

  /** @param {Theme} theme */
  lay(theme) {
    this.theme = theme;
    this.show();
  }

  /** @param {PlaygroundFrame} frame */
  follow(frame) {
    this.frame = frame;
    // the engine sends several frames with one bound
    const isNew = !this.history.at(-1)?.mean.every((v, m) => Object.is(v, frame.bound[m]));
    if (isNew) this.history.push({ step: frame.step, mean: frame.bound });
    this.show(isNew);
  }

  /** @param {boolean} [isNew] whether the bounds are others than before */
  show(isNew = true) {
    const { frame, theme } = this;
    if (!theme) return;
    if (isNew) this.drawCurve(theme);
    const bounds = frame ? Array.from(frame.bound).filter(Number.isFinite) : [];
    const errors = frame ? Array.from(frame.error).filter(Number.isFinite) : [];
    this.bounds.textContent = bounds.length
      ? `${number(Math.min(...bounds))} to ${number(Math.max(...bounds))}, each \u00B1 ${number(Math.max(...errors))}`
      : "";
    const agreement = frame && !isEarly(frame) && frame.failed.filter((step) => step < 0).length > 1 ? frame.agreement : null;
    this.words.textContent = agreement ? `The seeds agree ${agreementWords(agreement.rung)}.` : "Too early to say.";
    for (const [name, { show }] of Object.entries(this.bars)) show(agreement ? agreement.ladder[/** @type {Rung} */ (name)] : Number.NaN);
    if (!this.answer.hidden && frame) {
      this.truth.textContent = revealed(this.guess, frame, FLOOR);
      this.drawLines(theme, frame);
    }
  }

  /** @param {Theme} theme */
  drawCurve(theme) {
    const { curve, history, frame } = this;
    const ctx = fit(curve);
    if (!ctx) return;
    const { clientWidth: w, clientHeight: h } = curve;
    const { em } = theme;
    ctx.clearRect(0, 0, w, h);
    const box = { x: 2.6 * em, y: 0.3 * em, w: w - 2.8 * em, h: h - 1.5 * em };
    const steps = frame?.steps ?? 1;
    const last = history.at(-1)?.step ?? 0;
    const seen = history.filter(({ step }) => step > SETTLED * steps || step === last).flatMap(({ mean }) => Array.from(mean));
    const [lo, hi] = [quantile(seen, 0.02), quantile(seen, 1)];
    const room = 0.1 * (hi - lo) || 0.5;
    const toX = (/** @type {number} */ step) => box.x + (step / steps) * box.w;
    const toY = (/** @type {number} */ v) => box.y + box.h - ((v - lo + room) / (hi - lo + 2 * room)) * box.h;
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(box.x, box.y, box.w, box.h);
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const v of seen.length ? ticks(lo - room, hi + room, 3) : []) ctx.fillText(minus(v), box.x - 3, toY(v));
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.fillText(`step, of ${steps}`, box.x + box.w / 2, box.y + box.h + 2);
    ctx.save();
    ctx.beginPath();
    ctx.rect(box.x, box.y, box.w, box.h);
    ctx.clip();
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 1.5;
    for (let m = 0; m < MEMBERS; m++) {
      ctx.beginPath();
      for (const { step, mean } of history) if (Number.isFinite(mean[m])) ctx.lineTo(toX(step), toY(mean[m]));
      ctx.stroke();
    }
    ctx.strokeStyle = theme.text;
    ctx.lineWidth = 1;
    const x = Math.min(toX(last), box.x + box.w - 2);
    ctx.beginPath();
    for (let m = 0; m < MEMBERS; m++) {
      const [v, e] = [frame?.bound[m] ?? Number.NaN, frame?.error[m] ?? Number.NaN];
      if (!Number.isFinite(v)) continue;
      ctx.moveTo(x - 2 * (m % 2), toY(v - e));
      ctx.lineTo(x - 2 * (m % 2), toY(v + e));
    }
    ctx.stroke();
    ctx.restore();
  }

  /** @param {Theme} theme @param {PlaygroundFrame} frame */
  drawLines(theme, frame) {
    const { lines, guess } = this;
    const ctx = fit(lines);
    if (!ctx) return;
    const { clientWidth: w, clientHeight: h } = lines;
    const { em } = theme;
    ctx.clearRect(0, 0, w, h);
    const toX = (/** @type {number} */ v) => 0.6 * em + v * (w - 1.2 * em);
    const y = 0.9 * em;
    ctx.font = `${0.8 * em}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.strokeStyle = theme.line;
    ctx.fillStyle = theme.muted;
    ctx.beginPath();
    ctx.moveTo(toX(0), y);
    ctx.lineTo(toX(1), y);
    ctx.stroke();
    for (const v of [0, 0.25, 0.5, 0.75, 1]) ctx.fillText(String(v), toX(v), y + 0.6 * em);
    ctx.strokeStyle = COLOURS.reference;
    ctx.lineWidth = 2;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(toX(FLOOR), 0);
    ctx.lineTo(toX(FLOOR), y + 0.5 * em);
    ctx.stroke();
    ctx.setLineDash([]);
    if (guess !== null) {
      ctx.fillStyle = theme.text;
      ctx.beginPath();
      ctx.moveTo(toX(guess), y + 0.15 * em);
      ctx.lineTo(toX(guess) - 4, y + 0.55 * em);
      ctx.lineTo(toX(guess) + 4, y + 0.55 * em);
      ctx.fill();
    }
    ctx.fillStyle = COLOURS.factor;
    for (const [m, v] of frame.mcc.entries()) {
      if (!Number.isFinite(v)) continue;
      ctx.beginPath();
      ctx.arc(toX(v), y - 0.12 * em * (m % 4), 0.22 * em, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

/**
 * R^2 of one rung of the ladder, with the line from which it counts as reached.
 * @param {string} name
 */
function rung(name) {
  const bar = element("span", {
    class: "bar",
    title: `How much of one seed's latents this map predicts from another's. The mark: ${REACHED}, from which it counts as reached`,
  });
  bar.style.setProperty("--mark", String(REACHED));
  const value = element("b");
  const node = element("div", { class: "rung" }, element("span", { textContent: name }), value, bar);
  const show = (/** @type {number} */ r2) => {
    value.textContent = Number.isFinite(r2) ? `R\u00B2 ${number(r2)}` : "";
    bar.style.setProperty("--share", String(Math.max(0, Math.min(1, r2 || 0))));
  };
  return { node, show };
}
