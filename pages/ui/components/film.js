// The filmstrip: rows of x decoded at nine steps (pictures, heat strips), or small planes with the curve of a row.
// A row is {label, dead, own, at(share) -> z, mark() -> share or null, go(share), member, turned}; `own` is the latent that it moves,
// so that moving this latent's slider leaves the row as it is. Needs the shared files in front of it.

const FILM_BUDGET_MS = 6; // of one display frame, after the picture itself has been painted
const GAP_REM = 0.12; // between pictures of a row

class Film {
  constructor(view, { rows, title, ends }) {
    Object.assign(this, { view, rows, pumping: { cursor: 0 } });
    const { kind, data } = view;
    this.caption = element("p", { class: "caption" });
    this.title = title;
    for (const row of rows) {
      row.canvas = pictureCanvas("");
      row.name = element(kind === "plane" ? "figcaption" : "span", { class: row.dead ? "name dead" : "name", textContent: row.dead ? `${row.label}, dead` : row.label });
      if (row.note) row.name.append(element("small", { textContent: row.note }));
      if (kind === "plane") {
        row.plane = new Plane(row.canvas, { bare: true });
        continue;
      }
      row.cells = Array.from({ length: STEPS }, (_, step) => ({ row, step, stale: true }));
      if (kind === "bars") row.heat = new Heat(STEPS, data.d_x);
      if (!row.go) continue;
      row.canvas.classList.add("clickable");
      row.canvas.title = "Click a step to go there";
      row.canvas.addEventListener("click", (event) => {
        const step = Math.floor((event.offsetX / row.canvas.clientWidth) * STEPS);
        row.go(Math.max(0, Math.min(STEPS - 1, step)) / (STEPS - 1));
      });
    }
    this.cells = kind === "plane" ? [] : rows.flatMap((row) => row.cells);
    const grid = element("div", { class: `film-${kind}` });
    if (kind === "plane") grid.append(...rows.map((row) => element("figure", { class: row.dead ? "dead" : "" }, row.canvas, row.name)));
    else {
      for (const row of rows) grid.append(row.name, row.canvas);
      grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...ends.map((textContent) => element("span", { textContent }))));
    }
    this.node = element("section", { class: "film", "aria-label": "Filmstrip" }, this.caption, grid);
    this.describe();
  }

  describe() {
    this.caption.textContent = this.title();
    for (const row of this.rows) row.canvas.setAttribute("aria-label", `${row.label}: ${this.caption.textContent}`);
  }

  /** Everything but the rows that move latent i themselves is decoded anew. */
  stale(i) {
    for (const cell of this.cells) if (i === null || cell.row.own() !== i) cell.stale = true;
  }

  /** Rows of pictures are as high as their cells are wide, by the shape of x. */
  lay() {
    const { view } = this;
    const { theme, background, data } = view;
    for (const row of this.rows) {
      if (view.kind === "picture") {
        const [height, width] = data.x_shape;
        const cell = row.canvas.clientWidth / STEPS - GAP_REM * theme.rem;
        row.canvas.style.height = `${(cell * height) / width + 0.55 * theme.rem}px`;
      } else if (view.kind === "plane") {
        row.plane.range = view.scale.range;
        row.plane.lay(theme, (ctx) => {
          if (background) row.plane.stamp(ctx, background, thin(background.length / 2, 800), sprite(0, COLOURS.data, 0.09 * theme.rem, theme.dark ? 0.5 : 0.3));
        });
      }
    }
    if (view.kind === "bars") for (const row of this.rows) row.order = data.d_x > MOST_NAMED ? this.orderOf(row) : null;
    this.stale(null);
  }

  /** Many lines are read only where neighbours do the same: each strip by where its lines are highest. */
  orderOf(row) {
    const { d_x } = this.view.data;
    const table = new Float32Array(STEPS * d_x);
    for (let step = 0; step < STEPS; step++) this.decode(row, row.at(step / (STEPS - 1)), table.subarray(step * d_x, (step + 1) * d_x));
    return preferenceOrder(table, STEPS, d_x);
  }

  /** Small planes are drawn at once, cells for as long as the budget lasts: true when some are left. */
  draw(budget = FILM_BUDGET_MS) {
    if (this.view.kind === "plane") {
      for (const row of this.rows) this.drawPlane(row);
      return false;
    }
    const left = pump(this.cells, this.pumping, budget, (cell) => this.drawCell(cell));
    this.mark();
    return left;
  }

  decode(row, z, out) {
    return this.view.decode(z, out, row.member?.() ?? null, row.turned);
  }

  drawPlane(row) {
    const { plane } = row;
    if (!plane.box) return;
    const { theme, z } = this.view;
    const { rem } = theme;
    const colour = row.dead ? COLOURS.reference : COLOURS.latent;
    const pairs = curveOf(this.view, (at, out) => this.decode(row, at, out), row.at);
    const ctx = plane.begin();
    plane.curve(ctx, pairs, colour, 0.16 * rem);
    ctx.fillStyle = colour;
    for (let k = 0; k < STEPS; k++) {
      const at = 2 * Math.round((k * (CURVE_POINTS - 1)) / (STEPS - 1));
      ctx.beginPath();
      ctx.arc(plane.toX(pairs[at]), plane.toY(pairs[at + 1]), 0.2 * rem, 0, 2 * Math.PI);
      ctx.fill();
    }
    const [x, y] = this.decode(row, z, new Float32Array(2));
    plane.dot(ctx, x, y, 0.34 * rem, COLOURS.reconstruction, theme);
    plane.end();
  }

  drawCell({ row, step }) {
    const { view } = this;
    this.x ??= new Float32Array(view.data.d_x);
    this.decode(row, row.at(step / (STEPS - 1)), this.x);
    row.touched = true;
    if (row.heat) {
      row.heat.column(step, this.x, view.scale.heatOf(view.theme), row.order);
      return;
    }
    const width = row.canvas.clientWidth / STEPS;
    const gap = GAP_REM * view.theme.rem;
    const [rows, columns] = view.data.x_shape;
    const ctx = fit(row.canvas);
    this.bitmap ??= new Bitmap(view.data.x_shape);
    if (ctx) this.bitmap.show(this.x).paint(ctx, step * width + gap / 2, 0, width - gap, ((width - gap) * rows) / columns);
  }

  /** Heat strips as a whole, and under each row a mark where its slider is. */
  mark() {
    const { theme } = this.view;
    const { rem } = theme;
    for (const row of this.rows) {
      const at = row.mark();
      if (!row.touched && row.marked === at) continue;
      row.touched = false;
      row.marked = at;
      const ctx = fit(row.canvas);
      if (!ctx) continue;
      const { clientWidth: w, clientHeight: h } = row.canvas;
      const floor = h - 0.5 * rem;
      if (row.heat) {
        row.heat.paint(ctx, 0, 0, w, floor - 0.05 * rem);
        ctx.strokeStyle = theme.line;
        ctx.lineWidth = 1;
        ctx.strokeRect(0.5, 0.5, w - 1, floor - 0.05 * rem - 1);
      }
      ctx.clearRect(0, floor, w, 0.5 * rem);
      if (at === null) continue;
      // steps stand in the middle of their cells
      const x = ((Math.max(0, Math.min(1, at)) * (STEPS - 1) + 0.5) / STEPS) * w;
      ctx.fillStyle = row.dead ? COLOURS.reference : COLOURS.latent;
      ctx.beginPath();
      ctx.moveTo(x, floor + 0.02 * rem);
      ctx.lineTo(x + 0.42 * rem, h);
      ctx.lineTo(x - 0.42 * rem, h);
      ctx.fill();
    }
  }
}
