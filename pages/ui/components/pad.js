// Two latents at once: a plane of z with the encoded data in it. Drag anywhere, or click a data point to go to its posterior
// mean in all latents. Needs the shared files in front of it.

const CLICK_PX = 4; // a press that moved less is a click
const PICK_REM = 0.8;

class Pad {
  constructor(view) {
    this.view = view;
    const { latents } = view.data;
    this.axes = [latents[0].index, latents[1].index];
    this.canvas = pictureCanvas("", "padded");
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "2-D pad");
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
      "div", { class: "pad" }, element("div", { class: "axes" }, ...selects, this.value), this.canvas,
      ...(view.cloud ? [element("p", { class: "hint", textContent: "Blue: held-out data, encoded. Click a point to go to it, in all latents." })] : []),
    );
    this.listen();
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
    const { cloud, data } = this.view;
    let [best, least] = [-1, most];
    for (let k = 0; k < (cloud?.length ?? 0) / data.d_z; k++) {
      const far = Math.hypot(this.plane.toX(cloud[k * data.d_z + this.axes[0]]) - x, this.plane.toY(cloud[k * data.d_z + this.axes[1]]) - y);
      if (far < least) [best, least] = [k, far];
    }
    return best;
  }

  lay() {
    const { cloud, data, theme } = this.view;
    const [i, j] = this.axes;
    const room = (k) => [data.lo[k] - 0.04 * (data.hi[k] - data.lo[k]), data.hi[k] + 0.04 * (data.hi[k] - data.lo[k])];
    this.plane.range = { x: room(i), y: room(j) };
    [this.plane.xName, this.plane.yName] = [i, j].map((k) => this.view.labelOf(k));
    this.canvas.setAttribute("aria-label", `Pad: ${this.plane.xName} across, ${this.plane.yName} up. Arrow keys move; Enter goes to the nearest data point.`);
    this.plane.lay(theme, (ctx) => {
      if (!cloud) return;
      const pairs = Float32Array.from({ length: (2 * cloud.length) / data.d_z }, (_, k) => cloud[(k >> 1) * data.d_z + (k & 1 ? j : i)]);
      this.plane.stamp(ctx, pairs, thin(pairs.length / 2, 5000), sprite(0, COLOURS.data, 0.15 * theme.rem, theme.dark ? 0.65 : 0.45));
    });
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
    this.plane.dot(ctx, z[i], z[j], 0.6 * theme.rem, COLOURS.latent, theme);
    this.plane.end();
    const words = `${this.view.labelOf(i)} = ${number(z[i])}, ${this.view.labelOf(j)} = ${number(z[j])}`;
    if (this.value.textContent !== words) this.value.textContent = words;
  }
}
