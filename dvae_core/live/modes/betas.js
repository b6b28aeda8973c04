// One slider over the members by their beta: what each of them costs, and what its latents do.

import { element } from "../elements.js";
import { number, short } from "../numbers.js";
import { SideSlider } from "../sliders.js";
import { MOST_ROWS, Mode } from "./mode.js";

/** @import { FilmContent } from "../types.d.ts" */
/** @import { Explorer } from "../explorer.js" */

export class Betas extends Mode {
  /** @param {Explorer} view */
  constructor(view) {
    super(view);
    this.title = "\u03B2 of the population";
    this.acceptsLatents = false;
    this.isCompact = true;
    const { members } = view.data;
    this.order = members.map((_, m) => m).sort((a, b) => members[a].beta - members[b].beta);
    const last = this.order.length - 1;
    view.side.beta = Math.min(view.side.beta, Math.max(0, last));
    const format = (/** @type {number} */ k) => short(members[this.order[k]].beta);
    this.slider = new SideSlider(view, "beta", { label: "\u03B2", max: last, step: 1, format });
    this.facts = element("dl", { "aria-live": "polite" });
    this.bars = element("div", { class: "nats", role: "img" });
    this.shown = -1; // the member that facts and film are about
  }

  controls() {
    return [this.slider.node, this.facts, this.bars];
  }

  get member() {
    return this.order[this.view.side.beta];
  }

  place() {
    const { view, member } = this;
    const { recon, kl, dead, mu } = view.data.members[member];
    view.z = Float64Array.from(mu ?? view.z0);
    if (this.shown === member) return;
    this.shown = member;
    const nats = (/** @type {number | null} */ value) => (value === null ? "not known" : `${number(value, 1)} nats`);
    const facts = [
      ["reconstruction, E[log p(x|z)]", nats(recon)],
      ["KL to the prior", nats(kl)],
      ["latents in use", `${dead.filter((isDead) => !isDead).length} of ${dead.length}`],
    ];
    const entry = (/** @type {string[]} */ texts) => texts.map((textContent, k) => element(k ? "dd" : "dt", { textContent }));
    this.facts.replaceChildren(...facts.flatMap(entry));
    this.showBars();
    view.replaceFilm();
  }

  /** The information in each latent, on one scale for all betas: they shrink as beta grows. */
  showBars() {
    const { members } = this.view.data;
    const most = Math.max(...members.flatMap(({ kl_latent: kl }) => kl), 1e-9);
    const { kl_latent: kl, dead } = members[this.member];
    const bars = kl.map((nats, i) => {
      const bar = element("span", { class: dead[i] ? "bar dead" : "bar" });
      bar.style.setProperty("--share", `${(100 * nats) / most}%`);
      return element("div", { title: `${number(nats)} nats` }, bar, element("small", { textContent: `z${i + 1}` }));
    });
    this.bars.replaceChildren(element("b", { textContent: "KL of each latent" }), element("div", { class: "row-of-bars" }, ...bars));
    this.bars.setAttribute("aria-label", `KL of each latent in nats: ${kl.map((nats) => number(nats)).join(", ")}`);
  }

  show() {
    this.slider.show();
  }

  /** @param {number} share */
  goTo(share) {
    this.view.side.beta = Math.round(share * (this.order.length - 1));
    this.view.place();
  }

  get movedName() {
    return "\u03B2";
  }

  /** The rows are the point of it. */
  get displayed() {
    return this.view.body;
  }

  /** @returns {FilmContent} */
  film() {
    const { data } = this.view;
    const member = this.member;
    const { kl_latent: kl, dead, mu } = data.members[member];
    const sorted = data.latents.map(({ index }) => index).sort((a, b) => kl[b] - kl[a]);
    const rows = sorted.slice(0, MOST_ROWS).map((i) => {
      const note = `KL ${number(kl[i])}`;
      return { ...this.latentRow(i), go: null, member: () => member, dead: dead[i], note };
    });
    const rest = `the others at ${mu ? "the example's posterior mean" : "the prior mean"}`;
    const text = `The latents of this member, largest KL first, each ${this.across}, ${rest}${this.lineKey}`;
    return { rows, ends: this.rangeEnds(), title: () => text };
  }
}
