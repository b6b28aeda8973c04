// Turn the latents: z~ = M z. The prior's circles stay, the data x = f(M^T z~) stay, what a latent means does not.
// Needs the shared files in front of it.

const ROTORS = new WeakMap(); // parentElement -> Rotor
const TURN_BUDGET_MS = 6; // of one display frame, for pictures decoded anew while turning
const CHECKED = 64; // points whose x is decoded through the twin at every angle
const SHOWN = 6; // examples in the data panel where x is not a plane
const LABELS_AT = (112 * Math.PI) / 180; // of the circles: between two of the numbered examples
const TILDE = "z\u0303";
const SUBSCRIPTS = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089";
const sub = (i) => [...String(i + 1)].map((c) => SUBSCRIPTS[c]).join("");

class Rotor extends View {
  constructor(root) {
    super(root);
    this.rev = null;
    this.pumping = { cursor: 0 };
  }

  update(data, setState) {
    this.setState = setState; // a fresh closure on every call
    this.data = data;
    this.theme = themeOf(this.root);
    const shape = JSON.stringify({ ...data, angle: 0, rev: 0, member: 0 });
    const moved = this.rev !== data.rev;
    if (moved) {
      this.rev = data.rev;
      this.angle = Math.max(0, Math.min(data.limit, data.angle));
      this.sent = null;
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
    if (data.twin) {
      this.follow(data.plan, () => {
        this.fresh = true;
        this.relay();
      });
    } else {
      this.planId = undefined;
      this.stopWaiting();
      this.say("");
    }
    this.turn();
    this.relay();
  }

  get ready() {
    return !this.data.twin || this.model !== null;
  }

  // --- what stands on the page

  build() {
    const { data } = this;
    [this.i, this.j] = data.plane;
    this.twins = this.xCanvas = this.swarm = null; // of the panels before
    this.stripRows = [];
    this.names = [this.i, this.j].map((k) => `z${sub(k)}`);
    this.tildes = [this.i, this.j].map((k) => `${TILDE}${sub(k)}`);
    this.kind = data.twin ? kindOf(data) : null;
    this.latents = numbersOf(data.points);
    this.n = this.latents.length / data.d_z;
    this.base = data.base ? Float64Array.from(data.base) : null;
    this.before = this.inPlane(this.latents);
    this.after = new Float32Array(this.before.length);
    this.hues = data.hues ?? Array.from({ length: this.n }, (_, k) => this.quadrant(k));
    this.labels = data.hues ? data.hue_labels : [`${this.names[0]}, ${this.names[1]} > 0`, `${this.names[0]} < 0 < ${this.names[1]}`, `${this.names[0]}, ${this.names[1]} < 0`, `${this.names[1]} < 0 < ${this.names[0]}`];
    this.groups = new Map();
    this.hues.forEach((hue, k) => {
      if (!this.groups.has(hue)) this.groups.set(hue, []);
      this.groups.get(hue).push(k);
    });
    this.examples = this.kind === "picture" || this.kind === "bars" ? this.spread() : [];

    const round = { range: { x: [-this.reach(), this.reach()], y: [-this.reach(), this.reach()] } };
    this.zCanvas = pictureCanvas("");
    this.tCanvas = pictureCanvas("", "turns");
    this.zPlane = Object.assign(new Plane(this.zCanvas, { xName: this.names[0], yName: this.names[1], left: 2.5, bottom: 2.5 }), round);
    this.tPlane = Object.assign(new Plane(this.tCanvas, { xName: this.tildes[0], yName: this.tildes[1], left: 2.5, bottom: 2.5 }), round);
    const panels = [
      this.panel("Latents z", "circles: N(0, I) at 1, 2, 3 sd", this.zCanvas),
      this.panel(`Rotated ${TILDE} = M z`, "the very same circles", this.tCanvas),
    ];
    if (data.twin) panels.push(this.dataPanel());
    turnable(this, this.tCanvas, () => {
      const { left, top } = this.tCanvas.getBoundingClientRect();
      const { box } = this.tPlane;
      return [left + box.x + box.w / 2, top + box.y + box.h / 2];
    });

    const legend = element("div", { class: "legend" });
    [...this.groups.keys()].sort((a, b) => a - b).slice(0, 12).forEach((hue) => {
      legend.append(legendEntry(hue, hueOf(hue, this.theme), this.labels[hue] ?? `u = ${hue}`));
    });
    if (this.groups.size > 12) legend.append(element("span", { textContent: `and ${this.groups.size - 12} more` }));
    this.legendHues = legend;

    this.dial = new Dial(this);
    this.body.replaceChildren(
      element("div", { class: "top" }, this.dial.panel, element("div", { class: "views" }, element("div", { class: "scatters" }, ...panels), legend)),
      ...(data.strips ? [this.strips()] : []),
    );
    this.body.dataset.kind = this.kind ?? "prior";
    this.body.dataset.strips = data.strips ? "below" : "none";
  }

  panel(title, words, canvas, more) {
    return element("figure", {}, element("h3", { textContent: title }), element("p", { class: "caption", textContent: words }), canvas, more ?? element("span"));
  }

  dataPanel() {
    this.check = element("p", { class: "check" });
    this.xCanvas = pictureCanvas("");
    if (this.kind === "plane") {
      const names = namesOf(this.data, this.data.x_names);
      this.xPlane = new Plane(this.xCanvas, { xName: names[0], yName: names[1] });
    }
    const words = { plane: "the points do not move", picture: "the pictures do not change", bars: "the rows do not change" }[this.kind];
    return this.panel(`Data x = f(z) = f(M\u1D40${TILDE})`, words, this.xCanvas, this.check);
  }

  strips() {
    this.stripRows = this.tildes.map((name, axis) => {
      const canvas = pictureCanvas("");
      const cells = Array.from({ length: STEPS }, (_, step) => ({ axis, step, stale: true }));
      return { name, axis, canvas, cells, heat: this.kind === "bars" ? new Heat(STEPS, this.data.d_x) : null };
    });
    const grid = element("div", { class: "strips" });
    for (const { name, canvas } of this.stripRows) grid.append(element("span", { class: "name", textContent: name }), canvas);
    const reach = short(this.data.reach);
    grid.append(element("span"), element("div", { class: "ends", "aria-hidden": "true" }, ...[minus(-this.data.reach), "0", reach].map((textContent) => element("span", { textContent }))));
    return element(
      "section", { class: "walks", "aria-label": "Traversals of the rotated latents" },
      element("h3", { textContent: `What ${this.tildes[0]} and ${this.tildes[1]} mean` }),
      element("p", { class: "caption", textContent: `x = f(M\u1D40${TILDE}) along each rotated latent, through the prior mean: this does change with the angle` }),
      grid,
    );
  }

  // --- numbers

  inPlane(latents) {
    const d = this.data.d_z;
    const pairs = new Float32Array(2 * this.n);
    for (let k = 0; k < this.n; k++) {
      pairs[2 * k] = latents[k * d + this.i];
      pairs[2 * k + 1] = latents[k * d + this.j];
    }
    return pairs;
  }

  quadrant(k) {
    const [a, b] = [this.before[2 * k], this.before[2 * k + 1]];
    return a >= 0 ? (b >= 0 ? 0 : 3) : b >= 0 ? 1 : 2;
  }

  /** Half a side of the latent panels: the circles, and 99 % of the points whichever way they turn. */
  reach() {
    const d = this.data.d_z;
    const radii = [];
    for (let k = 0; k < this.n; k++) {
      let s = 0;
      if (this.base) for (let c = 0; c < d; c++) s += this.latents[k * d + c] ** 2;
      else s = this.before[2 * k] ** 2 + this.before[2 * k + 1] ** 2;
      radii.push(Math.sqrt(s));
    }
    return Math.max(3.6, Math.min(8, 1.05 * quantile(radii, 0.99)));
  }

  /** A few points spread around the plane, to be shown as pictures. */
  spread() {
    const wanted = Array.from({ length: SHOWN }, (_, k) => [1.4 * Math.cos((k * Math.PI) / 3 + 0.4), 1.4 * Math.sin((k * Math.PI) / 3 + 0.4)]);
    const taken = new Set();
    for (const [x, y] of wanted) {
      let best = -1;
      let least = Infinity;
      for (let k = 0; k < this.n; k++) {
        const far = (this.before[2 * k] - x) ** 2 + (this.before[2 * k + 1] - y) ** 2;
        if (far < least && !taken.has(k)) [best, least] = [k, far];
      }
      if (best >= 0) taken.add(best);
    }
    return [...taken];
  }

  latentOf(k) {
    return Float64Array.from(this.latents.subarray(k * this.data.d_z, (k + 1) * this.data.d_z));
  }

  // float64, so that the largest change of x is what arithmetic leaves and not what float32 rounds away
  decode(z) {
    return decodeInto(this.model, this.member, z, new Float64Array(this.data.d_x));
  }

  /** x of the rotated twin: f(M^T z~). */
  decodeTwin(tilde) {
    return this.decode(applyTransposed(this.M, tilde));
  }

  // --- moving

  turnTo(degrees) {
    const { limit } = this.data;
    const angle = Math.max(0, Math.min(limit, limit >= 360 && degrees < 0 ? degrees + 360 : limit >= 360 && degrees > 360 ? degrees - 360 : degrees));
    if (angle === this.angle) return;
    this.angle = angle;
    this.turn();
    this.request();
  }

  /** Everything that follows from the angle, except pixels. */
  turn() {
    const d = this.data.d_z;
    this.M = rotation(this.angle, d, this.i, this.j, this.base);
    const { M, i, j, before, after } = this;
    if (this.base) {
      for (let k = 0; k < this.n; k++) {
        let [a, b] = [0, 0];
        for (let c = 0; c < d; c++) {
          a += M[i * d + c] * this.latents[k * d + c];
          b += M[j * d + c] * this.latents[k * d + c];
        }
        after[2 * k] = a;
        after[2 * k + 1] = b;
      }
    } else {
      const [a, b, c, e] = [M[i * d + i], M[i * d + j], M[j * d + i], M[j * d + j]];
      for (let k = 0; k < before.length; k += 2) {
        after[k] = a * before[k] + b * before[k + 1];
        after[k + 1] = c * before[k] + e * before[k + 1];
      }
    }
    this.dial.show(this.angle, M);
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
    for (const job of this.twins ?? []) job.stale = true;
    this.worst = 0;
  }

  sendLater() {
    clearTimeout(this.sending);
    this.timers.delete(this.sending);
    this.sending = this.later(SEND_AFTER_MS, () => this.send());
  }

  send() {
    clearTimeout(this.sending);
    this.timers.delete(this.sending);
    const angle = Number(this.angle.toFixed(2));
    this.describe();
    if (this.sent === angle) return;
    this.sent = angle;
    // Python drops what was meant for an older push (rev); the count makes a return to an earlier angle news as well.
    this.setState("angle", { value: angle, rev: this.rev, count: (this.count = (this.count ?? 0) + 1) });
  }

  describe() {
    const turned = `${short(this.angle)} degrees`;
    this.zCanvas.setAttribute("aria-label", `Scatter of ${this.n} latents ${this.names.join(", ")} with circles of the standard normal prior`);
    this.tCanvas.setAttribute("aria-label", `The same latents rotated by ${turned}, with the same circles`);
    this.xCanvas?.setAttribute("aria-label", this.kind === "plane" ? "Scatter of the data, the same at every angle, with the curves that the rotated latents sweep" : "Examples decoded from the rotated latents, the same at every angle");
    for (const { name, canvas } of this.stripRows) canvas.setAttribute("aria-label", `x decoded at ${STEPS} values of ${name} after a rotation by ${turned}`);
  }

  // --- drawing

  relay() {
    if (!this.data || !this.ready) return;
    const theme = (this.theme = themeOf(this.root));
    const radius = (this.n > 1500 ? 0.15 : 0.2) * theme.rem;
    const alpha = this.n > 1500 ? 0.6 : 0.85;
    this.sprites = new Map([...this.groups.keys()].map((hue) => [hue, sprite(hue, hueOf(hue, theme), radius, alpha)]));
    [...this.groups.keys()].sort((a, b) => a - b).slice(0, 12).forEach((hue, k) => {
      this.legendHues.children[k].querySelector("path").setAttribute("fill", hueOf(hue, theme));
    });
    if (this.data.twin && this.fresh) {
      this.fresh = false;
      this.survey();
    }
    this.zPlane.lay(theme, (ctx) => {
      this.cloud(ctx, this.zPlane, this.before);
      this.circles(ctx, this.zPlane);
      this.tags(ctx, this.zPlane, this.before);
    });
    if (this.tPlane.lay(theme)) {
      const symbols = new Map([...this.groups.keys()].map((hue) => [hue, { symbol: hue, colour: hueOf(hue, theme) }]));
      this.swarm = new Swarm(this.tPlane, this.groups, symbols, radius, alpha);
    }
    if (this.data.twin) this.layData();
    this.describe();
    this.request();
  }

  /** What the decoder says at angle 0, once per decoder and member. */
  survey() {
    const { data } = this;
    this.checked = Array.from(thin(this.n, CHECKED), (k) => ({ k, x: this.decode(this.latentOf(k)) }));
    if (this.kind === "plane") {
      this.xPairs = numbersOf(data.x_points);
      if (!this.xPairs) {
        this.xPairs = new Float32Array(2 * this.n);
        for (let k = 0; k < this.n; k++) this.xPairs.set(this.decode(this.latentOf(k)), 2 * k);
      }
      this.xPlane.range = rangeOf(this.xPairs, 0.1);
    } else {
      this.bitmap = data.x_shape ? new Bitmap(data.x_shape) : null;
      this.twins = this.examples.map((k, place) => ({ k, place, stale: true, x: this.decode(this.latentOf(k)) }));
      const samples = this.checked.map(({ x }) => x);
      this.heatOf = this.kind === "bars" ? heatScale(data, samples, this.decode(new Float64Array(data.d_z))) : null;
      this.dataHeat = this.kind === "bars" ? new Heat(this.examples.length, data.d_x) : null;
    }
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
  }

  layData() {
    const { theme, kind } = this;
    const { rem } = theme;
    if (kind === "plane") {
      this.xPlane.lay(theme, (ctx) => this.cloud(ctx, this.xPlane, this.xPairs));
      // One small picture of the cloud, copied under each step of the strips.
      this.thumb = new Plane(element("canvas"), { bare: true });
    } else {
      for (const job of this.twins) job.stale = true;
      fit(this.xCanvas)?.clearRect(0, 0, this.xCanvas.clientWidth, this.xCanvas.clientHeight);
    }
    for (const { canvas } of this.stripRows) {
      const cell = canvas.clientWidth / STEPS - this.gap;
      const [rows, columns] = this.data.x_shape ?? [1, 1.15];
      canvas.style.height = kind === "bars" ? "" : `${(cell * rows) / columns}px`;
      fit(canvas)?.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    }
    if (kind === "plane" && this.stripRows.length) this.layThumb(rem);
    for (const { cells } of this.stripRows) for (const cell of cells) cell.stale = true;
  }

  get gap() {
    return 0.16 * this.theme.rem;
  }

  /** The cloud in the size of one step, painted once. */
  layThumb(rem) {
    const { canvas } = this.stripRows[0];
    const [w, h] = [canvas.clientWidth / STEPS - this.gap, canvas.clientHeight];
    if (!(w > 4 && h > 4)) return;
    const plane = this.thumb;
    plane.range = this.xPlane.range;
    plane.box = { x: 0.5, y: 0.5, w: w - 1, h: h - 1 };
    const ctx = fit(plane.canvas, w, h);
    ctx.clearRect(0, 0, w, h);
    plane.axes(ctx, this.theme);
    plane.stamp(ctx, this.xPairs, thin(this.n, 600), sprite(0, COLOURS.reference, 0.07 * rem, 0.6));
  }

  cloud(ctx, plane, pairs) {
    for (const [hue, rows] of this.groups) plane.stamp(ctx, pairs, rows, this.sprites.get(hue));
  }

  circles(ctx, plane) {
    const { theme } = this;
    const { rem } = theme;
    ctx.lineWidth = 0.11 * rem;
    ctx.strokeStyle = theme.text;
    ctx.font = `600 ${0.75 * rem}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const sd of [1, 2, 3]) {
      ctx.globalAlpha = 0.8;
      ctx.beginPath();
      const rx = plane.toX(sd) - plane.toX(0);
      const ry = plane.toY(0) - plane.toY(sd);
      ctx.ellipse(plane.toX(0), plane.toY(0), rx, ry, 0, 0, 2 * Math.PI);
      ctx.stroke();
      ctx.globalAlpha = 1;
      const [x, y] = [plane.toX(sd * Math.cos(LABELS_AT)), plane.toY(sd * Math.sin(LABELS_AT))];
      if (sd < 3 && rx < 1.7 * rem * sd) continue; // no room: one label names the rest
      const words = `${sd} sd`;
      const w = ctx.measureText(words).width + 0.5 * rem;
      ctx.fillStyle = theme.backgroundText;
      ctx.fillRect(x - w / 2, y - 0.5 * rem, w, rem);
      ctx.fillStyle = theme.text;
      ctx.fillText(words, x, y);
    }
  }

  /** Arrows from the origin: along (1, 0) and (0, 1) of the other system. */
  arrows(ctx, plane, columns, names) {
    const { theme } = this;
    const { rem } = theme;
    columns.forEach(([a, b], axis) => {
      const length = Math.hypot(a, b);
      if (length < 1e-6) return;
      const reach = 2.55;
      const [x0, y0, x1, y1] = [plane.toX(0), plane.toY(0), plane.toX((reach * a) / length), plane.toY((reach * b) / length)];
      const angle = Math.atan2(y1 - y0, x1 - x0);
      const head = 0.75 * rem;
      for (const [colour, width] of [[theme.backgroundText, 0.5 * rem], [COLOURS.latent, 0.26 * rem]]) {
        ctx.strokeStyle = ctx.fillStyle = colour;
        ctx.lineWidth = width;
        ctx.setLineDash(axis ? [0.7 * rem, 0.4 * rem] : []);
        ctx.beginPath();
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1 - head * 0.8 * Math.cos(angle), y1 - head * 0.8 * Math.sin(angle));
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.beginPath();
        const grow = colour === COLOURS.latent ? 1 : 1.25;
        ctx.moveTo(x1 + (grow - 1) * head * Math.cos(angle), y1 + (grow - 1) * head * Math.sin(angle));
        ctx.lineTo(x1 - head * grow * Math.cos(angle - 0.5), y1 - head * grow * Math.sin(angle - 0.5));
        ctx.lineTo(x1 - head * grow * Math.cos(angle + 0.5), y1 - head * grow * Math.sin(angle + 0.5));
        ctx.fill();
      }
      ctx.font = `700 ${1.05 * rem}px ${theme.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.lineWidth = 0.3 * rem;
      ctx.lineJoin = "round";
      const [tx, ty] = [x1 + 0.95 * rem * Math.cos(angle), y1 + 0.95 * rem * Math.sin(angle)];
      ctx.strokeStyle = theme.backgroundText;
      ctx.strokeText(names[axis], tx, ty);
      ctx.fillStyle = theme.text;
      ctx.fillText(names[axis], tx, ty);
    });
  }

  /** Numbers at the points that the data panel shows as pictures. */
  tags(ctx, plane, pairs) {
    this.examples.forEach((k, place) => this.tag(ctx, plane.toX(pairs[2 * k]), plane.toY(pairs[2 * k + 1]), place));
  }

  tag(ctx, x, y, place) {
    const { theme } = this;
    const { rem } = theme;
    const hue = hueOf(this.hues[this.examples[place]], theme);
    ctx.beginPath();
    ctx.arc(x, y, 0.58 * rem, 0, 2 * Math.PI);
    ctx.fillStyle = theme.backgroundText;
    ctx.fill();
    ctx.lineWidth = 0.2 * rem;
    ctx.strokeStyle = hue;
    ctx.stroke();
    ctx.font = `700 ${0.8 * rem}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = theme.text;
    ctx.fillText(String(place + 1), x, y + 0.04 * rem);
  }

  draw() {
    if (this.closed || !this.ready || !this.swarm) return;
    const began = performance.now();
    const d = this.data.d_z;
    const { M, i, j } = this;
    let ctx = this.zPlane.begin();
    // z~_i grows along row i of M: the direction M^T e_i
    this.arrows(ctx, this.zPlane, [[M[i * d + i], M[i * d + j]], [M[j * d + i], M[j * d + j]]], this.tildes);
    this.zPlane.end();
    ctx = this.tPlane.begin();
    this.swarm.paint(this.after);
    this.circles(ctx, this.tPlane);
    this.tags(ctx, this.tPlane, this.after);
    this.tPlane.end();
    if (this.data.twin) this.drawTwin();
    this.root.dataset.ms = (performance.now() - began).toFixed(2);
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
  }

  drawTwin() {
    const { rem } = this.theme;
    const jobs = [...this.stripRows.flatMap(({ cells }) => cells), ...(this.twins ?? [])];
    if (this.kind === "plane") {
      for (const { k, x } of this.checked) this.compare(this.decodeTwin(apply(this.M, this.latentOf(k))), x);
      const ctx = this.xPlane.begin();
      this.tildes.forEach((_, axis) => {
        const pairs = new Float32Array(2 * 61);
        for (let k = 0; k <= 60; k++) pairs.set(this.alongAxis(axis, ((k - 30) / 30) * this.data.reach), 2 * k);
        this.xPlane.curve(ctx, pairs, this.theme.backgroundText, 0.5 * rem);
        this.xPlane.curve(ctx, pairs, COLOURS.latent, 0.28 * rem, axis ? [0.7 * rem, 0.45 * rem] : []);
        this.label(ctx, this.xPlane.toX(pairs[120]), this.xPlane.toY(pairs[121]), this.tildes[axis], this.xPlane.box);
      });
      this.xPlane.end();
    }
    const left = pump(jobs, this.pumping, TURN_BUDGET_MS, (job) => (job.axis === undefined ? this.drawExample(job) : this.drawStep(job)));
    if (this.kind === "bars") {
      for (const { heat, canvas } of this.stripRows) {
        const ctx = fit(canvas);
        if (ctx) heat.paint(ctx, 0, 0, canvas.clientWidth, canvas.clientHeight);
      }
      this.drawRows();
    }
    if (left) this.request();
    else this.check.textContent = `largest change of any x: ${tiny(this.worst)}`;
  }

  label(ctx, x, y, words, box) {
    const { theme } = this;
    const { rem } = theme;
    ctx.font = `700 ${1.05 * rem}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.lineWidth = 0.3 * rem;
    ctx.lineJoin = "round";
    const tx = Math.max(box.x + rem, Math.min(box.x + box.w - rem, x));
    const ty = Math.max(box.y + rem, Math.min(box.y + box.h - rem, y - 0.9 * rem));
    ctx.strokeStyle = theme.backgroundText;
    ctx.strokeText(words, tx, ty);
    ctx.fillStyle = theme.text;
    ctx.fillText(words, tx, ty);
  }

  compare(x, first) {
    for (let k = 0; k < x.length; k++) {
      const change = Math.abs(x[k] - first[k]);
      if (change > this.worst) this.worst = change;
    }
  }

  /** x of the twin at one value of a rotated latent, the others 0. */
  alongAxis(axis, value) {
    const tilde = new Float64Array(this.data.d_z);
    tilde[axis ? this.j : this.i] = value;
    return this.decodeTwin(tilde);
  }

  drawStep({ axis, step }) {
    const { canvas, heat } = this.stripRows[axis];
    const x = this.alongAxis(axis, ((step - (STEPS - 1) / 2) / ((STEPS - 1) / 2)) * this.data.reach);
    if (heat) {
      heat.column(step, x, this.heatOf(this.theme));
      return;
    }
    const ctx = fit(canvas);
    if (!ctx) return;
    const width = canvas.clientWidth / STEPS;
    const box = { x: step * width + this.gap / 2, y: 0, w: width - this.gap, h: canvas.clientHeight };
    if (this.bitmap) this.bitmap.show(x).paint(ctx, box.x, box.y, box.w, box.h);
    else if (this.thumb.box) {
      ctx.clearRect(box.x - 0.5, 0, box.w + 1, box.h);
      ctx.drawImage(this.thumb.canvas, box.x, 0, box.w, box.h);
      ctx.save();
      ctx.translate(box.x, 0);
      this.thumb.clip(ctx);
      const inside = [[0, "x"], [1, "y"]].map(([a, side]) => Math.max(this.thumb.range[side][0], Math.min(this.thumb.range[side][1], x[a])));
      this.thumb.dot(ctx, inside[0], inside[1], 0.42 * this.theme.rem, COLOURS.reconstruction, this.theme);
      ctx.restore();
    }
  }

  /** An example through the twin; it is the same picture at every angle, and that is the point. */
  drawExample({ k, place, x: first }) {
    const x = this.decodeTwin(apply(this.M, this.latentOf(k)));
    this.compare(x, first);
    if (this.dataHeat) {
      this.dataHeat.column(place, x, this.heatOf(this.theme));
      return;
    }
    const ctx = fit(this.xCanvas);
    if (!ctx) return;
    const { rem } = this.theme;
    const [rows, columns] = this.data.x_shape;
    const across = 3;
    const down = Math.ceil(this.examples.length / across);
    const [w, h] = [this.xCanvas.clientWidth / across, this.xCanvas.clientHeight / down];
    const scale = Math.min((w - 0.8 * rem) / columns, (h - 0.8 * rem) / rows);
    const [cx, cy] = [(place % across) * w + w / 2, Math.floor(place / across) * h + h / 2];
    const [pw, ph] = [scale * columns, scale * rows];
    ctx.clearRect((place % across) * w, Math.floor(place / across) * h, w, h);
    this.bitmap.show(x).paint(ctx, cx - pw / 2, cy - ph / 2, pw, ph);
    ctx.lineWidth = 0.25 * rem;
    ctx.strokeStyle = hueOf(this.hues[k], this.theme);
    ctx.strokeRect(cx - pw / 2, cy - ph / 2, pw, ph);
    this.tag(ctx, cx - pw / 2 + 0.35 * rem, cy - ph / 2 + 0.35 * rem, place);
  }

  drawRows() {
    const ctx = fit(this.xCanvas);
    if (!ctx) return;
    const { rem } = this.theme;
    const [w, h] = [this.xCanvas.clientWidth, this.xCanvas.clientHeight];
    ctx.clearRect(0, 0, w, h);
    this.dataHeat.paint(ctx, 0, 1.9 * rem, w, h - 1.9 * rem);
    this.examples.forEach((_, place) => this.tag(ctx, ((place + 0.5) * w) / this.examples.length, 0.85 * rem, place));
  }
}

export default function ({ data: [data], parentElement, setStateValue }) {
  let view = ROTORS.get(parentElement);
  if (!view || view.closed) {
    view = new Rotor(parentElement.querySelector(".dv"));
    ROTORS.set(parentElement, view);
  }
  view.update(data, setStateValue);
  return view.close;
}
