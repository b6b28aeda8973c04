// One decoded x on a canvas: a picture, a point in the plane, or bars. Needs the shared files in front of it.

const CURVE_POINTS = 61;
const WORDS = { picture: "Picture", plane: "Point in the plane", bars: "Bars" };

class Screen {
  /** member null follows the view's member; turned decodes through the rotated twin; small has neither axes nor names. */
  constructor(view, { member = null, turned = false, small = false, name = "" } = {}) {
    Object.assign(this, { view, member, turned, small, name });
    const { data, kind, names } = view;
    this.canvas = pictureCanvas("Decoded x", small ? "main small" : "main");
    this.x = new Float32Array(data.d_x);
    if (kind === "picture") {
      this.bitmap = new Bitmap(data.x_shape);
      this.canvas.style.aspectRatio = `${data.x_shape[1]} / ${data.x_shape[0]}`;
    } else if (kind === "plane") this.plane = new Plane(this.canvas, small ? { bare: true } : { xName: names[0], yName: names[1] });
    if (this.plane && view.data.paired && !small && !turned) this.canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      const row = nearestTo(this.plane, view.background, offsetX, offsetY, PICK_REM * view.theme.rem);
      if (row >= 0) view.pick(row);
    });
  }

  decode(z, out = this.x) {
    return this.view.decode(z, out, this.member, this.turned);
  }

  describe(where) {
    this.canvas.setAttribute("aria-label", `${this.name ? `${this.name}: ` : ""}${WORDS[this.view.kind]} decoded from ${where}`);
  }

  /** What stays while z moves: axes, data, the example. */
  lay() {
    if (!this.plane) return;
    const { background, reference, theme, scale } = this.view;
    const { rem } = theme;
    this.plane.range = scale.range;
    this.plane.lay(theme, (ctx) => {
      const [radius, most] = this.small ? [0.09, 800] : [0.14, 5000];
      if (background) this.plane.stamp(ctx, background, thin(background.length / 2, most), sprite(0, COLOURS.data, radius * rem, theme.dark ? 0.5 : 0.3));
      for (const [k, { x }] of (this.view.ends ?? []).entries()) {
        this.plane.cross(ctx, x[0], x[1], 0.5 * rem, COLOURS.data, theme);
        ctx.font = `700 ${rem}px ${theme.font}`;
        ctx.fillStyle = theme.text;
        ctx.fillText("AB"[k], this.plane.toX(x[0]) + 0.7 * rem, this.plane.toY(x[1]) - 0.5 * rem);
      }
      if (reference) this.plane.cross(ctx, reference[0], reference[1], (this.small ? 0.35 : 0.5) * rem, COLOURS.data, theme);
    });
  }

  draw() {
    this[`draw_${this.view.kind}`]();
  }

  draw_picture() {
    const ctx = fit(this.canvas);
    if (ctx) this.bitmap.show(this.x).paint(ctx, 0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  draw_plane() {
    const { plane, x, view, small } = this;
    if (!plane.box) return;
    const { theme } = view;
    const ctx = plane.begin();
    plane.curve(ctx, curveOf(view, (z, out) => this.decode(z, out)), COLOURS.latent, (small ? 0.16 : 0.22) * theme.rem);
    plane.dot(ctx, x[0], x[1], (small ? 0.34 : 0.55) * theme.rem, COLOURS.reconstruction, theme);
    plane.end();
  }

  draw_bars() {
    const { view, x } = this;
    const { scale, theme, reference, names } = view;
    if (this.small) {
      const ctx = fit(this.canvas);
      if (!ctx) return;
      const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
      ctx.clearRect(0, 0, w, h);
      smallBars(ctx, { x: 0, y: 0, w, h }, x, scale.limits, COLOURS.reconstruction, theme);
      return;
    }
    const poisson = view.data.likelihood === "poisson";
    drawBars(this.canvas, theme, {
      x, reference, names, limits: scale.limits, colour: COLOURS.reconstruction,
      unit: poisson ? "rate, counts per bin" : "E[x|z]", indexName: poisson ? "neuron" : "dimension of x",
    });
  }
}

/** The curve that x sweeps as what was moved last goes through its range: (x0, y0, x1, y1 ...). */
function curveOf(view, decode, walk = (share) => view.walkAt(share)) {
  const pairs = new Float32Array(2 * CURVE_POINTS);
  const x = new Float32Array(2);
  for (let k = 0; k < CURVE_POINTS; k++) pairs.set(decode(walk(k / (CURVE_POINTS - 1)), x), 2 * k);
  return pairs;
}

/** A given x beside what is decoded, or a difference; only pictures need one, planes and bars mark it in place. */
class Given {
  constructor(view, name, words) {
    Object.assign(this, { view, bitmap: new Bitmap(view.data.x_shape) });
    this.canvas = pictureCanvas(name, "side");
    this.canvas.style.aspectRatio = `${view.data.x_shape[1]} / ${view.data.x_shape[0]}`;
    this.node = shown(this.canvas, words);
  }

  show(x) {
    const ctx = fit(this.canvas);
    if (ctx) this.bitmap.show(x).paint(ctx, 0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  showDifference(a, b) {
    const ctx = fit(this.canvas);
    if (ctx) this.bitmap.showDifference(a, b, 0.5, this.view.theme).paint(ctx, 0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
  }
}

/** A canvas with words under it. */
const shown = (canvas, words, className = "shown") => element("div", { class: className }, canvas, element("span", { textContent: words }));
