// The exports of an explorer: a PNG of the view, an animated PNG of a traversal, z, and Python that makes the picture again.

import { apng } from "./apng.js";
import { contextOf } from "./draw.js";
import { download, element } from "./elements.js";
import { COLOURS } from "./theme.js";

/** @import { Theme } from "./types.d.ts" */
/** @import { Explorer } from "./explorer.js" */

// --- the page as one picture

/**
 * Canvases, symbols, sliders and texts inside `node` on one canvas, `ratio` pixels to a CSS pixel.
 * @param {HTMLElement} node
 * @param {Theme} theme
 */
function snapshot(node, theme, ratio = globalThis.devicePixelRatio || 1) {
  const frame = node.getBoundingClientRect();
  const pad = theme.rem;
  const [width, height] = [frame.width, frame.height].map((side) => Math.round((side + 2 * pad) * ratio));
  const canvas = element("canvas", { width, height });
  const ctx = contextOf(canvas);
  ctx.fillStyle = theme.backgroundText;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.scale(ratio, ratio);
  ctx.translate(pad - frame.left, pad - frame.top);
  for (const one of node.querySelectorAll("canvas, svg path, input, span, small, dt, dd, output, figcaption, p, b, h3")) {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest(".exports")) continue;
    if (one instanceof HTMLCanvasElement) {
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(one, box.left, box.top, box.width, box.height);
    } else if (one instanceof SVGPathElement) writeSymbol(ctx, one);
    else if (one instanceof HTMLInputElement) writeSlider(ctx, one, box, theme);
    else writeText(ctx, one);
  }
  return canvas;
}

/** @param {CanvasRenderingContext2D} ctx @param {SVGPathElement} one */
function writeSymbol(ctx, one) {
  const place = (one.ownerSVGElement ?? one).getBoundingClientRect();
  ctx.save();
  ctx.translate(place.left + place.width / 2, place.top + place.height / 2);
  ctx.scale(place.width / 2.6, place.width / 2.6);
  const path = new Path2D(one.getAttribute("d") ?? "");
  const stroke = one.getAttribute("stroke");
  if (stroke) {
    [ctx.strokeStyle, ctx.lineWidth] = [stroke, Number(one.getAttribute("stroke-width"))];
    ctx.stroke(path);
  } else {
    ctx.fillStyle = one.getAttribute("fill") ?? "";
    ctx.fill(path);
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {HTMLInputElement} input @param {DOMRect} box @param {Theme} theme */
function writeSlider(ctx, input, box, theme) {
  const [value, min, max] = [input.value, input.min, input.max].map(Number);
  const x = box.left + box.width * ((value - min) / (max - min));
  const y = box.top + box.height / 2;
  const r = 0.5 * theme.rem;
  ctx.fillStyle = theme.line;
  ctx.fillRect(box.left, y - 0.15 * theme.rem, box.width, 0.3 * theme.rem);
  ctx.fillStyle = input.closest(".dead") ? COLOURS.reference : COLOURS.latent;
  ctx.beginPath();
  ctx.arc(Math.max(box.left + r, Math.min(box.right - r, x)), y, r, 0, 2 * Math.PI);
  ctx.fill();
}

/**
 * The text of one element, line by line where the browser broke it.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Element} one
 */
function writeText(ctx, one) {
  const style = getComputedStyle(one);
  ctx.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  ctx.fillStyle = style.color;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const range = document.createRange();
  for (const text of one.childNodes) {
    if (!(text instanceof Text)) continue;
    let line = { text: "", left: 0, middle: Number.NaN };
    for (const { 0: word, index } of text.data.matchAll(/\S+\s*/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const box = range.getClientRects()[0];
      if (!box) continue;
      const middle = box.top + box.height / 2;
      if (Math.abs(line.middle - middle) < 2) line.text += word;
      else {
        if (line.text) ctx.fillText(line.text, line.left, line.middle);
        line = { text: word, left: box.left, middle };
      }
    }
    if (line.text) ctx.fillText(line.text, line.left, line.middle);
  }
}

/** @param {HTMLCanvasElement} canvas */
async function pngOf(canvas) {
  /** @type {Blob} */
  const blob = await new Promise((done, fail) => {
    canvas.toBlob((png) => (png ? done(png) : fail(new Error("The browser made no PNG."))), "image/png");
  });
  return new Uint8Array(await blob.arrayBuffer());
}

// --- the buttons

const FRAMES = 16; // of an animation, there; then back again
const FRAME_MS = 80;

/** A row of buttons under an explorer. */
export class Exports {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    const button = (/** @type {string} */ textContent, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
      element("button", { type: "button", textContent, title, onclick });
    const name = (/** @type {string} */ what) => `${view.data.name}-${what}.png`;
    this.status = element("output", { class: "status" });
    this.text = element("textarea", { readOnly: true, hidden: true, rows: 8, "aria-label": "Text to copy" });
    this.node = element(
      "section",
      { class: "exports", "aria-label": "Export" },
      button("PNG", "Save the view as a picture", async () => {
        download(await pngOf(snapshot(view.body, view.theme)), "image/png", name("view"));
        this.showStatus("Saved the view.");
      }),
      button("Animation", "Save what you moved last, through its range, as an animated PNG", async () => {
        const frames = await Promise.all(this.frames().map(pngOf));
        download(apng([...frames, ...frames.slice(1, -1).reverse()], FRAME_MS), "image/apng", name("traversal"));
        this.showStatus(`Saved ${frames.length} steps of ${view.mode.movedName}, there and back.`);
      }),
      button("Copy z", "Copy the latent vector", () => this.copy(JSON.stringify(this.numbers()), "Copied z.")),
      button("Copy as Python", "Copy lines that make this picture again", () => this.copy(this.python(), "Copied Python.")),
      this.status,
      this.text,
    );
  }

  numbers() {
    return Array.from(this.view.z, (v) => Number(v.toPrecision(7)));
  }

  python() {
    const { view } = this;
    /** @type {Record<string, string>} */
    const values = {
      z: JSON.stringify(this.numbers()),
      member: String(view.mode.member),
      degrees: String(Number(view.side.angle.toFixed(2))),
    };
    return (view.data.code ?? "").replace(/<(z|member|degrees)>/g, (_, name) => values[name]);
  }

  /** The display at every step of the walk; drawn and copied within one task, so nothing of it reaches the screen. */
  frames() {
    const { view } = this;
    const back = view.position();
    const frames = Array.from({ length: FRAMES }, (_, k) => {
      view.mode.goTo(k / (FRAMES - 1));
      view.paint();
      const { displayed } = view.mode;
      if (displayed === view.body) view.film?.draw(Number.POSITIVE_INFINITY);
      return snapshot(displayed, view.theme, 1);
    });
    view.restore(back);
    view.paint();
    return frames;
  }

  /** @param {string} text @param {string} done */
  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.text.hidden = true;
      this.showStatus(done);
    } catch {
      // no clipboard: not https, or not allowed
      Object.assign(this.text, { hidden: false, value: text });
      this.text.select();
      this.showStatus("The browser does not allow copying here; press Ctrl+C.");
    }
  }

  /** @param {string} sentence */
  showStatus(sentence) {
    this.status.textContent = sentence;
  }
}
