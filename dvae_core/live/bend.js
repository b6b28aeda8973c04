// Turn the axes and see what it costs: one curve for each idea of how the axes could be known without u, or with it.

import { Autoplay } from "./autoplay.js";
import { at, curveOf, stateOf, stopOf, verdict } from "./bend_curves.js";
import { turnable } from "./dial.js";
import { element, pictureCanvas, svg } from "./elements.js";
import { number, short } from "./numbers.js";
import { Plane } from "./plane.js";
import { rotation, snapAngle } from "./rotation.js";
import { arrows, priorCircles } from "./rotor_marks.js";
import { fill } from "./sliders.js";
import { COLOURS, themeOf } from "./theme.js";
import { mountOf, View } from "./view.js";

/** @import { BendData, BendIdea, BendSlider, OnChange } from "./types.d.ts" */
/** @import { Curve } from "./bend_curves.js" */

const LIMIT = 90;
const LEAST = 0.02; // nats that the axis shows at least
const WORDS = { flat: "flat", faint: "faint", bent: "bent" };
/** The parts of a row of the list. @typedef {{ idea: BendIdea, values: number[], curve: Curve, state: "flat" | "faint" | "bent",
 *   shown: boolean, node: HTMLElement, nats: HTMLElement, says: HTMLElement, word: HTMLElement, outputs: HTMLElement[],
 *   inputs: HTMLInputElement[] }} Row */

/** @extends {View<BendData>} */
export class Bend extends View {
  /** @param {HTMLElement} root @param {BendData} data @param {OnChange} onChange */
  constructor(root, data, onChange) {
    super(root, data, onChange);
    root.classList.add("bend");
    this.angle = 0;
    this.shape = "";
    /** @type {Row[]} */
    this.rows = [];
    const share = () => this.angle / LIMIT;
    this.autoplay = new Autoplay(this, { share, goTo: (to) => this.turnTo(to * LIMIT) }, "the dial");
  }

  /** @param {BendData} data */
  update(data) {
    this.data = data;
    this.theme = themeOf(this.root);
    // the dials' values are not part of the shape: the host sends them back while they are being dragged
    const shape = JSON.stringify({ ...data, dials: 0, rev: 0, autoplay: false }, (key, value) => (key === "value" ? 0 : value));
    if (this.rev > 0 && data.rev > this.rev) this.autoplay.end(false);
    const isPushed = this.isPushed(data.rev);
    if (this.shape !== shape) {
      this.shape = shape;
      this.build();
    }
    if (isPushed) this.place(data.dials);
    this.lay();
    this.autoplay.follow(data.autoplay);
  }

  // --- the content of the page

  build() {
    this.input = element("input", { type: "range", min: 0, max: LIMIT, step: 0.5, "aria-label": "Angle of the axes" });
    this.readout = element("output", { class: "readout" });
    this.input.addEventListener("input", () => {
      this.autoplay.end(false);
      this.turnTo(snapAngle(Number(this.input?.value)));
      this.sendLater();
    });
    this.axesPlane = new Plane(pictureCanvas("", "turns"), { xName: "s₁", yName: "s₂", left: 1.6, bottom: 1.6 });
    this.axesPlane.bare = true;
    this.axesPlane.range = { x: [-3.3, 3.3], y: [-3.3, 3.3] };
    this.plane = new Plane(pictureCanvas("", "curves"), { xName: "angle of the axes (degrees)", yName: "nats of log p lost", left: 3.6 });
    turnable(this.turning, this.axesPlane.canvas, () => {
      const { left, top, width, height } = this.axesPlane?.canvas.getBoundingClientRect() ?? new DOMRect();
      return [left + width / 2, top + height / 2];
    });
    this.rows = this.data.ideas.map((idea) => this.row(idea));
    this.verdict = element("p", { class: "verdict", "aria-live": "polite" });
    const dial = element("div", { class: "turner" }, this.axesPlane.canvas, element("label", {}, this.input, this.readout));
    dial.append(this.autoplay.hint);
    const list = element("div", { class: "ideas" }, ...this.rows.map(({ node }) => node), this.verdict);
    this.body.replaceChildren(element("div", { class: "columns" }, dial, element("figure", {}, this.plane.canvas), list));
    this.body.dataset.sliders = String(this.data.ideas.some(({ sliders }) => sliders.length));
  }

  /** The object that `turnable` turns. */
  get turning() {
    const view = this;
    return {
      get angle() {
        return view.angle;
      },
      data: { limit: LIMIT },
      turnTo: (/** @type {number} */ to) => view.turnTo(to),
      send: () => view.send(),
      sendLater: () => view.sendLater(),
    };
  }

  /** @param {BendIdea} idea @returns {Row} */
  row(idea) {
    const values = idea.sliders.map(({ value }) => value);
    const line = svg("line", { x1: 0, y1: 5, x2: 30, y2: 5, stroke: COLOURS[idea.role], "stroke-width": 3.5 });
    if (idea.dash.length) line.setAttribute("stroke-dasharray", idea.dash.join(" "));
    const swatch = svg("svg", { class: "swatch", viewBox: "0 0 30 10", "aria-hidden": "true" });
    swatch.append(line);
    const box = element("input", { type: "checkbox", checked: true, "aria-label": `Draw ${idea.name}` });
    const [nats, says, word] = [element("output", { class: "nats" }), element("p", { class: "says" }), element("span", { class: "light" })];
    const head = element("div", { class: "head" }, element("label", {}, box, swatch, element("b", { textContent: idea.name })), word, nats);
    const sliders = idea.sliders.map((slider, i) => this.slider(idea, slider, i, () => row));
    const node = element("section", { "aria-label": idea.name }, head, ...sliders.map((made) => made.node), says);
    const [inputs, outputs] = [sliders.map((made) => made.input), sliders.map((made) => made.output)];
    const curve = curveOf(idea, values);
    /** @type {Row} */
    const row = { idea, values, curve, state: stateOf(curve), shown: true, node, nats, says, word, outputs, inputs };
    box.addEventListener("change", () => {
      row.shown = box.checked;
      this.lay();
    });
    return row;
  }

  /** @param {BendIdea} idea @param {BendSlider} slider @param {number} i @param {() => Row} row */
  slider(idea, slider, i, row) {
    const range = slider.stops.length
      ? { min: 0, max: slider.stops.length - 1, step: 1 }
      : { min: slider.min, max: slider.max, step: slider.step };
    const input = element("input", { type: "range", ...range, "aria-label": `${slider.name}, ${idea.name}` });
    const output = element("output", { class: "value" });
    input.addEventListener("input", () => {
      this.autoplay.end(false);
      row().values[i] = slider.stops.length ? slider.stops[Number(input.value)] : Number(input.value);
      this.lay();
      this.sendLater();
    });
    return { input, output, node: element("label", { class: "row" }, element("span", { textContent: slider.name }), input, output) };
  }

  // --- moving

  /** Set all dials: the angle, then the values of the sliders. @param {number[]} dials */
  place([angle, ...values]) {
    this.angle = Math.max(0, Math.min(LIMIT, angle));
    let k = 0;
    for (const row of this.rows) row.values = row.values.map((value) => values[k++] ?? value);
  }

  /** @param {number} degrees */
  turnTo(degrees) {
    const angle = Math.max(0, Math.min(LIMIT, degrees));
    if (angle === this.angle) return;
    this.angle = angle;
    this.show();
    this.request();
  }

  report() {
    const rounded = (/** @type {number} */ v) => Number(v.toFixed(2));
    this.reportValue("dials", [this.angle, ...this.rows.flatMap(({ values }) => values)].map(rounded));
  }

  /** Write the lights, numbers and sentences. */
  show() {
    const { input, readout, verdict: sentence, angle } = this;
    if (!input || !readout || !sentence) return;
    input.value = String(angle);
    fill(input, 0, LIMIT, angle);
    input.setAttribute("aria-valuetext", `${short(angle)} degrees`);
    readout.textContent = `${short(angle)}°`;
    for (const row of this.rows) {
      const now = at(row.curve, angle);
      row.nats.textContent = now.error > 0 ? `${number(now.nats, 3)} ± ${number(now.error, 3)}` : number(now.nats, 3);
      row.node.dataset.state = row.state;
      row.word.textContent = WORDS[row.state];
      row.says.textContent = row.state === "flat" ? "" : row.idea.says;
      row.says.hidden = !row.says.textContent;
      for (const [i, slider] of row.idea.sliders.entries()) this.showSlider(row, slider, i);
    }
    sentence.textContent = verdict(this.rows);
    const words = this.rows.map(({ idea, nats }) => `${idea.name} ${nats.textContent}`).join("; ");
    this.plane?.canvas.setAttribute("aria-label", `Nats of log p lost against the angle. At ${short(angle)} degrees: ${words}`);
    this.axesPlane?.canvas.setAttribute("aria-label", `The axes of the factors, and the latents' axes turned by ${short(angle)} degrees`);
  }

  /** @param {Row} row @param {BendSlider} slider @param {number} i */
  showSlider(row, slider, i) {
    const [input, value] = [row.inputs[i], row.values[i]];
    const stop = slider.stops.length ? stopOf(slider, value) : 0;
    const place = slider.stops.length ? stop : value;
    input.value = String(place);
    fill(input, Number(input.min), Number(input.max), place);
    const text = slider.labels[stop] ?? short(value);
    row.outputs[i].textContent = text;
    input.setAttribute("aria-valuetext", text);
  }

  lay() {
    const { plane, axesPlane } = this;
    if (!plane || !axesPlane) return;
    this.theme = themeOf(this.root);
    const { rem } = this.theme;
    for (const row of this.rows) {
      row.curve = curveOf(row.idea, row.values);
      row.state = stateOf(row.curve);
    }
    const drawn = this.rows.filter(({ shown }) => shown).map(({ curve }) => curve);
    const top = Math.max(LEAST, ...drawn.flatMap(({ nats, error }) => nats.map((v, k) => v + error[k])));
    const bottom = Math.min(0, ...drawn.flatMap(({ nats, error }) => nats.map((v, k) => v - error[k])));
    const room = 0.06 * (top - bottom); // so that the dots at 0 degrees are whole
    plane.range = { x: [-2, LIMIT + 2], y: [bottom - room, top + room] };
    plane.lay(this.theme, (ctx) => {
      for (const { idea, curve, shown } of this.rows) {
        if (!shown) continue;
        const line = curve.angles.flatMap((angle, k) => [angle, curve.nats[k]]);
        const dash = idea.dash.map((d) => (d * rem) / 16);
        plane.curve(ctx, line, COLOURS[idea.role], 0.2 * rem, dash);
        curve.error.forEach((error, k) => {
          if (error > 0)
            plane.curve(
              ctx,
              [curve.angles[k], curve.nats[k] - error, curve.angles[k], curve.nats[k] + error],
              COLOURS[idea.role],
              0.1 * rem,
            );
        });
      }
    });
    axesPlane.lay(this.theme, (ctx) => {
      priorCircles(ctx, axesPlane, this.theme);
      axesPlane.curve(ctx, [-3.3, 0, 3.3, 0], this.theme.text, 0.08 * rem);
      axesPlane.curve(ctx, [0, -3.3, 0, 3.3], this.theme.text, 0.08 * rem);
    });
    this.show();
    this.request();
  }

  /** @param {number} now */
  draw(now) {
    const { plane, axesPlane } = this;
    if (this.closed || !plane?.isLaid || !axesPlane?.isLaid) return;
    const isPlaying = this.autoplay.step(now);
    const began = performance.now();
    const { theme, angle } = this;
    const M = rotation(angle, 2);
    const turned = axesPlane.begin();
    const columns = [
      [M[0], M[2]],
      [M[1], M[3]],
    ];
    arrows(turned, axesPlane, theme, columns, ["z₁", "z₂"]);
    axesPlane.end();
    const ctx = plane.begin();
    for (const { idea, curve, shown } of this.rows) {
      if (shown) plane.dot(ctx, angle, at(curve, angle).nats, 0.45 * theme.rem, COLOURS[idea.role], theme);
    }
    plane.end();
    this.countFrame(performance.now() - began);
    if (isPlaying) this.request();
  }
}

export const mount = mountOf(Bend);
