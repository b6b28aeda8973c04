// One slider per latent; the picture, plane or bars of E[x | z] follow every input event, and a filmstrip of all latents
// under them. Needs decode.js and draw.js in front of it.

const VIEWS = new WeakMap(); // parentElement -> Explorer
const FRAME_BUDGET_MS = 8; // for the filmstrip, beside the picture itself, in one display frame
const AUTOPLAY_BUDGET_MS = 4;
const AUTOPLAY_PERIOD_S = 9;
const AUTOPLAY_REACH = 0.85; // of the slider
const CURVE_POINTS = 61;
const GAP_REM = 0.12; // between pictures of a row

class Explorer extends View {
  constructor(root) {
    super(root);
    this.z = null;
    this.rev = null;
    this.autoplay = "idle"; // idle -> running -> over
    this.pumping = { cursor: 0 };
    const stop = () => this.endAutoplay();
    for (const type of ["pointerdown", "keydown", "wheel", "touchstart"]) root.addEventListener(type, stop, { passive: true });
    this.visible = true;
    this.watcher = new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible && this.autoplay === "running") this.request();
    });
    this.watcher.observe(root);
    const closeView = this.close;
    this.close = () => {
      closeView();
      this.watcher.disconnect();
    };
  }

  update(data, setState) {
    this.setState = setState; // a fresh closure on every call
    this.data = data;
    this.theme = themeOf(this.root);
    if (!this.z || this.z.length !== data.d_z || this.rev !== data.rev) {
      if (this.rev !== null) this.endAutoplay(false); // Python moves the sliders now
      this.z = Float64Array.from(data.z);
      this.rev = data.rev;
      this.sent = null;
    }
    // Anything that changes what stands on the page builds it anew; a member or a z does not.
    const shape = JSON.stringify([data.plan, data.latents, data.lo, data.hi, data.x_names, data.filmstrip, data.reference === null, data.background]);
    const example = JSON.stringify(data.reference);
    if (this.example !== example) {
      this.example = example;
      this.reference = numbersOf(data.reference);
      this.fresh = true;
    }
    if (this.shape !== shape) {
      this.shape = shape;
      this.build();
      this.fresh = true;
    }
    if (this.member !== data.member) {
      this.member = data.member;
      this.fresh = true;
    }
    this.z0 = Float64Array.from(data.z0);
    this.follow(data.plan, () => {
      this.fresh = true;
      this.relay();
    });
    this.showSliders();
    this.staleExcept(-1);
    if (this.model) this.relay();
    if (data.autoplay && this.autoplay === "idle") {
      const still = globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.autoplay = still ? "over" : "running";
      this.started = null;
      this.hint.hidden = still;
    }
    if (!data.autoplay) this.endAutoplay(false);
  }

  // --- what stands on the page

  build() {
    const { data } = this;
    this.kind = data.x_shape ? "picture" : data.d_x === 2 ? "plane" : "bars";
    this.names = namesOf(data, data.x_names);
    this.background = numbersOf(data.background);
    this.moved = data.latents[0]?.index ?? 0;

    const reset = element("button", { type: "button", textContent: "Reset", title: "Back to where it started" });
    reset.addEventListener("click", () => {
      this.z.set(this.z0);
      this.showSliders();
      this.staleExcept(-1);
      this.request();
      this.send();
    });
    this.hint = element("p", { class: "hint", textContent: "Moving by itself. Touch a slider to take over.", hidden: this.autoplay !== "running" });
    this.sliders = data.latents.map((latent) => this.slider(latent));
    const controls = element(
      "section", { class: "controls", "aria-label": "Latents" },
      element("header", {}, element("h3", { textContent: "Latents" }), reset),
      element("div", { class: "sliders" }, ...this.sliders.map((s) => s.row)), this.hint,
    );
    this.body.replaceChildren(controls, this.display(), ...(data.filmstrip ? [this.film()] : []));
    this.body.dataset.kind = this.kind;
    this.body.classList.toggle("aside", this.kind === "plane" && data.latents.length <= 4); // room beside the plane
  }

  slider(latent) {
    const i = latent.index;
    const input = element("input", { type: "range", min: this.data.lo[i], max: this.data.hi[i], step: "any", "aria-label": latent.label });
    const value = element("output", { class: "value" });
    const words = latent.kl === null ? (latent.dead ? "dead" : "") : `${latent.dead ? "dead, " : ""}KL ${number(latent.kl)} nats`;
    const row = element(
      "label", { class: latent.dead ? "row dead" : "row" },
      element("span", { class: "name" }, element("b", { textContent: latent.label }), element("small", { textContent: words })),
      input, value,
    );
    if (latent.dead) input.setAttribute("aria-description", "dead: the posterior of this latent is its prior");
    input.addEventListener("input", () => {
      this.endAutoplay(false);
      this.move(i, Number(input.value));
      this.sendLater();
    });
    input.addEventListener("change", () => this.send());
    // Arrows move by a tenth (with Shift a hundredth), Page keys by half a unit; Home and End stay native.
    input.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const unit = event.shiftKey ? 0.01 : 0.1;
      input.value = Math.round(Number(input.value) / unit + way) * unit;
      input.dispatchEvent(new Event("input"));
    });
    return { latent, row, input, value };
  }

  display() {
    const figure = element("figure", { class: "display" });
    const caption = element("figcaption");
    this.main = pictureCanvas("Decoded x", "main");
    if (this.kind === "picture") {
      const [height, width] = this.data.x_shape;
      this.main.style.aspectRatio = `${width} / ${height}`;
      this.bitmap = new Bitmap(this.data.x_shape);
      const shown = element("div", { class: "pictures" }, element("div", { class: "shown" }, this.main, element("span", { textContent: "decoded, E[x|z]" })));
      if (this.reference) {
        this.given = pictureCanvas("The data example", "side");
        this.change = pictureCanvas("Difference, decoded minus data", "side");
        for (const canvas of [this.given, this.change]) canvas.style.aspectRatio = `${width} / ${height}`;
        this.givenBitmap = new Bitmap(this.data.x_shape);
        this.changeBitmap = new Bitmap(this.data.x_shape);
        shown.append(element(
          "div", { class: "sides" },
          element("div", { class: "shown" }, this.given, element("span", { textContent: "data, x" })),
          element("div", { class: "shown" }, this.change, element("span", { textContent: "difference, within \u00B10.5" })),
        ));
      }
      figure.append(shown);
    } else {
      figure.append(this.main);
      if (this.kind === "plane") {
        this.plane = new Plane(this.main, { xName: this.names[0], yName: this.names[1] });
        caption.append(legendEntry(0, COLOURS.reconstruction, "decoded, f(z)"), (this.swept = legendEntry("line", COLOURS.latent, "")));
        if (this.background) caption.append(legendEntry(0, COLOURS.data, "data"));
        if (this.reference) caption.append(legendEntry("cross", COLOURS.data, "this example"));
      } else {
        caption.append(legendEntry(1, COLOURS.reconstruction, "decoded, E[x|z]"));
        if (this.reference) caption.append(legendEntry("tick", COLOURS.data, "this example"));
      }
      figure.append(caption);
    }
    return figure;
  }

  film() {
    const rows = this.data.latents.filter((_, r) => this.kind !== "plane" || r < 24);
    this.strips = rows.map((latent) => {
      const canvas = pictureCanvas(`What ${latent.label} changes: x decoded at ${STEPS} values from ${short(this.data.lo[latent.index])} to ${short(this.data.hi[latent.index])}`);
      const strip = { latent, canvas };
      if (this.kind === "plane") strip.plane = new Plane(canvas, { bare: true });
      else {
        strip.cells = Array.from({ length: STEPS }, (_, step) => ({ strip, step, stale: true }));
        if (this.kind === "bars") strip.heat = new Heat(STEPS, this.data.d_x);
        canvas.title = "Click a step to go there";
        canvas.addEventListener("click", (event) => {
          const step = Math.floor((event.offsetX / canvas.clientWidth) * STEPS);
          this.move(latent.index, this.stepValue(latent.index, Math.max(0, Math.min(STEPS - 1, step))));
          this.send();
        });
      }
      return strip;
    });
    this.cells = this.kind === "plane" ? [] : this.strips.flatMap((strip) => strip.cells);
    const title = {
      picture: "Each row moves one latent from left to right, the others stay where the sliders are",
      plane: "Each panel moves one latent through its range, the others stay where the sliders are",
      bars: this.data.likelihood === "poisson"
        ? "Each row moves one latent from left to right; lines are neurons, orange above and purple below their rate in the middle"
        : "Each row moves one latent from left to right; lines are dimensions, orange above and purple below the middle, each by its own largest change",
    }[this.kind];
    const grid = element("div", { class: `film-${this.kind}` });
    if (this.kind === "plane") {
      grid.append(...this.strips.map(({ latent, canvas }) => element("figure", { class: latent.dead ? "dead" : "" }, canvas, element("figcaption", { textContent: latent.dead ? `${latent.label}, dead` : latent.label }))));
    } else {
      for (const { latent, canvas } of this.strips) {
        grid.append(element("span", { class: latent.dead ? "name dead" : "name", textContent: latent.dead ? `${latent.label}, dead` : latent.label }), canvas);
      }
      const [lo, hi] = [this.data.lo, this.data.hi];
      const same = lo.every((v) => v === lo[0]) && hi.every((v) => v === hi[0]);
      const ends = same
        ? [short(lo[0]), short((lo[0] + hi[0]) / 2), short(hi[0])]
        : ["lowest", "middle", "highest"];
      grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...ends.map((textContent) => element("span", { textContent }))));
    }
    return element("section", { class: "film", "aria-label": "Filmstrip" }, element("p", { class: "caption", textContent: title }), grid);
  }

  // --- moving

  stepValue(i, step) {
    return this.data.lo[i] + ((this.data.hi[i] - this.data.lo[i]) * step) / (STEPS - 1);
  }

  move(i, value) {
    this.z[i] = value;
    this.moved = i;
    this.showSliders();
    this.staleExcept(i);
    this.request();
  }

  /** A latent's own row does not depend on where its slider is. */
  staleExcept(i) {
    for (const cell of this.cells ?? []) if (cell.strip.latent.index !== i) cell.stale = true;
  }

  showSliders() {
    for (const { latent, input, value } of this.sliders) {
      const i = latent.index;
      const v = this.z[i];
      // A data example may lie beyond the range; the native slider would silently show its end.
      const lo = Math.min(this.data.lo[i], v);
      const hi = Math.max(this.data.hi[i], v);
      [input.min, input.max, input.value] = [lo, hi, v];
      const at = (x) => `${(((Math.max(lo, Math.min(hi, x)) - lo) / (hi - lo)) * 100).toFixed(2)}%`;
      input.style.setProperty("--from", at(Math.min(0, v)));
      input.style.setProperty("--to", at(Math.max(0, v)));
      input.style.setProperty("--zero", at(0));
      const text = number(v);
      if (value.textContent !== text) value.textContent = text;
    }
  }

  sendLater() {
    clearTimeout(this.sending);
    this.timers.delete(this.sending);
    this.sending = this.later(SEND_AFTER_MS, () => this.send());
  }

  send() {
    clearTimeout(this.sending);
    this.timers.delete(this.sending);
    const z = Array.from(this.z, (v) => Number(v.toFixed(3)));
    const text = JSON.stringify(z);
    this.describe();
    if (this.sent === text) return; // change follows the debounce after a short drag: one message is enough
    this.sent = text;
    // Python drops what was meant for an older push (rev); the count makes a return to an earlier z news as well.
    this.setState("z", { value: z, rev: this.rev, count: (this.count = (this.count ?? 0) + 1) });
  }

  describe() {
    const where = this.data.latents.map(({ index, label }) => `${label} = ${number(this.z[index])}`).join(", ");
    this.main.setAttribute("aria-label", `${{ picture: "Picture", plane: "Point in the plane", bars: "Bars" }[this.kind]} decoded from ${where}`);
  }

  endAutoplay(tell = true) {
    const ran = this.autoplay === "running";
    this.autoplay = "over"; // for good
    if (this.hint) this.hint.hidden = true;
    if (ran && tell && this.started !== null) this.sendLater(); // Python shall know what the screen shows
  }

  sweep(now) {
    const i = this.data.latents[0].index;
    this.started ??= now;
    const middle = (this.data.lo[i] + this.data.hi[i]) / 2;
    const half = ((this.data.hi[i] - this.data.lo[i]) / 2) * AUTOPLAY_REACH;
    const from = Math.asin(Math.max(-1, Math.min(1, (this.z0[i] - middle) / half)));
    this.z[i] = middle + half * Math.sin(from + (2 * Math.PI * (now - this.started)) / 1000 / AUTOPLAY_PERIOD_S);
    this.moved = i;
    this.showSliders();
    this.staleExcept(i);
  }

  // --- drawing

  /** After a new size, theme, decoder or member: everything is painted again. */
  relay() {
    if (!this.model || !this.data) return;
    this.theme = themeOf(this.root);
    if (this.fresh) {
      this.fresh = false;
      this.x = new Float32Array(this.data.d_x);
      this.scratch = new Float32Array(this.data.d_x);
      this.survey();
      this.staleExcept(-1);
    }
    if (this.kind === "plane") this.layPlanes();
    if (this.kind === "picture") this.layStrips();
    for (const cell of this.cells ?? []) cell.stale = true;
    if (this.given) {
      const ctx = fit(this.given);
      if (ctx) this.givenBitmap.show(this.reference).paint(ctx, 0, 0, this.given.clientWidth, this.given.clientHeight);
    }
    this.describe();
    this.request();
  }

  decode(z, out) {
    return decodeInto(this.model, this.member, z, out);
  }

  /** Decode each latent's range once at z0: the axes and colour scales that then hold still. */
  survey() {
    if (this.kind === "picture") return;
    const middle = this.decode(this.z0, new Float32Array(this.data.d_x)).slice();
    const samples = [middle];
    const z = this.z0.slice();
    for (const { index } of this.data.latents) {
      for (let step = 0; step < STEPS; step++) {
        z[index] = this.stepValue(index, step);
        samples.push(this.decode(z, new Float32Array(this.data.d_x)).slice());
      }
      z[index] = this.z0[index];
    }
    if (this.reference) samples.push(this.reference);
    if (this.kind === "plane") {
      const pairs = this.background ?? Float32Array.from(samples.flatMap((x) => Array.from(x)));
      this.range = rangeOf(pairs);
      this.range = grown(this.range, middle[0], middle[1]);
      if (this.reference) this.range = grown(this.range, this.reference[0], this.reference[1]);
    } else {
      // Rates run away at the ends of a range: nine in ten samples fit at first, and the axis grows when it must.
      const lo = quantile(samples.map((x) => Math.min(0, ...x)), 0.1);
      const hi = quantile(samples.map((x) => Math.max(0, ...x)), 0.9);
      this.limits = [lo < 0 ? lo * 1.05 : 0, hi > 0 ? hi * 1.05 : lo < 0 ? 0 : 1];
      this.heatOf = heatScale(this.data, samples, middle);
    }
  }

  /** Rows of pictures are as high as their cells are wide, by the shape of x. */
  layStrips() {
    const [rows, columns] = this.data.x_shape;
    for (const { canvas } of this.strips ?? []) {
      const cell = canvas.clientWidth / STEPS - GAP_REM * this.theme.rem;
      canvas.style.height = `${(cell * rows) / columns + 0.55 * this.theme.rem}px`;
    }
  }

  layPlanes() {
    const rows = this.background ? thin(this.background.length / 2, 5000) : [];
    const { rem } = this.theme;
    this.plane.range = this.range;
    this.plane.lay(this.theme, (ctx) => {
      if (this.background) this.plane.stamp(ctx, this.background, rows, sprite(0, COLOURS.data, 0.14 * rem, this.theme.dark ? 0.5 : 0.3));
      if (this.reference) this.plane.cross(ctx, this.reference[0], this.reference[1], 0.5 * rem, COLOURS.data, this.theme);
    });
    const few = this.background ? thin(rows.length, 800) : [];
    for (const { plane } of this.strips ?? []) {
      plane.range = this.range;
      plane.lay(this.theme, (ctx) => {
        if (this.background) plane.stamp(ctx, this.background, few, sprite(0, COLOURS.data, 0.09 * rem, this.theme.dark ? 0.5 : 0.3));
      });
    }
  }

  draw(now) {
    if (!this.model || this.closed) return;
    const playing = this.autoplay === "running" && this.visible;
    if (playing) this.sweep(now);
    const began = performance.now();
    this.decode(this.z, this.x);
    this[`draw_${this.kind}`]();
    this.root.dataset.ms = (performance.now() - began).toFixed(2);
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
    if (this.strips && this.kind !== "plane") {
      const left = pump(this.cells, this.pumping, playing ? AUTOPLAY_BUDGET_MS : FRAME_BUDGET_MS, (cell) => this.drawCell(cell));
      this.markStrips();
      if (left) this.request();
    }
    if (playing) this.request();
  }

  draw_picture() {
    const ctx = fit(this.main);
    if (!ctx) return;
    this.bitmap.show(this.x).paint(ctx, 0, 0, this.main.clientWidth, this.main.clientHeight);
    if (!this.reference) return;
    const side = fit(this.change);
    if (side) this.changeBitmap.showDifference(this.x, this.reference, 0.5, this.theme).paint(side, 0, 0, this.change.clientWidth, this.change.clientHeight);
  }

  draw_plane() {
    const range = grown(this.range, this.x[0], this.x[1]);
    if (range !== this.range) {
      this.range = range;
      this.layPlanes();
    }
    const { rem } = this.theme;
    const label = this.data.latents.find(({ index }) => index === this.moved)?.label ?? "";
    this.swept.lastChild.textContent = `x as ${label} moves`;
    if (this.plane.box) {
      const ctx = this.plane.begin();
      this.plane.curve(ctx, this.curveOf(this.moved), COLOURS.latent, 0.22 * rem);
      this.plane.dot(ctx, this.x[0], this.x[1], 0.55 * rem, COLOURS.reconstruction, this.theme);
      this.plane.end();
    }
    for (const { latent, plane } of this.strips ?? []) {
      if (!plane.box) continue;
      const ctx = plane.begin();
      const pairs = this.curveOf(latent.index);
      plane.curve(ctx, pairs, latent.dead ? COLOURS.reference : COLOURS.latent, 0.16 * rem);
      const every = (CURVE_POINTS - 1) / (STEPS - 1);
      ctx.fillStyle = latent.dead ? COLOURS.reference : COLOURS.latent;
      for (let k = 0; k < STEPS; k++) {
        const at = 2 * Math.round(k * every);
        ctx.beginPath();
        ctx.arc(plane.toX(pairs[at]), plane.toY(pairs[at + 1]), 0.2 * rem, 0, 2 * Math.PI);
        ctx.fill();
      }
      plane.dot(ctx, this.x[0], this.x[1], 0.34 * rem, COLOURS.reconstruction, this.theme);
      plane.end();
    }
  }

  curveOf(i) {
    const pairs = new Float32Array(2 * CURVE_POINTS);
    const z = this.z.slice();
    const lo = Math.min(this.data.lo[i], z[i]);
    const hi = Math.max(this.data.hi[i], z[i]);
    for (let k = 0; k < CURVE_POINTS; k++) {
      z[i] = lo + ((hi - lo) * k) / (CURVE_POINTS - 1);
      this.decode(z, this.scratch);
      pairs[2 * k] = this.scratch[0];
      pairs[2 * k + 1] = this.scratch[1];
    }
    return pairs;
  }

  draw_bars() {
    let [lo, hi] = this.limits;
    for (const v of this.x) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
    if (lo < this.limits[0] || hi > this.limits[1]) this.limits = [Math.min(lo * 1.15, this.limits[0]), Math.max(hi * 1.15, this.limits[1])];
    const poisson = this.data.likelihood === "poisson";
    drawBars(this.main, this.theme, {
      x: this.x, reference: this.reference, names: this.names, limits: this.limits, colour: COLOURS.reconstruction,
      unit: poisson ? "rate, counts per bin" : "E[x|z]", indexName: poisson ? "neuron" : "dimension of x",
    });
  }

  drawCell({ strip, step }) {
    const { latent, canvas } = strip;
    const z = this.z.slice();
    z[latent.index] = this.stepValue(latent.index, step);
    this.decode(z, this.scratch);
    const width = canvas.clientWidth / STEPS;
    if (this.kind === "picture") {
      const gap = GAP_REM * this.theme.rem;
      const [rows, columns] = this.data.x_shape;
      const ctx = fit(canvas);
      if (ctx) this.bitmap.show(this.scratch).paint(ctx, step * width + gap / 2, 0, width - gap, ((width - gap) * rows) / columns);
    } else {
      strip.heat.column(step, this.scratch, this.heatOf(this.theme));
    }
    strip.touched = true;
  }

  /** Heat strips as a whole, and under each row a mark where its slider is. */
  markStrips() {
    const { rem } = this.theme;
    for (const strip of this.strips) {
      const { canvas, latent } = strip;
      const at = (this.z[latent.index] - this.data.lo[latent.index]) / (this.data.hi[latent.index] - this.data.lo[latent.index]);
      if (!strip.touched && strip.at === at) continue;
      strip.touched = false;
      strip.at = at;
      const ctx = fit(canvas);
      if (!ctx) continue;
      const { clientWidth: w, clientHeight: h } = canvas;
      const floor = h - 0.5 * rem;
      if (strip.heat) {
        strip.heat.paint(ctx, 0, 0, w, floor - 0.05 * rem);
        ctx.strokeStyle = this.theme.line;
        ctx.lineWidth = 1;
        ctx.strokeRect(0.5, 0.5, w - 1, floor - 0.05 * rem - 1);
      }
      ctx.clearRect(0, floor, w, 0.5 * rem);
      // steps stand in the middle of their cells
      const x = ((Math.max(0, Math.min(1, at)) * (STEPS - 1) + 0.5) / STEPS) * w;
      ctx.fillStyle = latent.dead ? COLOURS.reference : COLOURS.latent;
      ctx.beginPath();
      ctx.moveTo(x, floor + 0.02 * rem);
      ctx.lineTo(x + 0.42 * rem, h);
      ctx.lineTo(x - 0.42 * rem, h);
      ctx.fill();
    }
  }
}

export default function ({ data, parentElement, setStateValue }) {
  let view = VIEWS.get(parentElement);
  if (!view || view.closed) {
    view = new Explorer(parentElement.querySelector(".dv"));
    VIEWS.set(parentElement, view);
  }
  view.update(data, setStateValue);
  return view.close;
}
