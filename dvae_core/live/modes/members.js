// One set of sliders moves every member of the population, side by side.

import { captioned, element } from "../elements.js";
import { Screen } from "../screen.js";
import { Sliders } from "./sliders.js";

/** @import { FilmContent, FilmRow } from "../types.d.ts" */

/** The last movement in several models at once: the film's rows are the models. */
export class SeveralModels extends Sliders {
  movesAnother() {
    this.view.film?.describe();
    this.view.film?.stale(null);
  }

  /** @param {Partial<FilmRow>[]} models @param {string} where @returns {FilmContent | null} */
  filmOf(models, where) {
    const { view } = this;
    if (view.kind === "plane") return null; // the panels above show the curves
    const rows = models.map((model) => ({
      ...this.latentRow(view.moved),
      own: () => view.moved,
      at: this.walkAt.bind(this),
      mark: () => this.latentRow(view.moved).mark(),
      go: (/** @type {number} */ share) => this.latentRow(view.moved).go?.(share),
      ...model,
    }));
    const rest = `moves ${this.across} in ${where}, the other latents stay where the sliders are${this.lineKey}`;
    return { rows, ends: this.rangeEnds(), title: () => `${this.walk.name} ${rest}` };
  }
}

export class Members extends SeveralModels {
  constructor(/** @type {import("../explorer.js").Explorer} */ view) {
    super(view);
    this.hasMap = false;
  }

  screens() {
    const { kind, data } = this.view;
    const isSmall = kind !== "bars"; // bars need their axis to be read
    return data.members.map(({ label }, member) => new Screen(this.view, { member, isSmall, name: label }));
  }

  display() {
    const names = this.view.data.members.map(({ label }) => label);
    const panels = this.view.screens.map(({ node }, m) => captioned(node, names[m]));
    const textContent =
      "Each slider moves the latent of the same number in every member. " +
      "Trained on the same data, they need not agree on what it means.";
    const shown = [element("div", { class: "many" }, ...panels), element("p", { class: "caption", textContent })];
    return this.view.kind === "picture" ? shown : [...shown, this.legend()];
  }

  film() {
    const members = this.view.data.members.map(({ label }, m) => ({ label, member: () => m }));
    return this.filmOf(members, "every member");
  }
}
