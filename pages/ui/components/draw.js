// Elements, theme, colours, symbols, pictures and bars: what is drawn, apart from planes. Needs decode.js.

// --- small things

const SEND_AFTER_MS = 200; // after the last move; a release sends at once
const STEPS = 9; // of a traversal
// One meaning each, everywhere in the app (dvae_core/figures.py COLOURS).
const COLOURS = {
  data: "#0072B2", latent: "#E69F00", factor: "#009E73", reconstruction: "#CC79A7", bad: "#D55E00", prior: "#56B4E9",
  reference: "#999999",
};
const HUES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000", "#999999", "#6A51A3"];
// Second cue beside the hue, in the order of dvae_core/figures.py SYMBOLS: outlines in a box from -1 to 1, for Path2D on a
// canvas and for <path d> in a legend.
const SYMBOLS = [
  "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z", // circle
  "M-.9,-.9H.9V.9H-.9Z", // square
  "M0,-1.25L1.25,0L0,1.25L-1.25,0Z", // diamond
  "M0,-1.1L1.1,.9H-1.1Z", // triangle-up
  "M-.38,-1.1H.38V-.38H1.1V.38H.38V1.1H-.38V.38H-1.1V-.38H-.38Z", // cross
  "M-1.05,-.55L-.55,-1.05L0,-.5L.55,-1.05L1.05,-.55L.5,0L1.05,.55L.55,1.05L0,.5L-.55,1.05L-1.05,.55L-.5,0Z", // x
  "M0.00,-1.30L0.31,-0.42L1.24,-0.40L0.49,0.16L0.76,1.05L0.00,0.52L-0.76,1.05L-0.49,0.16L-1.24,-0.40L-0.31,-0.42Z", // star
  "M0,1.1L1.1,-.9H-1.1Z", // triangle-down
  "M0.00,-1.10L1.05,-0.34L0.65,0.89L-0.65,0.89L-1.05,-0.34Z", // pentagon
  "M0.00,-1.25L0.36,-0.62L1.08,-0.62L0.72,0.00L1.08,0.62L0.36,0.62L0.00,1.25L-0.36,0.62L-1.08,0.62L-0.72,0.00L-1.08,-0.63L-0.36,-0.62Z", // hexagram
];

/** An element with properties, attributes (names with a dash, or role) and children; text always by textContent. */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name === "role" || name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const pictureCanvas = (label, className = "") => element("canvas", { class: className, role: "img", "aria-label": label });

const minus = (value) => String(value).replace("-", "\u2212");

/** A number as text with a real minus sign. */
function number(value, digits = 2) {
  const text = Math.abs(value) < 0.5 * 10 ** -digits ? (0).toFixed(digits) : value.toFixed(digits);
  return minus(text);
}

/** A number with at most two digits behind the point, and no more than it needs. */
const short = (value) => minus(Number(value.toFixed(2)));

/** A very small number as text: 2.4e-7 as 2.4 x 10^-7 in superscripts, 0 as 0. */
function tiny(value) {
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(0).split("e");
  const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "\u207B" : "\u2070\u00B9\u00B2\u00B3\u2074\u2075\u2076\u2077\u2078\u2079"[c])).join("");
  return `${mantissa}\u00D710${raised}`;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Numbers that Python packed: {f32: base64} or {u8: base64, scale}; null stays null. */
function numbersOf(packed) {
  if (!packed) return null;
  if (packed.f32 !== undefined) return new Float32Array(bytesOf(packed.f32).buffer);
  return Float32Array.from(bytesOf(packed.u8), (v) => v * packed.scale);
}

/** The value that a share of the numbers lie at or below. */
function quantile(values, share) {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

/** Even thinning: indices of at most `most` of n rows. */
function thin(n, most) {
  const step = Math.max(1, n / most);
  return Int32Array.from({ length: Math.min(n, most) }, (_, i) => Math.floor(i * step));
}

/** What a picture on a canvas needs to know of the page's theme. */
function themeOf(node) {
  const style = getComputedStyle(node);
  const get = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const background = rgbOf(get("--st-background-color", "#ffffff"));
  const text = rgbOf(get("--st-text-color", "#31333f"));
  const dark = background[0] * 0.3 + background[1] * 0.6 + background[2] * 0.1 < 110;
  const mixed = (share) => `rgb(${background.map((b, i) => Math.round(b + share * (text[i] - b)))})`;
  return {
    rem: Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16,
    font: get("--st-font", "sans-serif"),
    text: mixed(0.92), muted: mixed(0.66), line: mixed(0.3), grid: mixed(0.1),
    background, backgroundText: `rgb(${background})`, dark,
  };
}

let colourProbe = null;
/** Any CSS colour as [r, g, b]. */
function rgbOf(colour) {
  colourProbe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  colourProbe.fillStyle = "#808080";
  colourProbe.fillStyle = colour;
  const text = colourProbe.fillStyle;
  if (text[0] === "#") return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
  return text.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** Hue of a category; black turns white on a dark page, as nobody would see it. */
const hueOf = (category, theme) => {
  const hue = HUES[category % HUES.length];
  return hue === "#000000" && theme.dark ? "#FFFFFF" : hue;
};

/** Give a canvas as many pixels as the screen has under it. Returns its context in CSS pixels, or null while hidden. */
function fit(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  if (!width || !height) return null;
  const ratio = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

// --- pictures

/** A reusable bitmap of H x W pixels: grey or colour from x in [0, 1], or signed differences from -most to most. */
class Bitmap {
  constructor([height, width, channels = 1]) {
    Object.assign(this, { height, width, channels });
    this.canvas = element("canvas", { width, height });
    this.ctx = this.canvas.getContext("2d");
    this.image = this.ctx.createImageData(width, height);
    this.image.data.fill(255);
  }

  show(x) {
    const { data } = this.image;
    const n = this.width * this.height;
    if (this.channels === 3) for (let i = 0, p = 0, q = 0; i < n; i++, p += 4, q += 3) {
      data[p] = x[q] * 255;
      data[p + 1] = x[q + 1] * 255;
      data[p + 2] = x[q + 2] * 255;
    } else for (let i = 0, p = 0; i < n; i++, p += 4) data[p] = data[p + 1] = data[p + 2] = x[i] * 255;
    this.ctx.putImageData(this.image, 0, 0);
    return this;
  }

  showDifference(a, b, most, theme) {
    const { data } = this.image;
    const c = this.channels;
    for (let i = 0, p = 0; i < this.width * this.height; i++, p += 4) {
      let d = 0;
      for (let k = 0; k < c; k++) d += (a[i * c + k] - b[i * c + k]) / c;
      diverging(d / most, theme, data, p);
    }
    this.ctx.putImageData(this.image, 0, 0);
    return this;
  }

  paint(ctx, x, y, width, height) {
    // Pixels stay pixels, unless there are more of them than the screen has room for.
    const ratio = globalThis.devicePixelRatio || 1;
    ctx.imageSmoothingEnabled = width * ratio < this.width || height * ratio < this.height;
    ctx.drawImage(this.canvas, x, y, width, height);
  }
}

const BELOW = [94, 60, 153]; // purple and orange-brown: told apart by every kind of colour vision
const ABOVE = [214, 96, 0];

/** -1 purple, 0 the page's background, 1 orange-brown; three numbers into out at p. */
function diverging(value, theme, out, p) {
  const v = value < -1 ? -1 : value > 1 ? 1 : value;
  const end = v < 0 ? BELOW : ABOVE;
  const share = Math.abs(v) ** 0.8;
  for (let k = 0; k < 3; k++) {
    const far = theme.dark ? end[k] + 0.35 * (255 - end[k]) : end[k];
    out[p + k] = theme.background[k] + share * (far - theme.background[k]);
  }
}

/** Legend entry: a symbol (index), "line", "dashed", "cross" or "tick", its colour, and words. */
function legendEntry(mark, colour, words) {
  const shape = {
    line: () => svg("path", { d: "M-1.2,0H1.2", stroke: colour, "stroke-width": 0.5, fill: "none" }),
    dashed: () => svg("path", { d: "M-1.2,0H1.2", stroke: colour, "stroke-width": 0.5, fill: "none", "stroke-dasharray": ".6 .35" }),
    cross: () => svg("path", { d: "M-.8,-.8L.8,.8M-.8,.8L.8,-.8", stroke: colour, "stroke-width": 0.5, fill: "none" }),
    tick: () => svg("path", { d: "M0,-1.1V1.1", stroke: colour, "stroke-width": 0.5, fill: "none" }),
  }[mark]?.() ?? svg("path", { d: SYMBOLS[mark % SYMBOLS.length], fill: colour });
  return element("span", { class: "entry" }, svg("svg", { viewBox: "-1.3 -1.3 2.6 2.6", "aria-hidden": "true" }, shape), element("span", { textContent: words }));
}

// --- bars and heat strips

const MOST_NAMED = 24; // more dimensions than this: a strip with an index axis in place of names

/** Bars of E[x | z] by dimension: named and horizontal for few, a strip of upright bars for many. */
function drawBars(canvas, theme, { x, reference, names, limits, unit, indexName, colour }) {
  const ctx = fit(canvas);
  if (!ctx) return;
  const { clientWidth: w, clientHeight: h } = canvas;
  const { rem } = theme;
  const n = x.length;
  const few = n <= MOST_NAMED;
  ctx.clearRect(0, 0, w, h);
  ctx.font = `${0.8 * rem}px ${theme.font}`;
  const nameRoom = few ? Math.min(0.35 * w, Math.max(...names.map((s) => ctx.measureText(s).width)) + 0.8 * rem) : 3.1 * rem;
  const box = { x: nameRoom, y: 0.5 * rem, w: w - nameRoom - 0.8 * rem, h: h - 3.2 * rem };
  const [lo, hi] = limits;
  const along = few
    ? (v) => box.x + ((v - lo) / (hi - lo)) * box.w
    : (v) => box.y + box.h - ((v - lo) / (hi - lo)) * box.h;
  const slot = (few ? box.h : box.w) / n;
  const thick = Math.max(1, slot * (few ? 0.62 : 0.8));
  ctx.strokeStyle = theme.grid;
  ctx.lineWidth = 1;
  ctx.fillStyle = theme.muted;
  ctx.beginPath();
  for (const v of ticks(lo, hi, few ? 5 : 4)) {
    if (few) {
      ctx.moveTo(along(v), box.y);
      ctx.lineTo(along(v), box.y + box.h);
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      ctx.fillText(minus(v), along(v), box.y + box.h + 0.3 * rem);
    } else {
      ctx.moveTo(box.x, along(v));
      ctx.lineTo(box.x + box.w, along(v));
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillText(minus(v), box.x - 0.35 * rem, along(v));
    }
  }
  ctx.stroke();
  const zero = along(Math.max(lo, Math.min(hi, 0)));
  ctx.fillStyle = colour;
  for (let i = 0; i < n; i++) {
    const at = along(x[i]);
    const middle = (i + 0.5) * slot;
    if (few) ctx.fillRect(Math.min(zero, at), box.y + middle - thick / 2, Math.abs(at - zero), thick);
    else ctx.fillRect(box.x + middle - thick / 2, Math.min(zero, at), thick, Math.abs(at - zero));
  }
  if (reference) {
    ctx.fillStyle = COLOURS.data;
    const mark = Math.max(2, 0.16 * rem);
    for (let i = 0; i < n; i++) {
      const at = along(reference[i]);
      const middle = (i + 0.5) * slot;
      if (few) ctx.fillRect(at - mark / 2, box.y + middle - slot * 0.45, mark, slot * 0.9);
      else ctx.fillRect(box.x + middle - slot * 0.5, at - mark / 2, slot, mark);
    }
  }
  ctx.strokeStyle = theme.line;
  ctx.beginPath();
  if (few) {
    ctx.moveTo(zero, box.y);
    ctx.lineTo(zero, box.y + box.h);
  } else {
    ctx.moveTo(box.x, zero);
    ctx.lineTo(box.x + box.w, zero);
  }
  ctx.stroke();
  ctx.fillStyle = theme.text;
  if (few) {
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (let i = 0; i < n; i++) ctx.fillText(names[i], box.x - 0.4 * rem, box.y + (i + 0.5) * slot, nameRoom - 0.4 * rem);
  } else {
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.fillStyle = theme.muted;
    for (const i of ticks(1, n, 6)) if (i >= 1) ctx.fillText(String(i), box.x + (i - 0.5) * slot, box.y + box.h + 0.3 * rem);
  }
  ctx.fillStyle = theme.text;
  ctx.font = `600 ${0.9 * rem}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillText(few ? unit : indexName, box.x + box.w / 2, h, box.w);
  if (!few) {
    ctx.save();
    ctx.translate(0.1 * rem, box.y + box.h / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textBaseline = "top";
    ctx.fillText(unit, 0, 0, box.h);
    ctx.restore();
  }
}

/** Bars without names or axis, in a box of a larger canvas. */
function smallBars(ctx, box, x, [lo, hi], colour, theme) {
  const at = (v) => box.y + box.h - 1 - ((Math.max(lo, Math.min(hi, v)) - lo) / (hi - lo)) * (box.h - 2);
  const slot = box.w / x.length;
  ctx.fillStyle = colour;
  for (let i = 0; i < x.length; i++) ctx.fillRect(box.x + (i + 0.1) * slot, Math.min(at(0), at(x[i])), Math.max(0.5, slot * 0.8), Math.max(1, Math.abs(at(x[i]) - at(0))));
  ctx.fillStyle = theme.line;
  ctx.fillRect(box.x, at(0), box.w, 1);
}

/** Columns of numbers as a heat picture: rows are dimensions (in `order`), colour(value, dimension, out, p). */
class Heat {
  constructor(columns, rows) {
    this.bitmap = new Bitmap([rows, columns, 3]);
  }

  column(c, x, colour, order = null) {
    const { image, width, height } = this.bitmap;
    for (let r = 0; r < height; r++) {
      const i = order ? order[r] : r;
      colour(x[i], i, image.data, 4 * (r * width + c));
    }
  }

  paint(ctx, x, y, width, height) {
    this.bitmap.ctx.putImageData(this.bitmap.image, 0, 0);
    this.bitmap.paint(ctx, x, y, width, height);
  }
}

/** How values of x are coloured: the change from `middle`, of rates as a ratio, of others by each dimension's own reach. */
function heatScale(plan, samples, middle) {
  const d = plan.d_x;
  if (plan.likelihood === "poisson") {
    const ratio = (v, i) => Math.log((v + 1e-3) / (middle[i] + 1e-3));
    const most = quantile(samples.flatMap((x) => Array.from(x, (v, i) => Math.abs(ratio(v, i)))), 0.95) || 1;
    return (theme) => (v, i, out, p) => diverging(ratio(v, i) / most, theme, out, p);
  }
  const reach = new Float64Array(d);
  for (const x of samples) for (let i = 0; i < d; i++) reach[i] = Math.max(reach[i], Math.abs(x[i] - middle[i]));
  return (theme) => (v, i, out, p) => diverging((v - middle[i]) / (reach[i] || 1), theme, out, p);
}

/** What the plan shows x as. */
const kindOf = (plan) => (plan.x_shape ? "picture" : plan.d_x === 2 ? "plane" : "bars");

/** Names of the dimensions of x, x1 ... where Python gave none. */
const namesOf = (plan, names) => Array.from({ length: plan.d_x }, (_, i) => names?.[i] ?? `x${i + 1}`);
