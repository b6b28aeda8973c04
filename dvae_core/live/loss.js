// The loss of one example as two bars that follow z and beta: reconstruction, and KL to the prior.

import { element } from "./elements.js";
import { number, numbersOf, short } from "./numbers.js";

/** @import { LossData, Vector } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

const ROOM = 1.25; // the bars' scale is so much longer than the longest one

/**
 * The loss of a Gaussian p(x|z) of mean f and these standard deviations against a perfect reconstruction, in nats.
 * @param {Vector} x
 * @param {Vector} f
 * @param {Vector} noise
 */
export function squaredError(x, f, noise) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += ((x[i] - f[i]) / noise[i]) ** 2;
  return sum / 2;
}

/**
 * KL(N(z, diag std^2) || N(0, I)), in nats.
 * @param {Vector} z
 * @param {Vector} std
 */
export function klToPrior(z, std) {
  let sum = 0;
  for (let i = 0; i < z.length; i++) sum += z[i] ** 2 + std[i] ** 2 - 2 * Math.log(std[i]) - 1;
  return sum / 2;
}

/** Two bars; `view.data.loss` says what they need of the example. */
export class Loss {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    this.rows = [this.row("reconstruction"), this.row("prior")];
    const title = element("b", { textContent: "The loss of this example, in nats" });
    this.node = element("div", { class: "loss", role: "img" }, title, ...this.rows.map(({ node }) => node));
    this.scale = 0;
    /** @type {LossData | null} */
    this.loss = null;
    /** @type {Float32Array} */
    this.noise = new Float32Array();
    /** @type {Float32Array} */
    this.std = new Float32Array();
  }

  /** @param {string} colour */
  row(colour) {
    const name = element("span");
    const bar = element("span", { class: `bar ${colour}` });
    const value = element("output");
    return { name, bar, value, node: element("div", { class: "line" }, name, element("span", { class: "track" }, bar), value) };
  }

  /** As the screen has x, and the sliders have z, now. */
  draw() {
    const { view } = this;
    const { reference, z } = view;
    const { loss, d_x: d, d_z: k } = view.data;
    if (!loss || !reference) return;
    const m = view.mode.member;
    if (this.loss !== loss) {
      this.loss = loss; // another example
      this.noise = numbersOf(loss.noise);
      this.std = numbersOf(loss.std);
    }
    const recon = squaredError(reference, view.screens[0].x, this.noise.subarray(m * d, (m + 1) * d));
    const kl = loss.betas[m] * klToPrior(z, this.std.subarray(m * k, (m + 1) * k));
    const beta = loss.betas[m] === 1 ? "" : `${short(loss.betas[m])} × `;
    const shown = [
      ["reconstruction", recon],
      [`${beta}KL to the prior`, kl],
    ];
    const longest = ROOM * Math.max(recon, kl);
    if (longest > this.scale) this.scale = longest;
    shown.forEach(([name, nats], r) => {
      this.rows[r].name.textContent = String(name);
      this.rows[r].bar.style.width = `${(100 * Number(nats)) / this.scale}%`;
      this.rows[r].value.textContent = number(Number(nats), 1);
    });
    this.node.setAttribute("aria-label", `Reconstruction ${number(recon, 1)} nats, ${beta}KL to the prior ${number(kl, 1)} nats`);
  }
}
