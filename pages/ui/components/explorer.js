// Latents under the finger: sliders, a pad, a walk between two examples, or the betas of a population, and E[x | z] of one
// member, of all members, or of the rotated twin, decoded at every input event. Needs the shared files in front of it.

const VIEWS = new WeakMap(); // parentElement -> Explorer
const AUTOPLAY_PERIOD_S = 9;
const AUTOPLAY_REACH = 0.85; // of the slider
const DEAD_NATS = 0.01; // as dvae_core.analysis.read
const FILM_EVERY_MS = 50; // while something moves: painting the strips takes the browser time as well
const REST_MS = 120; // without a new picture: the finger rests
const MOST_ROWS = 24; // of small planes; with all betas, of rows

class Explorer extends View {
  constructor(root) {
    super(root);
    this.z = null;
    this.rev = null;
    this.autoplay = "idle"; // idle -> running -> over
    const stop = () => this.endAutoplay();
    for (const type of ["pointerdown", "keydown", "wheel", "touchstart"]) root.addEventListener(type, stop, { passive: true });
    this.visible = true;
    this.watcher = new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible && this.autoplay === "running") this.request();
    });
    this.watcher.observe(root);
    this.takeDrops();
    const closeView = this.close;
    this.close = () => {
      closeView();
      this.watcher.disconnect();
    };
  }

  /** An example dragged here from a sheet of the same decoder. */
  takeDrops() {
    this.root.addEventListener("dragover", (event) => event.dataTransfer.types.includes(DRAGGED) && event.preventDefault());
    this.root.addEventListener("drop", (event) => {
      const { plan, z } = JSON.parse(event.dataTransfer.getData(DRAGGED) || "{}");
      if (plan !== this.planId || z.length !== this.z.length || this.data.mode === "between" || this.data.mode === "betas") return;
      event.preventDefault();
      this.jump(z);
    });
  }

  /** What Python moved from elsewhere on the page shall be seen. */
  comeIntoView() {
    const { top, bottom } = this.figure.getBoundingClientRect();
    const edge = 6 * this.theme.rem;
    if (bottom < edge || top > globalThis.innerHeight - edge) this.root.scrollIntoView({ block: "start", behavior: isStill() ? "auto" : "smooth" });
  }

  /** All latents at once, and Python hears of it. */
  jump(z) {
    this.endAutoplay(false);
    this.z.set(z);
    this.place();
    this.request();
    this.send();
  }

  update(data, setState) {
    this.setState = setState; // a fresh closure on every call
    this.data = data;
    this.theme = themeOf(this.root);
    // What else is moved: the way between two examples (0..1), the twin's angle, which beta. Python only keeps it.
    this.side ??= { t: 0, angle: 30, beta: 0, ...data.side };
    this.sentSide ??= JSON.stringify(this.side);
    if (!this.z || this.z.length !== data.d_z || this.rev !== data.rev) {
      if (this.rev !== null) this.endAutoplay(false); // Python moves the sliders now
      if (this.rev !== null) this.comeIntoView();
      this.z = Float64Array.from(data.z);
      this.rev = data.rev;
      this.sent = null;
    }
    this.z0 = Float64Array.from(data.z0);
    // Anything that changes what stands on the page builds it anew; a member or a z does not.
    const shape = JSON.stringify([
      data.plan, data.latents, data.lo, data.hi, data.x_names, data.filmstrip, data.exports, data.reference === null, data.background,
      data.mode, data.members, data.ends, data.plane, data.cloud, data.hues,
    ]);
    const example = JSON.stringify(data.reference);
    if (this.example !== example) {
      this.example = example;
      this.reference = numbersOf(data.reference);
      this.fresh = true;
    }
    if (this.member !== data.member) {
      this.member = data.member;
      this.fresh = true;
    }
    if (this.shape !== shape) {
      this.shape = shape;
      this.build();
      this.fresh = true;
    }
    this.follow(data.plan, () => {
      if (this.told) this.tell("");
      this.fresh = true;
      this.relay();
    });
    this.place();
    if (this.model) this.relay();
    if (data.autoplay && this.autoplay === "idle") {
      const still = isStill();
      this.autoplay = still ? "over" : "running";
      this.started = null;
      this.hint.hidden = still;
    }
    if (!data.autoplay) this.endAutoplay(false);
  }

  /** Nothing can be drawn here: Python may draw it in our place. */
  fail(sentence) {
    super.fail(sentence);
    this.tell(sentence);
  }

  tell(sentence) {
    this.told = sentence;
    this.setState("failed", { plan: this.planId, sentence });
  }

  // --- what stands on the page

  build() {
    const { data } = this;
    const focused = this.root.getRootNode().activeElement?.getAttribute("aria-roledescription");
    this.kind = kindOf(data);
    this.names = namesOf(data, data.x_names);
    this.background = numbersOf(data.background);
    this.cloud = numbersOf(data.cloud);
    this.ends = data.ends?.map(({ z, x }) => ({ z: Float64Array.from(z), x: numbersOf(x) }));
    this.order = data.members.map((_, m) => m).sort((a, b) => data.members[a].beta - data.members[b].beta);
    this.side.beta = Math.min(this.side.beta, Math.max(0, this.order.length - 1));
    if (!data.latents.some(({ index }) => index === this.moved)) this.moved = data.latents[0].index;
    this.M = data.plane && rotation(this.side.angle, data.d_z, ...data.plane);
    this.sliders = [];
    this.pad = this.film = this.given = this.change = null;

    const hasMap = this.cloud && data.latents.length > 1 && (data.mode === "sliders" || data.mode === "twin");
    this.map = hasMap ? new LatentMap(this) : null;
    const controls = this.controls();
    this.figure = this.display();
    if (this.map) (this.figure.querySelector(".sides") ?? controls).append(this.map.node);
    if (data.filmstrip) this.film = this.makeFilm();
    this.exports = data.exports ? new Exports(this) : null;
    this.body.replaceChildren(controls, this.figure, ...(this.film ? [this.film.node] : []), ...(this.exports ? [this.exports.node] : []));
    this.body.dataset.kind = this.kind;
    this.body.dataset.mode = data.mode;
    // Few controls leave room for the film under them.
    this.body.classList.toggle("aside", this.film !== null && (data.mode === "between" || data.mode === "betas" || (this.kind === "plane" && data.latents.length <= 4)));
    if (focused) this.body.querySelector(`[aria-roledescription="${focused}"]`)?.focus({ preventScroll: true });
  }

  controls() {
    const { data } = this;
    const reset = element("button", { type: "button", textContent: "Reset", title: "Back to where it started" });
    reset.addEventListener("click", () => {
      this.z.set(this.z0);
      Object.assign(this.side, { t: 0, beta: 0 });
      this.place();
      this.request();
      this.send();
    });
    this.hint = element("p", { class: "hint", textContent: "Moving by itself. Touch a slider to take over.", hidden: this.autoplay !== "running" });
    const parts = [];
    let title = "Latents";
    if (data.mode === "between") {
      title = "Between two examples";
      parts.push(this.sideSlider("t", { label: "From A to B", max: 1, step: 0.01, words: (t) => `${Math.round(100 * t)} %` }));
    } else if (data.mode === "betas") {
      title = "\u03B2 of the population";
      parts.push(this.sideSlider("beta", { label: "\u03B2", max: this.order.length - 1, step: 1, words: (k) => short(data.members[this.order[k]].beta) }));
      this.facts = element("dl", { "aria-live": "polite" });
      parts.push(this.facts);
    } else if (data.mode === "pad") {
      this.pad = new Pad(this);
      parts.push(this.pad.node);
    } else {
      if (data.mode === "twin") parts.push(this.sideSlider("angle", { label: `Angle, ${data.plane.map((k) => this.labelOf(k)).join(" and ")}`, max: 90, step: 1, words: (a) => `${short(a)}\u00B0` }));
      this.sliders = data.latents.map((latent) => this.slider(latent));
      parts.push(element("div", { class: "sliders" }, ...this.sliders.map((s) => s.row)));
    }
    return element("section", { class: "controls", "aria-label": title }, element("header", {}, element("h3", { textContent: title }), reset), ...parts, this.hint);
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

  /** A slider for what is no latent, from 0 up. */
  sideSlider(name, { label, max, step, words }) {
    const input = element("input", { type: "range", min: 0, max, step, "aria-label": label });
    const value = element("output", { class: "value" });
    input.addEventListener("input", () => {
      this.side[name] = Number(input.value);
      this.place();
      this.request();
      this.sendLater();
    });
    input.addEventListener("change", () => this.send());
    this.sideShown = () => {
      input.value = this.side[name];
      value.textContent = words(this.side[name]);
      input.setAttribute("aria-valuetext", value.textContent);
      fill(input, 0, max, this.side[name]);
    };
    return element("label", { class: "row side" }, element("span", { class: "name" }, element("b", { textContent: label })), input, value);
  }

  display() {
    const { data, kind } = this;
    const figure = element("figure", { class: "display" });
    const many = data.mode === "members";
    this.screens = many
      ? data.members.map(({ label }, member) => new Screen(this, { member, small: true, name: label }))
      : data.mode === "twin"
        ? [new Screen(this, { name: "Original" }), new Screen(this, { turned: true, name: "Rotated twin" })]
        : [this.kind === "bars" && (data.likelihood === "poisson" || data.d_x > MOST_NAMED) ? new Rates(this) : new Screen(this)];
    if (many) {
      figure.append(element("div", { class: "many" }, ...this.screens.map(({ canvas, name }) => shown(canvas, name))));
      figure.append(element("p", { class: "caption", textContent: "Each slider moves the latent of the same number in every member. Trained on the same data, they need not agree on what it means." }));
    } else if (data.mode === "twin") {
      const words = ["original, f(z)", "rotated twin, f(M\u1D40z)"];
      figure.append(element("div", { class: "pair" }, ...this.screens.map(({ canvas }, k) => shown(canvas, words[k]))));
      figure.append(element("p", { class: "caption", textContent: "Two models with the same p(x), one set of sliders: the same numbers mean something else in each." }));
    } else if (kind === "picture") figure.append(this.pictures());
    else figure.append(this.screens[0].node ?? this.screens[0].canvas);
    if (kind === "picture" || this.screens[0].node) return figure;
    const legend = element("figcaption");
    if (kind === "plane") legend.append(legendEntry(0, COLOURS.reconstruction, "decoded, f(z)"), (this.swept = legendEntry("line", COLOURS.latent, "")));
    else legend.append(legendEntry(1, COLOURS.reconstruction, "decoded, E[x|z]"));
    if (kind === "plane" && this.background) legend.append(legendEntry(0, COLOURS.data, "data"));
    if (this.reference && !(many && kind === "bars")) legend.append(legendEntry(kind === "plane" ? "cross" : "tick", COLOURS.data, "this example"));
    if (kind === "plane" && data.mode === "between") legend.append(legendEntry("cross", COLOURS.data, "the examples A and B"));
    figure.append(legend);
    return figure;
  }

  /** The decoded picture, with what it is compared to. */
  pictures() {
    const row = element("div", { class: "pictures" }, shown(this.screens[0].canvas, "decoded, E[x|z]"));
    if (this.data.mode === "between") {
      this.given = [new Given(this, "Example A", "data, A"), new Given(this, "Example B", "data, B")];
      this.change = new Given(this, "Difference, decoded here minus decoded at A", "change since A, within \u00B10.5");
    } else if (this.reference) {
      this.given = [new Given(this, "The data example", "data, x")];
      this.change = new Given(this, "Difference, decoded minus data", "difference, within \u00B10.5");
    }
    const beside = this.given ? [...this.given.map(({ node }) => node), this.change.node] : [];
    if (this.given || this.map) row.append(element("div", { class: this.map ? "sides wide" : "sides" }, ...beside));
    return row;
  }

  makeFilm() {
    const { data, kind } = this;
    const { lo, hi, latents, mode } = data;
    const across = { picture: "from left to right", plane: "through its range", bars: "from left to right" }[kind];
    const lines = { picture: "", plane: "", bars: data.likelihood === "poisson"
      ? ". Lines are neurons, orange above and purple below their rate in the middle"
      : ". Lines are dimensions, orange above and purple below the middle, each by its own largest change" }[kind];
    const range = (i) => ({
      own: () => i,
      at: (share) => this.with(i, lo[i] + share * (hi[i] - lo[i])),
      mark: () => (this.z[i] - lo[i]) / (hi[i] - lo[i]),
      go: (share) => {
        this.move(i, lo[i] + share * (hi[i] - lo[i]));
        this.send();
      },
    });
    const same = lo.every((v) => v === lo[0]) && hi.every((v) => v === hi[0]);
    const ends = same ? [short(lo[0]), short((lo[0] + hi[0]) / 2), short(hi[0])] : ["lowest", "middle", "highest"];
    if (mode === "sliders" || mode === "pad") {
      const rows = latents.slice(0, kind === "plane" ? MOST_ROWS : undefined).map(({ index, label, dead }) => ({ ...range(index), label, dead }));
      return new Film(this, { rows, ends, title: () => `Each ${kind === "plane" ? "panel" : "row"} moves one latent ${across}, the others stay where the sliders are${lines}` });
    }
    if (mode === "betas") {
      const member = this.shownMember();
      const { kl_latent: kl } = data.members[member];
      const sorted = latents.map(({ index }) => index).sort((a, b) => kl[b] - kl[a]).slice(0, MOST_ROWS);
      const rows = sorted.map((i) => ({ ...range(i), go: null, member: () => member, label: this.labelOf(i), dead: kl[i] < DEAD_NATS, note: `KL ${number(kl[i])}` }));
      return new Film(this, { rows, ends, title: () => `The latents of this member, largest KL first, each ${across}, the others at ${data.members[member].mu ? "the example's posterior mean" : "the prior mean"}${lines}` });
    }
    if (kind === "plane") return null; // the panels above show the curves
    if (mode === "between") {
      const row = { label: "A to B", own: () => "t", at: (share) => this.between(share), mark: () => this.side.t, go: (share) => { this.go(share); this.place(); this.request(); this.send(); } };
      return new Film(this, { rows: [row], ends: ["A", "half way", "B"], title: () => `A straight line in latent space, decoded at ${STEPS} places${lines}` });
    }
    // members, twin: what was moved last, in each of them
    const moving = { own: () => this.moved, at: (share) => this.walkAt(share), mark: () => range(this.moved).mark(), go: (share) => range(this.moved).go(share) };
    const rows = mode === "twin"
      ? [{ ...moving, label: "Original" }, { ...moving, label: "Twin", turned: true }]
      : data.members.map(({ label }, m) => ({ ...moving, label, member: () => m }));
    return new Film(this, { rows, ends, title: () => `${this.labelOf(this.moved)} moves ${across} in ${mode === "twin" ? "both models" : "every member"}, the other latents stay where the sliders are${lines}` });
  }

  // --- where things are

  labelOf(i) {
    return this.data.latents.find(({ index }) => index === i)?.label ?? `z${i + 1}`;
  }

  /** z with latent i at a value. */
  with(i, value) {
    const z = this.z.slice();
    z[i] = value;
    return z;
  }

  between(t) {
    const [a, b] = this.ends;
    return a.z.map((v, i) => v + t * (b.z[i] - v));
  }

  shownMember() {
    return this.data.mode === "betas" ? this.order[this.side.beta] : this.member;
  }

  /** z at a share of what was moved last. */
  walkAt(share) {
    if (this.data.mode === "between") return this.between(share);
    const i = this.moved;
    const [lo, hi] = [Math.min(this.data.lo[i], this.z[i]), Math.max(this.data.hi[i], this.z[i])];
    return this.with(i, lo + share * (hi - lo));
  }

  /** What an animation shows: with betas the rows are the point of it. */
  get displayed() {
    return this.data.mode === "betas" ? this.body : this.figure;
  }

  movedName() {
    return { between: "the way from A to B", betas: "\u03B2" }[this.data.mode] ?? this.labelOf(this.moved);
  }

  // --- moving

  /** Go to a share of what was moved last, without telling anyone. */
  go(share) {
    if (this.data.mode === "between") this.side.t = share;
    else if (this.data.mode === "betas") this.side.beta = Math.round(share * (this.order.length - 1));
    else this.z = this.walkAt(share);
    this.place();
  }

  position() {
    return { z: this.z.slice(), side: { ...this.side } };
  }

  restore({ z, side }) {
    this.z = z;
    this.side = side;
    this.place();
  }

  move(i, value) {
    this.z[i] = value;
    if (this.moved !== i) {
      this.moved = i;
      if (this.data.mode === "members" || this.data.mode === "twin") {
        this.film?.describe();
        this.film?.stale(null);
      }
    }
    this.showSliders();
    this.film?.stale(i); // a latent's own row does not depend on where its slider is
    this.request();
  }

  /** Go to a data point of the cloud in all latents, and let Python know which. */
  pick(row) {
    this.jump(this.cloud.subarray(row * this.data.d_z, (row + 1) * this.data.d_z));
    this.setState("picked", { row, count: (this.count = (this.count ?? 0) + 1) });
  }

  /** After z or side changed as a whole: all that follows from them, except pixels. */
  place() {
    const { data } = this;
    if (data.mode === "between") this.z = this.between(this.side.t);
    if (data.plane) this.M = rotation(this.side.angle, data.d_z, ...data.plane);
    if (data.mode === "betas") this.placeBeta();
    this.sideShown?.();
    this.showSliders();
    if (data.mode !== "between") this.film?.stale(null);
  }

  placeBeta() {
    const member = this.shownMember();
    const { recon, kl, kl_latent, mu } = this.data.members[member];
    this.z = Float64Array.from(mu ?? this.z0);
    if (this.betaShown === member && this.film) return;
    this.betaShown = member;
    const nats = (value) => (value === null ? "not known" : `${number(value, 1)} nats`);
    const used = kl_latent.filter((nats) => nats >= DEAD_NATS).length;
    const facts = [["reconstruction, E[log p(x|z)]", nats(recon)], ["KL to the prior", nats(kl)], ["latents in use", `${used} of ${kl_latent.length}`]];
    this.facts.replaceChildren(...facts.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
    if (!this.film) return;
    const before = this.film.node;
    this.film = this.makeFilm();
    before.replaceWith(this.film.node);
    if (this.model && this.scale) {
      this.film.lay();
      this.film.draw(Infinity);
    }
  }

  showSliders() {
    for (const slider of this.sliders) {
      const { latent, input, value } = slider;
      const i = latent.index;
      const v = this.z[i];
      if (slider.shown === v) continue;
      slider.shown = v;
      // A data example may lie beyond the range; the native slider would silently show its end.
      const lo = Math.min(this.data.lo[i], v);
      const hi = Math.max(this.data.hi[i], v);
      [input.min, input.max, input.value] = [lo, hi, v];
      fill(input, lo, hi, v);
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
    this.describe();
    const side = JSON.stringify(this.side);
    if (this.sentSide !== side) this.setState("side", { ...this.side });
    this.sentSide = side;
    const z = Array.from(this.z, (v) => Number(v.toFixed(3)));
    const text = JSON.stringify(z);
    if (this.sent === text) return; // change follows the debounce after a short drag: one message is enough
    this.sent = text;
    // Python drops what was meant for an older push (rev); the count makes a return to an earlier z news as well.
    this.setState("z", { value: z, rev: this.rev, count: (this.count = (this.count ?? 0) + 1) });
  }

  describe() {
    const where = this.data.latents.map(({ index, label }) => `${label} = ${number(this.z[index])}`).join(", ");
    for (const screen of this.screens) screen.describe(where);
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
    this.move(i, middle + half * Math.sin(from + (2 * Math.PI * (now - this.started)) / 1000 / AUTOPLAY_PERIOD_S));
  }

  // --- drawing

  /** E[x | z] of a member (null: the one that is shown), of the original or of its rotated twin. */
  decode(z, out, member = null, turned = false) {
    return decodeInto(this.model, member ?? this.shownMember(), turned ? applyTransposed(this.M, z) : z, out);
  }

  /** After a new size, theme, decoder or member: everything is painted again. */
  relay() {
    if (!this.model || !this.data) return;
    this.theme = themeOf(this.root);
    if (this.fresh) {
      this.fresh = false;
      this.scale = this.survey();
    }
    for (const screen of this.screens) screen.lay();
    this.film?.lay();
    this.pad?.lay();
    this.map?.lay();
    if (this.data.mode === "between") this.given?.forEach((given, k) => given.show(this.ends[k].x));
    else this.given?.[0].show(this.reference);
    this.describe();
    this.request();
  }

  /** Decode each latent's range once at z0: the axes and colour scales that then hold still. */
  survey() {
    if (this.kind === "picture") return {};
    const middle = this.decode(this.z0, new Float32Array(this.data.d_x));
    const samples = [middle];
    const walk = (at) => {
      for (let step = 0; step < STEPS; step++) samples.push(this.decode(at(step / (STEPS - 1)), new Float32Array(this.data.d_x)));
    };
    for (const { index: i } of this.data.latents) {
      const z = this.z0.slice();
      walk((share) => {
        z[i] = this.data.lo[i] + share * (this.data.hi[i] - this.data.lo[i]);
        return z;
      });
    }
    if (this.reference) samples.push(this.reference);
    if (this.kind === "plane") {
      let range = rangeOf(this.background ?? Float32Array.from(samples.flatMap((x) => Array.from(x))));
      for (const x of [middle, ...(this.reference ? [this.reference] : [])]) range = grown(range, x[0], x[1]);
      return { range };
    }
    // Rates run away at the ends of a range: nine in ten samples fit at first, and the axis grows when it must.
    const lo = quantile(samples.map((x) => Math.min(0, ...x)), 0.1);
    const hi = quantile(samples.map((x) => Math.max(0, ...x)), 0.9);
    const values = samples.flatMap((x) => Array.from(x));
    const rates = [this.data.likelihood === "poisson" ? 0 : quantile(values, 0.01), quantile(values, 0.98)];
    if (!(rates[1] > rates[0])) rates[1] = rates[0] + 1;
    return { rates, limits: [lo < 0 ? lo * 1.05 : 0, hi > 0 ? hi * 1.05 : lo < 0 ? 0 : 1], heatOf: heatScale(this.data, samples, middle) };
  }

  /** Axes that no longer hold what is decoded grow. */
  grow() {
    const { scale } = this;
    if (this.kind === "plane") {
      const before = scale.range;
      for (const { x } of this.screens) scale.range = grown(scale.range, x[0], x[1]);
      if (scale.range === before) return;
      for (const screen of this.screens) screen.lay();
      this.film?.lay();
    } else if (this.kind === "bars") {
      let [lo, hi] = scale.limits;
      for (const { x } of this.screens) for (const v of x) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
      if (lo < scale.limits[0]) scale.limits[0] = lo * 1.15;
      if (hi > scale.limits[1]) scale.limits[1] = hi * 1.15;
    }
  }

  /** The screens as z has them now. */
  paint() {
    for (const screen of this.screens) screen.decode(this.z);
    this.grow();
    for (const screen of this.screens) screen.draw();
    if (this.swept) this.swept.lastChild.textContent = this.data.mode === "between" ? "x from A to B" : `x as ${this.labelOf(this.moved)} moves`;
    if (this.change) this.change.showDifference(this.screens[0].x, this.data.mode === "between" ? this.decode(this.ends[0].z, (this.xA ??= new Float32Array(this.data.d_x))) : this.reference);
    this.pad?.draw();
    this.map?.draw();
  }

  draw(now) {
    if (!this.model || this.closed) return;
    const playing = this.autoplay === "running" && this.visible;
    if (playing) this.sweep(now);
    const began = performance.now();
    this.paint();
    this.painted = performance.now();
    this.cost = this.painted - began;
    this.root.dataset.ms = this.cost.toFixed(2);
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
    if (playing) this.request();
    this.drawFilm();
  }

  /** The film gets the time between frames; beside a slow decoder it waits until the finger rests. */
  drawFilm() {
    if (!this.film || this.filming) return;
    this.filming = true;
    const run = (deadline) => {
      this.filming = false;
      if (!this.model || this.closed) return;
      const now = performance.now();
      const resting = now - this.painted > REST_MS;
      if (!resting && (this.cost > FILM_BUDGET_MS || now - (this.filmed ?? 0) < FILM_EVERY_MS)) {
        this.filming = true;
        this.later(FILM_EVERY_MS, () => run({ timeRemaining: () => FILM_BUDGET_MS }));
        return;
      }
      this.filmed = now;
      if (this.film?.draw(resting ? 2 * FILM_BUDGET_MS : Math.min(FILM_BUDGET_MS, deadline.timeRemaining()))) this.drawFilm();
    };
    if (globalThis.requestIdleCallback) requestIdleCallback(run, { timeout: REST_MS });
    else this.later(0, () => run({ timeRemaining: () => FILM_BUDGET_MS }));
  }
}

const isStill = () => globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Colour a slider's track from 0 to its value. */
function fill(input, lo, hi, v) {
  const at = (x) => `${(((Math.max(lo, Math.min(hi, x)) - lo) / (hi - lo || 1)) * 100).toFixed(2)}%`;
  input.style.setProperty("--from", at(Math.min(0, v)));
  input.style.setProperty("--to", at(Math.max(0, v)));
}

export default function ({ data: [data], parentElement, setStateValue }) {
  let view = VIEWS.get(parentElement);
  if (!view || view.closed) {
    view = new Explorer(parentElement.querySelector(".dv"));
    VIEWS.set(parentElement, view);
  }
  view.update(data, setStateValue);
  return view.close;
}
