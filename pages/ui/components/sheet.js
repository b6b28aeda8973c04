// A sheet of examples: given ones and decoded ones, line under line; for 2-D data a scatter panel for each kind.
// Needs the shared files in front of it.

const SHEETS = new WeakMap(); // parentElement -> Sheet
const SHEET_BUDGET_MS = 12;
const NARROWEST_REM = 3; // a cell; fewer columns stand side by side on a narrow page

class Sheet extends View {
  constructor(root) {
    super(root);
    this.pumping = { cursor: 0 };
  }

  update(data, setState) {
    this.setState = setState; // a fresh closure on every call
    this.theme = themeOf(this.root);
    const text = JSON.stringify([data.plan, data.member, data.rows, data.columns, data.paired, data.x_names, data.pickable]);
    if (this.text !== text) {
      this.text = text;
      this.data = data;
      this.member = data.member;
      this.kind = kindOf(data);
      this.rows = data.rows.map((row) => ({ ...row, x: numbersOf(row.x), z: numbersOf(row.z), at: numbersOf(row.at), decoded: row.x ? null : [] }));
      this.built = null;
    }
    this.follow(data.plan, () => {
      for (const row of this.rows) if (row.z) row.decoded = [];
      this.built = null;
      this.relay();
    });
    if (this.model) this.relay();
  }

  /** Where example k of a row lies in the latents, or null. */
  latentsOf(row, k) {
    const { d_z } = this.data;
    const z = row.z ?? row.at;
    return z ? Array.from(z.subarray(k * d_z, (k + 1) * d_z), (v) => Number(v.toFixed(4))) : null;
  }

  /** Python hears which example was taken. */
  pick(row, k) {
    const z = this.latentsOf(row, k);
    if (z) this.setState("picked", { row: this.rows.indexOf(row), z, count: (this.count = (this.count ?? 0) + 1) });
  }

  /** Let examples of a canvas be clicked, taken by keys, or dragged away. exampleAt(event) -> k or -1, step(k, arrow) -> k. */
  listen(canvas, row, { exampleAt, step, show, name }) {
    if (!this.data.pickable || !(row.z ?? row.at)) return;
    let at = -1;
    const words = canvas.getAttribute("aria-label");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${words}. Arrow keys choose one, Enter moves the sliders there.`);
    canvas.classList.add("pickable");
    canvas.title = "Click: the sliders go there. Or drag it to them.";
    const goTo = (k) => {
      show(at, k);
      at = k;
      if (k >= 0) canvas.setAttribute("aria-description", name(k));
    };
    canvas.addEventListener("click", (event) => {
      const k = exampleAt(event);
      if (k >= 0) this.pick(row, k);
    });
    canvas.addEventListener("blur", () => goTo(-1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" && at >= 0) this.pick(row, at);
      else if (ARROWS[event.key]) goTo(step(at, ARROWS[event.key]));
      else return;
      event.preventDefault();
    });
    canvas.draggable = true;
    canvas.addEventListener("dragstart", (event) => {
      const k = exampleAt(event);
      if (k < 0) return event.preventDefault();
      event.dataTransfer.setData(DRAGGED, JSON.stringify({ plan: this.planId, z: this.latentsOf(row, k) }));
      event.dataTransfer.effectAllowed = "copy";
    });
  }

  colourOf(row) {
    return COLOURS[row.colour];
  }

  exampleOf(row, k) {
    if (row.x) return row.x.subarray(k * this.data.d_x, (k + 1) * this.data.d_x);
    row.decoded[k] ??= decodeInto(this.model, this.member, row.z.subarray(k * this.data.d_z, (k + 1) * this.data.d_z), new Float32Array(this.data.d_x));
    return row.decoded[k];
  }

  relay() {
    if (!this.model || !this.data) return;
    this.theme = themeOf(this.root);
    if (this.kind === "plane") this.layPanels();
    else this.layLines();
    this.request();
  }

  // --- pictures and bars: lines of cells

  layLines() {
    const { data, theme } = this;
    const most = Math.max(...this.rows.map((row) => row.count));
    const columns = Math.max(1, Math.min(data.columns, most, Math.floor((this.root.clientWidth - 9 * theme.rem) / (NARROWEST_REM * theme.rem))));
    if (this.built !== columns) {
      this.built = columns;
      this.lines = [];
      const lines = Math.ceil(most / columns);
      const line = (row, at) => {
        const from = at * columns;
        if (from < row.count) this.lines.push({ row, from, to: Math.min(row.count, from + columns) });
      };
      if (data.paired) for (let at = 0; at < lines; at++) for (const row of this.rows) line(row, at);
      else for (const row of this.rows) for (let at = 0; at < lines; at++) line(row, at);
      const grid = element("div", { class: "lines" });
      let group = -1;
      for (const line of this.lines) {
        line.canvas = pictureCanvas(`${line.row.label}, ${line.from + 1} to ${line.to}`);
        const name = element("span", { class: "name" }, element("i", { "aria-hidden": "true" }), element("span", { textContent: line.row.label }));
        name.firstChild.style.background = this.colourOf(line.row);
        const next = data.paired ? Math.floor(line.from / columns) : this.rows.indexOf(line.row);
        if (group >= 0 && next !== group) name.classList.add("apart");
        if (group >= 0 && next !== group) line.canvas.classList.add("apart");
        group = next;
        const { row, from, to, canvas } = line;
        this.listen(canvas, row, {
          exampleAt: ({ offsetX }) => Math.max(from, Math.min(to - 1, from + Math.floor((offsetX / canvas.clientWidth) * columns))),
          step: (k, [right, up]) => (k < 0 ? from : Math.max(from, Math.min(to - 1, k + right - up))),
          show: (before, k) => {
            line.at = k - from;
            for (const cell of this.cells) if (cell.line === line && (cell.column === before - from || cell.column === k - from)) cell.stale = true;
            this.request();
          },
          name: (k) => `number ${k + 1}`,
        });
        grid.append(name, canvas);
      }
      this.cells = this.lines.flatMap((line) => Array.from({ length: line.to - line.from }, (_, column) => ({ line, column })));
      this.body.replaceChildren(grid);
      this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
      this.limits = null;
    }
    const [rows, wide] = data.x_shape ?? [1, 2];
    this.gap = (data.x_shape ? 0.2 : 0.9) * theme.rem;
    for (const { canvas } of this.lines) canvas.style.height = `${((canvas.clientWidth / this.built - this.gap) * rows) / wide}px`;
    for (const { canvas } of this.lines) fit(canvas)?.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    for (const cell of this.cells) cell.stale = true;
    if (!data.x_shape) this.limits ??= this.limitsOfAll();
  }

  /** One scale for all bars of the sheet, else they could not be compared. */
  limitsOfAll() {
    const values = this.rows.flatMap((row) => Array.from({ length: row.count }, (_, k) => this.exampleOf(row, k)));
    const lo = Math.min(0, quantile(values.map((x) => Math.min(...x)), 0.1));
    const hi = Math.max(0, quantile(values.map((x) => Math.max(...x)), 0.9));
    return hi > lo ? [lo, hi] : [0, 1];
  }

  drawCell({ line, column }) {
    const { canvas, row, from } = line;
    const width = canvas.clientWidth / this.built;
    const ctx = fit(canvas);
    if (!ctx) return;
    const x = this.exampleOf(row, from + column);
    const box = { x: column * width + this.gap / 2, y: 0, w: width - this.gap, h: canvas.clientHeight };
    ctx.clearRect(column * width, 0, width, box.h);
    if (this.bitmap) this.bitmap.show(x).paint(ctx, box.x, box.y, box.w, box.h);
    else smallBars(ctx, box, x, this.limits, this.colourOf(row), this.theme);
    if (line.at !== column) return;
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.2 * this.theme.rem;
    ctx.strokeRect(box.x + ctx.lineWidth / 2, box.y + ctx.lineWidth / 2, box.w - ctx.lineWidth, box.h - ctx.lineWidth);
  }

  // --- 2-D data: one panel per row

  layPanels() {
    const pairs = (this.pairs ??= new Map());
    if (!this.built) {
      this.built = true;
      pairs.clear();
      const names = namesOf(this.data, this.data.x_names);
      this.panels = this.rows.map((row) => {
        const canvas = pictureCanvas(`${row.label}: ${row.count} points in the plane of ${names[0]} and ${names[1]}`);
        return { row, canvas, plane: new Plane(canvas, { xName: names[0], yName: names[1] }) };
      });
      for (const { row } of this.panels) {
        const xy = new Float32Array(2 * row.count);
        for (let k = 0; k < row.count; k++) xy.set(this.exampleOf(row, k), 2 * k);
        pairs.set(row, xy);
      }
      for (const panel of this.panels) {
        const { row, canvas, plane } = panel;
        const own = pairs.get(row);
        this.listen(canvas, row, {
          exampleAt: ({ offsetX, offsetY }) => nearestTo(plane, own, offsetX, offsetY, this.theme.rem),
          step: (k, way) => (k < 0 ? 0 : nextFrom(plane, own, k, way)),
          show: (_, k) => {
            panel.at = k;
            this.showPanel(panel);
          },
          name: (k) => `${number(own[2 * k])}, ${number(own[2 * k + 1])}`,
        });
      }
      this.body.replaceChildren(element("div", { class: "panels" }, ...this.panels.map(({ row, canvas }) => {
        const title = element("figcaption", {}, legendEntry(0, this.colourOf(row), `${row.label}, ${row.count} points`));
        return element("figure", {}, title, canvas);
      })));
      // Given data set the axes; a decoder that runs away must not shrink them to nothing.
      const given = this.panels.filter(({ row }) => row.x);
      const all = (given.length ? given : this.panels).flatMap(({ row }) => Array.from(pairs.get(row)));
      this.range = rangeOf(all, 0.15);
    }
    for (const panel of this.panels) {
      const { row, plane } = panel;
      plane.range = this.range;
      const point = sprite(0, this.colourOf(row), 0.15 * this.theme.rem, row.count > 800 ? 0.45 : 0.75);
      if (plane.lay(this.theme, (ctx) => plane.stamp(ctx, pairs.get(row), thin(row.count, 5000), point))) this.showPanel(panel);
    }
  }

  showPanel({ row, plane, at = -1 }) {
    if (!plane.box) return;
    const ctx = plane.begin();
    const own = this.pairs.get(row);
    if (at >= 0) ring(ctx, plane, own[2 * at], own[2 * at + 1], this.theme);
    plane.end();
  }

  draw() {
    if (!this.model || this.closed) return;
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
    if (this.kind !== "plane" && pump(this.cells, this.pumping, SHEET_BUDGET_MS, (cell) => this.drawCell(cell))) this.request();
  }
}

export default function ({ data: [data], parentElement, setStateValue }) {
  let view = SHEETS.get(parentElement);
  if (!view || view.closed) {
    view = new Sheet(parentElement.querySelector(".dv"));
    SHEETS.set(parentElement, view);
  }
  view.update(data, setStateValue);
  return view.close;
}
