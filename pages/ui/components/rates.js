// Many units at once, as neurons are looked at: a raster of E[x|z] (units by places of what was moved last), beside it the
// units at z itself and at the example, and under it tuning curves of chosen units. Needs the shared files in front of it.

const PLACES = 41; // of the raster, along what was moved last
const CHOSEN = 4;
const UNIT_HUES = [2, 4, 9, 5]; // not the hues of data, latents and reconstructions
const UNIT_DASHES = [[], [0.7, 0.35], [0.2, 0.3], [1.1, 0.3, 0.2, 0.3]]; // rem

/** Units by the place where their rate is highest; ties by the middle of what they say. table[place * units + unit]. */
export function preferenceOrder(table, places, units) {
  const preferred = new Int32Array(units);
  const middle = new Float64Array(units);
  for (let i = 0; i < units; i++) {
    let least = Infinity;
    for (let p = 0; p < places; p++) {
      if (table[p * units + i] > table[preferred[i] * units + i]) preferred[i] = p;
      least = Math.min(least, table[p * units + i]);
    }
    let sum = 0;
    for (let p = 0; p < places; p++) {
      sum += table[p * units + i] - least;
      middle[i] += p * (table[p * units + i] - least);
    }
    middle[i] = sum > 0 ? middle[i] / sum : places / 2;
  }
  return Int32Array.from({ length: units }, (_, i) => i).sort((a, b) => preferred[a] - preferred[b] || middle[a] - middle[b] || a - b);
}

/** Of each of `many` equal parts of the order, the unit whose rate changes most. */
export function telling(table, places, units, order, many) {
  const change = (i) => {
    let [lo, hi] = [Infinity, -Infinity];
    for (let p = 0; p < places; p++) [lo, hi] = [Math.min(lo, table[p * units + i]), Math.max(hi, table[p * units + i])];
    return hi - lo;
  };
  const parts = Math.min(many, units);
  return Array.from({ length: parts }, (_, k) => {
    const part = [...order.subarray(Math.floor((k * units) / parts), Math.floor(((k + 1) * units) / parts))];
    return part.reduce((best, i) => (change(i) > change(best) ? i : best));
  });
}

class Rates {
  constructor(view) {
    this.view = view;
    const { data } = view;
    this.unit = data.likelihood === "poisson" ? "rate (counts per bin)" : "E[x|z]";
    this.kin = data.likelihood === "poisson" ? "neuron" : "dimension";
    this.x = new Float32Array(data.d_x);
    this.table = new Float32Array(PLACES * data.d_x);
    this.heat = new Heat(PLACES, data.d_x);
    this.now = new Heat(1, data.d_x);
    this.given = new Heat(1, data.d_x);
    this.raster = pictureCanvas("", "raster");
    this.raster.setAttribute("role", "application");
    this.raster.setAttribute("aria-roledescription", "rate raster");
    this.raster.tabIndex = 0;
    this.curves = pictureCanvas("", "tuning");
    this.said = element("output", { class: "said" });
    this.chips = element("div", { class: "chips", role: "group", "aria-label": `Chosen ${this.kin}s` });
    this.node = element(
      "div", { class: "rates" },
      element("p", { class: "caption title", textContent: `${this.kin === "neuron" ? "Rate" : "E[x|z]"} of every ${this.kin}, sorted by where it is highest` }), this.raster,
      element("p", { class: "caption title", textContent: "Tuning curves" }), this.curves,
      this.chips, this.said,
    );
    this.row = -1;
    this.byHand = false;
    this.chosen = [];
    this.listen();
  }

  get canvas() {
    return this.raster;
  }

  get between() {
    return this.view.data.mode === "between";
  }

  get alongName() {
    return this.between ? "way from A to B" : this.view.labelOf(this.view.moved);
  }

  decode(z, out = this.x) {
    return this.view.decode(z, out);
  }

  describe(where) {
    this.raster.setAttribute("aria-label", `Raster of ${this.view.data.d_x} ${this.kin}s decoded from ${where}. Up and down choose one, Enter shows its tuning curve.`);
    this.curves.setAttribute("aria-label", `Tuning curves of ${this.chosen.map((i) => this.view.names[i]).join(", ")} along ${this.alongName}, marked at ${where}`);
  }

  listen() {
    const { raster } = this;
    const rowAt = (y) => Math.floor(((y - this.box.y) / this.box.h) * this.order.length);
    const isInside = ({ offsetX, offsetY }) => this.box && offsetX >= this.box.x && offsetX <= this.box.end && offsetY > this.box.y && offsetY < this.box.y + this.box.h;
    raster.addEventListener("pointermove", (event) => this.point(isInside(event) ? rowAt(event.offsetY) : -1));
    raster.addEventListener("pointerleave", () => this.point(-1));
    raster.addEventListener("blur", () => this.point(-1));
    raster.addEventListener("click", (event) => isInside(event) && this.toggle(this.order[rowAt(event.offsetY)]));
    raster.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.order) return;
      const last = this.order.length - 1;
      const to = { ArrowUp: Math.max(0, this.row - 1), ArrowDown: Math.min(last, this.row + 1), Home: 0, End: last }[event.key];
      if (to !== undefined) this.point(to);
      else if (event.key === "Enter" && this.row >= 0) this.toggle(this.order[this.row]);
      else return;
      event.preventDefault();
    });
  }

  /** Say a row's rate and frame it. */
  point(row) {
    if (row === this.row) return;
    this.row = row;
    this.view.request();
  }

  toggle(unit) {
    const at = this.chosen.indexOf(unit);
    this.byHand = true;
    if (at >= 0) this.chosen.splice(at, 1);
    else this.chosen = [...this.chosen.slice(this.chosen.length >= CHOSEN ? 1 : 0), unit];
    this.listChosen();
    this.view.request();
  }

  listChosen() {
    const { theme, names } = this.view;
    this.reach = null;
    this.chips.replaceChildren(...this.chosen.map((unit, k) => {
      const chip = element("button", { type: "button", title: "Take its curve away", "aria-label": `${names[unit]}: take its curve away` }, legendEntry(UNIT_HUES[k], hueOf(UNIT_HUES[k], theme), names[unit]));
      chip.addEventListener("click", () => this.toggle(unit));
      return chip;
    }), element("span", { class: "hint", textContent: `Click a ${this.kin} in the raster to add its curve.` }));
  }

  /** Rates along what was moved last; it does not depend on where that itself stands. */
  follow() {
    const { view } = this;
    const { d_x } = view.data;
    const along = this.between ? "between" : view.moved;
    const rest = Array.from(view.walkAt(0), (v, i) => (i === along ? view.data.lo[i] : v)).join();
    const key = `${along}|${view.shownMember()}|${rest}`;
    if (this.key === key) return;
    const isOther = this.along !== along || this.laid !== view.scale;
    [this.key, this.along, this.laid] = [key, along, view.scale];
    for (let p = 0; p < PLACES; p++) this.decode(view.walkAt(p / (PLACES - 1)), this.table.subarray(p * d_x, (p + 1) * d_x));
    if (isOther) {
      this.order = preferenceOrder(this.table, PLACES, d_x);
      if (!this.byHand) this.chosen = telling(this.table, PLACES, d_x, this.order, CHOSEN);
      this.listChosen();
      this.view.describe();
    }
    this.isStale = true;
  }

  lay() {
    this.key = null; // another decoder, member, theme or size
    this.isStale = true;
    if (this.chosen.length) this.listChosen();
  }

  /** Page background to dark (or light, on a dark page) by way of the colour of reconstructions. */
  colour(theme) {
    const [lo, hi] = this.view.scale.rates;
    const stops = [theme.background, rgbOf(COLOURS.reconstruction), theme.dark ? [255, 236, 247] : [72, 18, 52]];
    return (v, _, out, p) => {
      const share = 2 * Math.max(0, Math.min(1, (v - lo) / (hi - lo)));
      const at = share < 1 ? 0 : 1;
      for (let k = 0; k < 3; k++) out[p + k] = stops[at][k] + (share - at) * (stops[at + 1][k] - stops[at][k]);
    };
  }

  draw() {
    const { theme } = this.view;
    if (!this.raster.clientWidth) return;
    this.follow();
    const { rem } = theme;
    const strips = this.view.reference ? 2 : 1;
    const left = 3.2 * rem;
    const right = (1.9 + 1.5 * strips + 2.2) * rem;
    const w = Math.max(20, this.raster.clientWidth - left - right);
    this.box = { x: left, y: 1.3 * rem, w, h: this.raster.clientHeight - 1.6 * rem, end: left + w + 1.9 * rem + 1.5 * strips * rem };
    this.drawRaster(strips);
    this.drawCurves();
  }

  /** Where along the walk z is now. */
  get share() {
    const { view } = this;
    if (this.between) return view.side.t;
    const { lo, hi } = this.range;
    return (view.z[view.moved] - lo) / (hi - lo);
  }

  get range() {
    const { view } = this;
    if (this.between) return { lo: 0, hi: 100 };
    const i = view.moved;
    return { lo: Math.min(view.data.lo[i], view.z[i]), hi: Math.max(view.data.hi[i], view.z[i]) };
  }

  drawRaster(strips) {
    const { theme, reference, scale, names } = this.view;
    const { rem } = theme;
    const { box, order } = this;
    const units = order.length;
    const colour = this.colour(theme);
    if (this.isStale) {
      for (let p = 0; p < PLACES; p++) this.heat.column(p, this.table.subarray(p * units, (p + 1) * units), colour, order);
      if (reference) this.given.column(0, reference, colour, order);
      this.isStale = false;
    }
    this.now.column(0, this.x, colour, order);
    const ctx = fit(this.raster);
    ctx.clearRect(0, 0, this.raster.clientWidth, this.raster.clientHeight);
    const frame = (x, w) => {
      ctx.strokeStyle = theme.line;
      ctx.lineWidth = 1;
      ctx.strokeRect(x, box.y, w, box.h);
    };
    this.heat.paint(ctx, box.x, box.y, box.w, box.h);
    frame(box.x, box.w);
    ctx.font = `${0.8 * rem}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    const strip = (k, heat, words) => {
      const x = box.x + box.w + (0.5 + 1.6 * k) * rem;
      heat.paint(ctx, x, box.y, 1.1 * rem, box.h);
      frame(x, 1.1 * rem);
      ctx.fillText(words, x + 0.55 * rem, box.y - 0.15 * rem);
    };
    strip(0, this.now, "at z");
    if (reference) strip(1, this.given, "x");
    // The key of colours.
    const [lo, hi] = scale.rates;
    const key = box.x + box.w + (0.5 + 1.6 * strips + 0.4) * rem;
    const shade = ctx.createLinearGradient(0, box.y + box.h, 0, box.y);
    for (let k = 0; k <= 8; k++) {
      const rgb = [0, 0, 0];
      colour(lo + (k / 8) * (hi - lo), 0, rgb, 0);
      shade.addColorStop(k / 8, `rgb(${rgb.map(Math.round)})`);
    }
    ctx.fillStyle = shade;
    ctx.fillRect(key, box.y, 0.6 * rem, box.h);
    frame(key, 0.6 * rem);
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    const y = (v) => box.y + box.h - ((v - lo) / (hi - lo)) * box.h;
    for (const v of ticks(lo, hi, 4)) if (y(v) > box.y + 0.6 * rem) ctx.fillText(minus(v), key + 0.75 * rem, y(v));
    ctx.fillText(`\u2265${minus(Number(hi.toPrecision(2)))}`, key + 0.75 * rem, box.y + 0.1 * rem);
    // Which line is whose.
    ctx.textAlign = "right";
    for (const i of ticks(1, units, 5)) if (i >= 1 && Number.isInteger(i)) ctx.fillText(String(i), box.x - 0.4 * rem, box.y + ((i - 0.5) / units) * box.h);
    this.upright(ctx, `${this.kin}s, sorted`, box, theme);
    ctx.save();
    ctx.translate(this.raster.clientWidth - 0.1 * rem, box.y + box.h / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.font = `600 ${0.85 * rem}px ${theme.font}`;
    ctx.fillStyle = theme.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText(this.unit, 0, 0, box.h);
    ctx.restore();
    // Chosen units, the row under the finger, and where z is.
    const tall = Math.max(2, box.h / units);
    const row = (unit) => order.indexOf(unit);
    this.chosen.forEach((unit, k) => {
      const at = box.y + ((row(unit) + 0.5) / units) * box.h;
      this.symbol(ctx, k, box.x + 0.55 * rem, at, 0.3 * rem);
    });
    if (this.row >= 0) {
      ctx.strokeStyle = theme.text;
      ctx.lineWidth = 1.5;
      ctx.strokeRect(box.x - 1, box.y + (this.row / units) * box.h - 1, box.end - box.x - 1.4 * rem + 2, tall + 2);
      const unit = order[this.row];
      const words = `${names[unit]}: ${number(this.x[unit])}${this.kin === "neuron" ? " counts per bin" : ""} at z${reference ? `, ${short(reference[unit])} in this example` : ""}`;
      if (this.said.textContent !== words) this.said.textContent = words;
    } else if (this.said.textContent) this.said.textContent = "";
    this.marker(ctx, box);
  }

  marker(ctx, { x, y, w, h }) {
    const { rem } = this.view.theme;
    const at = x + this.share * w;
    ctx.strokeStyle = COLOURS.latent;
    ctx.lineWidth = 0.16 * rem;
    ctx.beginPath();
    ctx.moveTo(at, y);
    ctx.lineTo(at, y + h);
    ctx.stroke();
  }

  upright(ctx, words, box, theme) {
    ctx.save();
    ctx.translate(0.1 * theme.rem, box.y + box.h / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.font = `600 ${0.85 * theme.rem}px ${theme.font}`;
    ctx.fillStyle = theme.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.fillText(words, 0, 0, box.h + 2 * theme.rem);
    ctx.restore();
  }

  symbol(ctx, k, x, y, radius) {
    const { theme } = this.view;
    ctx.save();
    ctx.translate(x, y);
    ctx.scale(radius, radius);
    const path = new Path2D(SYMBOLS[UNIT_HUES[k] % SYMBOLS.length]);
    ctx.lineWidth = 0.7;
    ctx.strokeStyle = theme.backgroundText;
    ctx.stroke(path);
    ctx.fillStyle = hueOf(UNIT_HUES[k], theme);
    ctx.fill(path);
    ctx.restore();
  }

  drawCurves() {
    const { theme, reference, data } = this.view;
    const { rem } = theme;
    const ctx = fit(this.curves);
    if (!ctx) return;
    const { clientWidth: w, clientHeight: h } = this.curves;
    const box = { x: this.box.x, y: 1.2 * rem, w: this.box.w, h: h - 3.9 * rem };
    ctx.clearRect(0, 0, w, h);
    const units = data.d_x;
    let [lo, hi] = this.reach ?? [Math.min(0, this.view.scale.rates[0]), 0];
    for (const unit of this.chosen) for (let p = 0; p < PLACES; p++) [lo, hi] = [Math.min(lo, this.table[p * units + unit]), Math.max(hi, this.table[p * units + unit])];
    this.reach = [lo, hi]; // it only grows while others move
    const top = hi + 0.06 * (hi - lo || 1);
    const range = this.range;
    const toX = (v) => box.x + ((v - range.lo) / (range.hi - range.lo)) * box.w;
    const toY = (v) => box.y + box.h - ((v - lo) / (top - lo)) * box.h;
    ctx.font = `${0.8 * rem}px ${theme.font}`;
    ctx.strokeStyle = theme.grid;
    ctx.fillStyle = theme.muted;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const v of ticks(range.lo, range.hi, Math.max(2, Math.min(6, Math.floor(box.w / (3.2 * rem)))))) {
      ctx.moveTo(toX(v), box.y);
      ctx.lineTo(toX(v), box.y + box.h);
      ctx.fillText(this.between ? `${v} %` : minus(v), toX(v), box.y + box.h + 0.3 * rem);
    }
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const v of ticks(lo, top, 4)) {
      ctx.moveTo(box.x, toY(v));
      ctx.lineTo(box.x + box.w, toY(v));
      ctx.fillText(minus(v), box.x - 0.4 * rem, toY(v));
    }
    ctx.stroke();
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(box.x, box.y, box.w, box.h);
    ctx.font = `600 ${0.9 * rem}px ${theme.font}`;
    ctx.fillStyle = theme.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText(this.alongName, box.x + box.w / 2, h, box.w);
    this.upright(ctx, this.unit, box, theme);
    this.marker(ctx, box);
    const at = box.x + this.share * box.w;
    this.chosen.forEach((unit, k) => {
      ctx.strokeStyle = hueOf(UNIT_HUES[k], theme);
      ctx.lineWidth = 0.19 * rem;
      ctx.lineJoin = "round";
      ctx.setLineDash(UNIT_DASHES[k].map((v) => v * rem));
      ctx.beginPath();
      for (let p = 0; p < PLACES; p++) ctx.lineTo(box.x + (p / (PLACES - 1)) * box.w, toY(this.table[p * units + unit]));
      ctx.stroke();
      ctx.setLineDash([]);
    });
    this.chosen.forEach((unit, k) => this.symbol(ctx, k, at, toY(this.x[unit]), 0.42 * rem));
    if (!reference) return;
    this.chosen.forEach((unit, k) => { // what was counted, at the right edge: it belongs to no place on this axis
      ctx.globalAlpha = reference[unit] > top ? 0.4 : 1;
      this.symbol(ctx, k, box.x + box.w + 1.0 * rem, toY(Math.min(top, reference[unit])), 0.34 * rem);
      ctx.globalAlpha = 1;
    });
    ctx.font = `${0.8 * rem}px ${theme.font}`;
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText("x", box.x + box.w + 1.0 * rem, box.y - 0.25 * rem);
  }
}
