// One slider through steps that were computed before: clouds that move, and curves with a mark at the step.

import { Autoplay } from "./autoplay.js";
import { element, legendEntry, pictureCanvas } from "./elements.js";
import { numbersOf } from "./numbers.js";
import { Plane, sprite } from "./plane.js";
import { fill } from "./sliders.js";
import { COLOURS, hueOf, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { OnChange, StepsCloud, StepsCurves, StepsData, Theme, Vector } from "./types.d.ts" */

const DASH = [7, 5];

/** A cloud of points; at every step the same rows lie elsewhere. */
class Cloud {
  /** @param {StepsCloud} data @param {number} steps */
  constructor(data, steps) {
    this.points = numbersOf(data.points);
    this.size = this.points.length / steps;
    /** @type {Map<number, number[]>} */
    this.groups = new Map();
    for (let k = 0; k < this.size / 2; k++) {
      const hue = data.hues ? data.hues[k] : 0;
      this.groups.set(hue, [...(this.groups.get(hue) ?? []), k]);
    }
    this.colour = data.hues ? null : COLOURS[data.role];
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Plane} plane @param {Theme} theme @param {number} step */
  draw(ctx, plane, theme, step) {
    const pairs = this.points.subarray(step * this.size, (step + 1) * this.size);
    for (const [hue, rows] of this.groups) {
      plane.stamp(ctx, pairs, rows, sprite(hue, this.colour ?? hueOf(hue, theme), 0.2 * theme.rem, 0.8));
    }
  }
}

/** Lines over x: those that stay, one for each step, and a pile of faint ones of which every step draws some. */
class Curves {
  /** @param {StepsCurves} data @param {number} steps */
  constructor(data, steps) {
    this.data = data;
    this.x = numbersOf(data.x);
    this.still = data.lines.map(({ y }) => this.pairs(numbersOf(y)));
    const moving = numbersOf(data.moving);
    this.moving = moving && Array.from({ length: steps }, (_, k) => this.pairs(moving.subarray(k * this.x.length)));
    const pile = numbersOf(data.pile);
    const piled = pile ? pile.length / this.x.length : 0;
    this.pile = Array.from({ length: piled }, (_, k) => this.pairs(/** @type {Float32Array} */ (pile).subarray(k * this.x.length)));
  }

  /** @param {Vector} y */
  pairs(y) {
    return Float32Array.from({ length: 2 * this.x.length }, (_, i) => (i % 2 ? y[i >> 1] : this.x[i >> 1]));
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Plane} plane @param {Theme} theme @param {number} step */
  draw(ctx, plane, theme, step) {
    const { data } = this;
    const { rem } = theme;
    ctx.globalAlpha = 0.35;
    for (const line of this.pile.slice(...(data.spans[step] ?? [0, 0]))) plane.curve(ctx, line, COLOURS.latent, 0.06 * rem);
    ctx.globalAlpha = 1;
    this.still.forEach((line, k) => {
      const { role, dashed } = data.lines[k];
      plane.curve(ctx, line, COLOURS[role], 0.2 * rem, dashed ? DASH : []);
    });
    if (this.moving) plane.curve(ctx, this.moving[step], COLOURS[data.role], 0.25 * rem);
    if (!data.marked) return;
    const [x, y] = [2 * step, 2 * step + 1];
    for (const line of this.still) plane.dot(ctx, line[x], line[y], 0.45 * rem, COLOURS.latent, theme);
  }
}

/** @extends {View<StepsData>} */
export class Steps extends View {
  /** @param {HTMLElement} root @param {StepsData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("steps");
    this.step = 0;
    this.shape = "";
    /** @type {{ plane: Plane, heading: HTMLElement, titles: string[], what: Cloud | Curves }[]} */
    this.panels = [];
    const share = () => this.step / Math.max(1, this.data.labels.length - 1);
    const goTo = (/** @type {number} */ to) => this.goTo(Math.round(to * (this.data.labels.length - 1)));
    this.autoplay = new Autoplay(this, { share, goTo }, "the slider");
  }

  /** @param {StepsData} data */
  update(data) {
    this.data = data;
    const shape = JSON.stringify({ ...data, autoplay: false });
    if (this.shape !== shape) {
      this.shape = shape;
      this.step = Math.min(data.start, data.labels.length - 1);
      this.build();
    }
    this.lay();
    this.autoplay.follow(data.autoplay);
  }

  build() {
    const { data } = this;
    const last = data.labels.length - 1;
    this.input = element("input", { type: "range", min: 0, max: last, step: 1, "aria-label": data.name });
    this.output = element("output", { class: "value" });
    this.output.style.minWidth = `${Math.max(...data.labels.map((text) => text.length))}ch`; // the slider keeps its width
    const name = element("span", { class: "name" }, element("b", { textContent: data.name }));
    const row = element("label", { class: "row" }, name, this.input, this.output);
    this.input.addEventListener("input", () => {
      this.autoplay.end(false);
      this.goTo(Number(this.input?.value));
    });
    this.panels = data.panels.map((panel) => {
      const [xName, yName] = panel.names;
      const canvas = pictureCanvas("", panel.kind);
      const plane = new Plane(canvas, { xName, yName });
      plane.range = panel.range;
      const what = panel.kind === "cloud" ? new Cloud(panel, last + 1) : new Curves(panel, last + 1);
      return { plane, heading: element("h3"), titles: panel.titles, what };
    });
    const figures = this.panels.map(({ heading, plane }, k) =>
      element("figure", { class: data.panels[k].kind }, heading, plane.canvas, this.legend(k)),
    );
    const panels = element("div", { class: "panels" }, ...figures);
    this.body.replaceChildren(element("div", { class: "controls" }, row, this.autoplay.hint), panels);
  }

  /** @param {number} k */
  legend(k) {
    const panel = this.data.panels[k];
    const legend = element("div", { class: "legend" });
    if (panel.kind === "cloud") {
      legend.append(...panel.labels.map((text, hue) => legendEntry(hue, hueOf(hue, this.theme), text)));
    } else {
      const named = panel.lines.filter(({ name }) => name);
      legend.append(...named.map(({ name, role }) => legendEntry("line", COLOURS[role], name)));
      if (panel.moving && panel.moving_name) legend.append(legendEntry("line", COLOURS[panel.role], panel.moving_name));
    }
    return legend;
  }

  /** @param {number} step */
  goTo(step) {
    if (step === this.step) return;
    this.step = step;
    this.show();
    this.request();
  }

  /** Write the value of the slider, the titles, and the pictures in a sentence. */
  show() {
    const { step, data, input, output } = this;
    const text = data.labels[step];
    if (input && output) {
      input.value = String(step);
      input.setAttribute("aria-valuetext", text);
      output.textContent = text;
      fill(input, 0, data.labels.length - 1, step);
    }
    for (const { heading, titles, plane } of this.panels) {
      heading.textContent = titles[step] ?? titles[0];
      plane.canvas.setAttribute("aria-label", `${heading.textContent}; ${data.name} ${text}`);
    }
  }

  lay() {
    this.theme = themeOf(this.root);
    for (const { plane } of this.panels) plane.lay(this.theme);
    this.show();
    this.request();
  }

  /** @param {number} now */
  draw(now) {
    if (this.closed) return;
    const isPlaying = this.autoplay.step(now);
    const began = performance.now();
    for (const { plane, what } of this.panels) {
      if (!plane.isLaid) continue;
      const ctx = plane.begin();
      what.draw(ctx, plane, this.theme, this.step);
      plane.end();
    }
    this.countFrame(performance.now() - began);
    if (isPlaying) this.request();
  }
}

export const mount = mountOf(Steps);
