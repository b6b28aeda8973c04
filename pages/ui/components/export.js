// What can be taken away from an explorer: a PNG of the view, an animated PNG of a traversal, z, and Python that makes the
// picture again. apng and crc32 know no page, so that node can test them. The rest needs the shared files in front of it.

// --- animated PNG: the image data of single PNGs in one file (PNG specification, third edition, section 11.3.6)

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

export function crc32(bytes) {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Chunks of a PNG file, in order: {type, data}. */
export function chunksOf(png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks = [];
  for (let at = 8; at < png.length; ) {
    const length = view.getUint32(at);
    chunks.push({ type: String.fromCharCode(...png.subarray(at + 4, at + 8)), data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

/** One animated PNG, played without end, from PNGs of the same size and kind (bytes each). */
export function apng(pngs, delayMs) {
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)];
  const put = (type, data) => {
    const chunk = new Uint8Array(12 + data.length);
    const view = new DataView(chunk.buffer);
    view.setUint32(0, data.length);
    for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i);
    chunk.set(data, 8);
    view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
    parts.push(chunk);
  };
  const numbers32 = (...values) => {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((v, i) => view.setUint32(4 * i, v));
    return new Uint8Array(view.buffer);
  };
  const header = chunksOf(pngs[0])[0].data;
  put("IHDR", header);
  put("acTL", numbers32(pngs.length, 0));
  let sequence = 0;
  pngs.forEach((png, frame) => {
    const control = new Uint8Array(26); // sequence, width, height, x, y (u32 each), delay / 1000 (u16 each), dispose, blend
    control.set(numbers32(sequence++), 0);
    control.set(header.subarray(0, 8), 4);
    new DataView(control.buffer).setUint16(20, delayMs);
    new DataView(control.buffer).setUint16(22, 1000);
    put("fcTL", control);
    for (const { type, data } of chunksOf(png)) {
      if (type !== "IDAT") continue;
      if (frame === 0) put("IDAT", data);
      else {
        const later = new Uint8Array(4 + data.length);
        later.set(numbers32(sequence++), 0);
        later.set(data, 4);
        put("fdAT", later);
      }
    }
  });
  put("IEND", new Uint8Array(0));
  const file = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

// --- the page as one picture

/** Canvases, symbols and words inside `node` on one canvas, `ratio` pixels to a CSS pixel. */
function snapshot(node, theme, ratio = globalThis.devicePixelRatio || 1) {
  const frame = node.getBoundingClientRect();
  const pad = theme.rem;
  const canvas = element("canvas", { width: Math.round((frame.width + 2 * pad) * ratio), height: Math.round((frame.height + 2 * pad) * ratio) });
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = theme.backgroundText;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.scale(ratio, ratio);
  ctx.translate(pad - frame.left, pad - frame.top);
  for (const one of node.querySelectorAll("canvas, svg path, input, span, small, dt, dd, output, figcaption, p, b, h3")) {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest(".exports")) continue;
    if (one.tagName === "CANVAS") {
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(one, box.left, box.top, box.width, box.height);
    } else if (one.tagName === "path") {
      const place = one.ownerSVGElement.getBoundingClientRect();
      ctx.save();
      ctx.translate(place.left + place.width / 2, place.top + place.height / 2);
      ctx.scale(place.width / 2.6, place.width / 2.6);
      const path = new Path2D(one.getAttribute("d"));
      if (one.getAttribute("stroke")) {
        [ctx.strokeStyle, ctx.lineWidth] = [one.getAttribute("stroke"), Number(one.getAttribute("stroke-width"))];
        ctx.stroke(path);
      } else {
        ctx.fillStyle = one.getAttribute("fill");
        ctx.fill(path);
      }
      ctx.restore();
    } else if (one.tagName === "INPUT") writeSlider(ctx, one, box, theme);
    else writeText(ctx, one);
  }
  return canvas;
}

function writeSlider(ctx, input, box, theme) {
  const [x, y, r] = [box.left + box.width * ((input.value - input.min) / (input.max - input.min)), box.top + box.height / 2, 0.5 * theme.rem];
  ctx.fillStyle = theme.line;
  ctx.fillRect(box.left, y - 0.15 * theme.rem, box.width, 0.3 * theme.rem);
  ctx.fillStyle = input.closest(".dead") ? COLOURS.reference : COLOURS.latent;
  ctx.beginPath();
  ctx.arc(Math.max(box.left + r, Math.min(box.right - r, x)), y, r, 0, 2 * Math.PI);
  ctx.fill();
}

/** The words of one element, line by line where the browser broke them. */
function writeText(ctx, one) {
  const style = getComputedStyle(one);
  ctx.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  ctx.fillStyle = style.color;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const range = document.createRange();
  for (const text of one.childNodes) {
    if (text.nodeType !== Node.TEXT_NODE) continue;
    let line = null;
    const flush = () => line && ctx.fillText(line.words, line.left, line.middle);
    for (const { 0: word, index } of text.data.matchAll(/\S+\s*/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const box = range.getClientRects()[0];
      if (!box) continue;
      if (line && Math.abs(line.middle - (box.top + box.height / 2)) < 2) line.words += word;
      else {
        flush();
        line = { words: word, left: box.left, middle: box.top + box.height / 2 };
      }
    }
    flush();
  }
}

const bytesOfCanvas = async (canvas) => new Uint8Array(await (await new Promise((done) => canvas.toBlob(done, "image/png"))).arrayBuffer());

function download(bytes, type, name) {
  const link = element("a", { href: URL.createObjectURL(new Blob([bytes], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// --- the buttons

const FRAMES = 16; // of an animation, there; then back again
const FRAME_MS = 80;

/** A row of buttons under an explorer. */
class Exports {
  constructor(view) {
    this.view = view;
    const button = (words, title, run) => {
      const one = element("button", { type: "button", textContent: words, title });
      one.addEventListener("click", run);
      return one;
    };
    const name = (what) => `${view.data.name}-${what}.png`;
    this.said = element("output", { class: "said" });
    this.text = element("textarea", { readOnly: true, hidden: true, rows: 8, "aria-label": "Text to copy" });
    this.node = element(
      "section", { class: "exports", "aria-label": "Take away" },
      button("PNG", "Save the view as a picture", async () => {
        download(await bytesOfCanvas(snapshot(view.body, view.theme)), "image/png", name("view"));
        this.say("Saved the view.");
      }),
      button("Animation", "Save what you moved last, through its range, as an animated PNG", async () => {
        const frames = await Promise.all(this.frames().map(bytesOfCanvas));
        download(apng([...frames, ...frames.slice(1, -1).reverse()], FRAME_MS), "image/apng", name("traversal"));
        this.say(`Saved ${frames.length} steps of ${view.movedName()}, there and back.`);
      }),
      button("Copy z", "Copy the latent vector", () => this.copy(JSON.stringify(this.numbers()), "Copied z.")),
      ...(view.data.code ? [button("Copy as Python", "Copy lines that make this picture again", () => this.copy(this.python(), "Copied Python."))] : []),
      this.said, this.text,
    );
  }

  numbers() {
    return Array.from(this.view.z, (v) => Number(v.toPrecision(7)));
  }

  python() {
    const { view } = this;
    const values = { z: JSON.stringify(this.numbers()), member: view.shownMember(), degrees: Number(view.side.angle.toFixed(2)) };
    return view.data.code.replace(/<(z|member|degrees)>/g, (_, name) => values[name]);
  }

  /** The display at every step of the walk; drawn and copied within one task, so nothing of it reaches the screen. */
  frames() {
    const { view } = this;
    const back = view.position();
    const frames = Array.from({ length: FRAMES }, (_, k) => {
      view.go(k / (FRAMES - 1));
      view.paint();
      if (view.displayed === view.body) view.film?.draw(Infinity);
      return snapshot(view.displayed, view.theme, 1);
    });
    view.restore(back);
    view.paint();
    return frames;
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.text.hidden = true;
      this.say(done);
    } catch { // no clipboard: not https, or not allowed
      Object.assign(this.text, { hidden: false, value: text });
      this.text.select();
      this.say("The browser does not allow copying here; press Ctrl+C.");
    }
  }

  say(words) {
    this.said.textContent = words;
  }
}
