// The same rows in several planes; what is brushed in one lights up in all. Needs the shared files in front of it.

const LINKED = new WeakMap(); // parentElement -> Linked
const NEAR_REM = 1.1; // pointing highlights what lies this near
const FEWEST_MOVES = 4; // a shorter drag is a click, which clears
const LISTED = 24; // values of u that get a button

/** Whether (x, y) lies in the polygon x0, y0, x1, y1 ...: crossings of a ray to the right, odd inside. */
function inLasso(lasso, x, y) {
  let inside = false;
  for (let i = 0, j = lasso.length - 2; i < lasso.length; j = i, i += 2) {
    const [xi, yi, xj, yj] = [lasso[i], lasso[i + 1], lasso[j], lasso[j + 1]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

class Linked extends View {
  constructor(root) {
    super(root);
    this.picked = new Set(); // values of u
    this.lassoed = null; // rows, while a lasso stands
    this.near = null; // rows near the pointer
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
  }

  update(data) {
    const text = JSON.stringify(data);
    if (this.text !== text) {
      this.text = text;
      this.data = data;
      this.picked.clear();
      this.lassoed = this.near = null;
      this.build();
    }
    this.relay();
  }

  build() {
    const { data } = this;
    this.panels = [];
    const figures = data.panels.map((panel) => {
      const title = element("h3", { textContent: panel.title });
      const pairs = numbersOf(panel.points);
      if (!pairs) return element("figure", {}, title, element("div", { class: "empty", textContent: panel.missing }));
      const canvas = pictureCanvas(`${panel.title}: ${data.rows} points, ${panel.names[0]} and ${panel.names[1]}`);
      const plane = new Plane(canvas, { xName: panel.names[0], yName: panel.names[1] });
      plane.range = rangeOf(pairs, 0.05);
      if (panel.square) plane.range = squared(plane.range);
      const it = { plane, pairs, canvas, lasso: null };
      this.panels.push(it);
      this.brush(it);
      return element("figure", {}, title, canvas);
    });
    this.codes = data.hues ?? new Array(data.rows).fill(0);
    this.values = data.hues ? [...new Set(data.hues)].sort((a, b) => a - b) : [0];
    this.picks = element("div", { class: "picks", role: "group", "aria-label": "Highlight a value of u" });
    this.said = element("p", { class: "said", role: "status" });
    this.body.replaceChildren(element("div", { class: "four" }, ...figures), this.picks, this.said);
  }

  colourOf(value) {
    return this.data.colours ? this.data.colours[value] : this.data.hues ? hueOf(value, this.theme) : COLOURS.data;
  }

  symbolOf(value) {
    return this.data.colours || !this.data.hues ? 0 : (value + Math.floor(value / 10)) % SYMBOLS.length;
  }

  legend() {
    const buttons = this.data.hues && this.values.length <= LISTED ? this.values.map((value) => {
      const shape = svg("svg", { viewBox: "-1.3 -1.3 2.6 2.6", "aria-hidden": "true" }, svg("path", { d: SYMBOLS[this.symbolOf(value)], fill: this.colourOf(value) }));
      const words = this.data.labels[value] ?? String(value);
      return element("button", {
        type: "button", "aria-pressed": String(this.picked.has(value)), "aria-label": `Highlight ${this.data.name} ${words}`,
        onclick: () => this.pick(value),
      }, shape, element("span", { textContent: words }));
    }) : [];
    const clear = element("button", { type: "button", textContent: "Clear", hidden: !this.picked.size && !this.lassoed, onclick: () => this.clear() });
    this.picks.replaceChildren(...(buttons.length ? [element("span", { class: "of", textContent: this.data.name })] : []), ...buttons, clear);
    this.buttons = buttons;
    this.clearButton = clear;
  }

  pick(value) {
    if (!this.picked.delete(value)) this.picked.add(value);
    this.lassoed = null;
    for (const panel of this.panels) panel.lasso = null;
    this.changed();
  }

  clear() {
    this.picked.clear();
    this.lassoed = this.near = null;
    for (const panel of this.panels) panel.lasso = null;
    this.changed();
  }

  changed() {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(this.picked.has(this.values[i]))));
    this.clearButton.hidden = !this.picked.size && !this.lassoed;
    this.request();
  }

  // --- the brush

  brush(panel) {
    const { canvas, plane, pairs } = panel;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const rowsWhere = (test) => {
      const rows = [];
      for (let r = 0; r < this.data.rows; r++) if (test(plane.toX(pairs[2 * r]), plane.toY(pairs[2 * r + 1]))) rows.push(r);
      return rows;
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      for (const other of this.panels) other.lasso = null;
      panel.lasso = at(event);
      this.drawing = panel;
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (this.drawing === panel) {
        panel.lasso.push(x, y);
        if (panel.lasso.length >= 2 * FEWEST_MOVES) {
          this.picked.clear();
          this.lassoed = rowsWhere((px, py) => inLasso(panel.lasso, px, py));
        }
        this.near = null;
      } else if (!this.lassoed && !this.picked.size && event.pointerType !== "touch") {
        const reach = (NEAR_REM * this.theme.rem) ** 2;
        this.near = rowsWhere((px, py) => (px - x) ** 2 + (py - y) ** 2 < reach);
      }
      this.changed();
    });
    const end = () => {
      if (this.drawing !== panel) return;
      this.drawing = null;
      if (panel.lasso.length < 2 * FEWEST_MOVES || !this.lassoed?.length) {
        panel.lasso = null;
        this.lassoed = null;
      }
      this.changed();
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => {
      if (this.drawing) return;
      this.near = null;
      this.request();
    });
  }

  /** Rows that stand out: of the picked values, in the lasso, or near the pointer; null for all. */
  get chosen() {
    if (this.picked.size) return Array.from({ length: this.data.rows }, (_, r) => r).filter((r) => this.picked.has(this.codes[r]));
    return this.lassoed ?? (this.near?.length ? this.near : null);
  }

  // --- drawing

  relay() {
    if (!this.data) return;
    this.theme = themeOf(this.root);
    this.legend();
    const radius = (this.data.rows > 800 ? 0.15 : 0.19) * this.theme.rem;
    const sprites = (alpha, scale) => new Map(this.values.map((v) => [v, sprite(this.symbolOf(v), this.colourOf(v), radius * scale, alpha)]));
    this.bright = sprites(1, 1.15);
    const [plain, faint] = [sprites(0.7, 1), sprites(0.13, 1)];
    const groups = this.grouped(Array.from({ length: this.data.rows }, (_, r) => r));
    for (const panel of this.panels) {
      const layer = (stamps) => {
        panel.plane.still = element("canvas");
        const laid = panel.plane.lay(this.theme, (ctx) => {
          for (const [value, rows] of groups) panel.plane.stamp(ctx, panel.pairs, rows, stamps.get(value));
        });
        return laid ? panel.plane.still : null;
      };
      panel.full = layer(plain);
      panel.dim = layer(faint);
    }
    this.request();
  }

  grouped(rows) {
    const groups = new Map(this.values.map((v) => [v, []]));
    for (const r of rows) groups.get(this.codes[r]).push(r);
    return groups;
  }

  draw() {
    if (this.closed || !this.data) return;
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
    const { chosen } = this;
    const groups = chosen && this.grouped(chosen);
    for (const { plane, pairs, full, dim, lasso } of this.panels) {
      if (!full) continue;
      plane.still = chosen ? dim : full;
      const ctx = plane.begin();
      if (groups) for (const [value, rows] of groups) plane.stamp(ctx, pairs, rows, this.bright.get(value));
      if (lasso) {
        ctx.beginPath();
        for (let i = 0; i < lasso.length; i += 2) ctx.lineTo(lasso[i], lasso[i + 1]);
        ctx.closePath();
        ctx.strokeStyle = this.theme.text;
        ctx.lineWidth = 1.5;
        ctx.setLineDash([5, 4]);
        ctx.stroke();
        ctx.setLineDash([]);
      }
      plane.end();
    }
    this.root.dataset.chosen = chosen ? chosen.length : "";
    const most = chosen && groups.size > 1 ? [...groups].filter(([, rows]) => rows.length).map(([value, rows]) => `${rows.length} of ${this.data.name} ${this.data.labels[value] ?? value}`) : [];
    const words = most.length && most.length <= 6 ? `: ${most.join(", ")}` : "";
    const thinned = this.data.rows < this.data.all ? ` (${this.data.rows.toLocaleString("en")} of ${this.data.all.toLocaleString("en")} drawn)` : "";
    const help = `Point at examples, drag a lasso, or pick a value of ${this.data.name}: the same rows light up in every panel${thinned}.`;
    const said = chosen ? `${chosen.length.toLocaleString("en")} rows${words}` : help;
    if (this.said.textContent !== said) this.said.textContent = said;
  }
}

/** The range with one scale on both axes, so that a rotation looks like one. */
function squared({ x, y }) {
  const half = Math.max(x[1] - x[0], y[1] - y[0]) / 2;
  const around = ([lo, hi]) => [(lo + hi) / 2 - half, (lo + hi) / 2 + half];
  return { x: around(x), y: around(y) };
}

export default function ({ data: [data], parentElement }) {
  let view = LINKED.get(parentElement);
  if (!view || view.closed) {
    view = new Linked(parentElement.querySelector(".dv"));
    LINKED.set(parentElement, view);
  }
  view.update(data);
  return view.close;
}
