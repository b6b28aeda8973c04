// Two latents at once: a plane of z with the encoded data in it. In the pad, drag anywhere, or click a data point to go to its
// posterior mean in all latents; in the map, beside the sliders, click only. Needs the shared files in front of it.

const CLICK_PX = 4; // a press that moved less is a click
const PICK_REM = 0.8;

class Pad {
  constructor(view) {
    this.view = view;
    const { latents } = view.data;
    this.axes = [latents[0].index, latents[1].index];
    this.canvas = pictureCanvas("", "padded");
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", this.kind);
    this.canvas.tabIndex = 0;
    this.plane = new Plane(this.canvas, { xName: "", yName: "", left: 2.6, bottom: 2.6 });
    this.value = element("output", { class: "value" });
    const selects = ["Across", "Up"].map((words, a) => {
      const select = element("select", { "aria-label": `Latent ${words.toLowerCase()}` }, ...latents.map(({ index, label, dead }) => element("option", { value: index, textContent: dead ? `${label}, dead` : label })));
      select.value = this.axes[a];
      select.addEventListener("change", () => this.choose(a, Number(select.value)));
      return element("label", {}, element("span", { textContent: words }), select);
    });
    this.selects = selects.map((label) => label.lastChild);
    this.node = element(
      "div", { class: this.className }, element("div", { class: "axes", hidden: this.className === "map" && latents.length === 2 }, ...selects, this.value), this.canvas,
      ...(view.cloud ? [(this.legend = element("div", { class: "legend" })), element("p", { class: "hint", textContent: this.words })] : []),
    );
    this.listen();
  }

  get kind() {
    return "2-D pad";
  }

  get className() {
    return "pad";
  }

  get words() {
    return "Points: held-out data, encoded. Click a point to go to it, in all latents.";
  }

  get help() {
    return "Arrow keys move; Enter goes to the nearest data point.";
  }

  get radius() {
    return 0.15;
  }

  /** Put latent i on axis a; if the other axis has it, they change places. */
  choose(a, i) {
    if (this.axes[1 - a] === i) this.axes[1 - a] = this.axes[a];
    this.axes[a] = i;
    this.selects.forEach((select, k) => (select.value = this.axes[k]));
    this.lay();
    this.view.request();
  }

  listen() {
    const { canvas, view } = this;
    let press = null;
    const go = ({ offsetX, offsetY }) => this.goTo(this.plane.fromX(offsetX), this.plane.fromY(offsetY));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      press = { x: event.offsetX, y: event.offsetY, moved: false };
      go(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!press) return;
      press.moved ||= Math.hypot(event.offsetX - press.x, event.offsetY - press.y) >= CLICK_PX;
      go(event);
      view.sendLater();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!press) return;
      const row = press.moved ? -1 : this.nearest(event.offsetX, event.offsetY);
      press = null;
      if (row >= 0) view.pick(row);
      else view.send();
    });
    canvas.addEventListener("pointercancel", () => (press = null));
    canvas.addEventListener("keydown", (event) => {
      const [a, way] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] }[event.key] ?? [];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter") {
        const [i, j] = this.axes;
        const row = this.nearest(this.plane.toX(view.z[i]), this.plane.toY(view.z[j]), Infinity);
        if (row >= 0) view.pick(row);
      } else if (way) {
        const unit = event.shiftKey ? 0.01 : 0.1;
        const at = this.axes.map((i) => view.z[i]);
        at[a] = (Math.round(at[a] / unit) + way) * unit;
        this.goTo(...at);
        view.sendLater();
      } else return;
      event.preventDefault();
    });
  }

  goTo(x, y) {
    const { lo, hi } = this.view.data;
    const inside = [x, y].map((v, a) => Math.max(lo[this.axes[a]], Math.min(hi[this.axes[a]], v)));
    this.view.move(this.axes[1], inside[1]);
    this.view.move(this.axes[0], inside[0]);
  }

  /** The data point under the finger, -1 where there is none. */
  nearest(x, y, most = PICK_REM * this.view.theme.rem) {
    return nearestTo(this.plane, this.pairs, x, y, most);
  }

  /** Colour and symbol of a point by its u; without one, data blue. */
  marks() {
    const { data, theme } = this.view;
    if (!data.hues) return new Map([[null, { symbol: 0, colour: COLOURS.data, words: "data" }]]);
    const ramp = theme.dark ? [[38, 92, 140], [206, 236, 255]] : [[130, 200, 240], [0, 42, 84]];
    const last = Math.max(1, data.hue_labels.length - 1);
    const shade = (k) => `rgb(${ramp[0].map((v, c) => Math.round(v + (k / last) * (ramp[1][c] - v)))})`;
    return new Map(data.hue_labels.map((words, k) => [k, { symbol: data.hues_ordered ? 0 : k, colour: data.hues_ordered ? shade(k) : hueOf(k, theme), words }]));
  }

  /** The range of the axes: of the sliders. */
  room(i, j) {
    const { lo, hi } = this.view.data;
    const side = (k) => [lo[k] - 0.04 * (hi[k] - lo[k]), hi[k] + 0.04 * (hi[k] - lo[k])];
    return { x: side(i), y: side(j) };
  }

  lay() {
    const { cloud, data, theme } = this.view;
    const [i, j] = this.axes;
    this.pairs = Float32Array.from({ length: (2 * (cloud?.length ?? 0)) / data.d_z }, (_, k) => cloud[(k >> 1) * data.d_z + (k & 1 ? j : i)]);
    this.plane.range = this.room(i, j);
    [this.plane.xName, this.plane.yName] = [i, j].map((k) => this.view.labelOf(k));
    this.canvas.setAttribute("aria-label", `${this.className === "pad" ? "Pad" : "Map of the latents"}: ${this.plane.xName} across, ${this.plane.yName} up. ${this.help}`);
    const marks = this.marks();
    this.plane.lay(theme, (ctx) => {
      for (const [hue, { symbol, colour }] of marks) {
        const rows = Array.from({ length: this.pairs.length / 2 }, (_, k) => k).filter((k) => hue === null || data.hues[k] === hue);
        this.plane.stamp(ctx, this.pairs, rows, sprite(symbol, colour, this.radius * theme.rem, data.hues ? 0.75 : theme.dark ? 0.65 : 0.45));
      }
    });
    this.legend?.replaceChildren(...(data.hues && marks.size <= 12 ? [...marks.values()].map(({ symbol, colour, words }) => legendEntry(symbol, colour, words)) : []));
  }

  draw() {
    if (!this.plane.box) return;
    const { theme, z } = this.view;
    const { x, y, w, h } = this.plane.box;
    const [i, j] = this.axes;
    const ctx = this.plane.begin();
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.1 * theme.rem;
    ctx.beginPath();
    ctx.moveTo(this.plane.toX(z[i]), y);
    ctx.lineTo(this.plane.toX(z[i]), y + h);
    ctx.moveTo(x, this.plane.toY(z[j]));
    ctx.lineTo(x + w, this.plane.toY(z[j]));
    ctx.stroke();
    this.plane.dot(ctx, z[i], z[j], (this.className === "pad" ? 0.6 : 0.42) * theme.rem, COLOURS.latent, theme);
    if (this.at >= 0) ring(ctx, this.plane, this.pairs[2 * this.at], this.pairs[2 * this.at + 1], theme);
    this.plane.end();
    const words = `${this.view.labelOf(i)} = ${number(z[i])}, ${this.view.labelOf(j)} = ${number(z[j])}`;
    if (this.value.textContent !== words) this.value.textContent = words;
  }
}

/** The map beside the sliders: a click, or Enter at the point that the arrow keys have come to, moves the sliders there. */
class LatentMap extends Pad {
  get kind() {
    return "latent scatter";
  }

  get className() {
    return "map";
  }

  get words() {
    return "Held-out data, encoded. Click a point: the sliders go there.";
  }

  get help() {
    return "Arrow keys go from point to point; Enter moves the sliders there.";
  }

  get radius() {
    return 0.17;
  }

  /** Of the points, and of z where that lies outside. */
  room(i, j) {
    const { z } = this.view;
    return grown(rangeOf(this.pairs), z[i], z[j]);
  }

  draw() {
    const [i, j] = this.axes;
    if (this.plane.box && !within(this.plane.range, this.view.z[i], this.view.z[j])) this.lay();
    super.draw();
  }

  listen() {
    const { canvas, view } = this;
    this.at = -1;
    canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      const row = this.nearest(offsetX, offsetY, 1.5 * PICK_REM * view.theme.rem);
      if (row >= 0) view.pick(row);
    });
    canvas.addEventListener("blur", () => this.goTo(-1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" && this.at >= 0) view.pick(this.at);
      else if (ARROWS[event.key]) {
        const [i, j] = this.axes;
        this.goTo(this.at < 0 ? this.nearest(this.plane.toX(view.z[i]), this.plane.toY(view.z[j]), Infinity) : nextFrom(this.plane, this.pairs, this.at, ARROWS[event.key]));
      } else return;
      event.preventDefault();
    });
  }

  goTo(row) {
    if (this.at === row) return;
    this.at = row;
    const { data } = this.view;
    const u = row >= 0 && data.hues ? `, ${data.hue_labels[data.hues[row]]}` : "";
    if (row >= 0) this.canvas.setAttribute("aria-description", `at ${number(this.pairs[2 * row])}, ${number(this.pairs[2 * row + 1])}${u}`);
    this.view.request();
  }
}
