// Planes with axes, and points on them: a few drawn once, or thousands that move. Needs decode.js and draw.js.

/** Range that holds pairs of numbers (x0, y0, x1, y1 ...), padded; {x: [lo, hi], y: [lo, hi]}. */
function rangeOf(pairs, pad = 0.08) {
  const lo = [Infinity, Infinity];
  const hi = [-Infinity, -Infinity];
  for (let i = 0; i < pairs.length; i++) {
    const v = pairs[i];
    if (!Number.isFinite(v)) continue;
    if (v < lo[i & 1]) lo[i & 1] = v;
    if (v > hi[i & 1]) hi[i & 1] = v;
  }
  const side = (a) => {
    if (!(hi[a] >= lo[a])) return [-1, 1];
    const room = (hi[a] - lo[a]) * pad || 0.5;
    return [lo[a] - room, hi[a] + room];
  };
  return { x: side(0), y: side(1) };
}

const within = (range, x, y) => x >= range.x[0] && x <= range.x[1] && y >= range.y[0] && y <= range.y[1];

/** The range that also holds (x, y): the same object when it already does. */
function grown(range, x, y) {
  if (within(range, x, y) || !Number.isFinite(x) || !Number.isFinite(y)) return range;
  const grow = ([lo, hi], v) => {
    const room = 0.06 * (hi - lo);
    return [v < lo ? v - room : lo, v > hi ? v + room : hi];
  };
  return { x: grow(range.x, x), y: grow(range.y, y) };
}

/** A canvas with axes. What stays (axes, clouds) is painted once into a second canvas and copied each frame. */
class Plane {
  constructor(canvas, { xName, yName, bare = false, left = 3.1, bottom = 2.7 }) {
    Object.assign(this, { canvas, xName, yName, bare, margins: { left, bottom }, range: { x: [-1, 1], y: [-1, 1] } });
    this.still = element("canvas");
  }

  /** Paint what stays; false while the canvas has no size. */
  lay(theme, paint) {
    const ctx = fit(this.canvas);
    if (!ctx) return false;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const { rem } = theme;
    const left = this.bare ? 1 : this.margins.left * rem;
    const bottom = this.bare ? 1 : this.margins.bottom * rem;
    const edge = this.bare ? 1 : 0.5 * rem;
    this.box = { x: left, y: edge, w: Math.max(10, w - left - edge), h: Math.max(10, h - bottom - edge) };
    this.size = [w, h];
    const under = fit(this.still, w, h);
    under.clearRect(0, 0, w, h);
    this.axes(under, theme);
    under.save();
    this.clip(under);
    paint?.(under);
    under.restore();
    return true;
  }

  toX(v) {
    return this.box.x + ((v - this.range.x[0]) / (this.range.x[1] - this.range.x[0])) * this.box.w;
  }

  toY(v) {
    return this.box.y + this.box.h - ((v - this.range.y[0]) / (this.range.y[1] - this.range.y[0])) * this.box.h;
  }

  fromX(px) {
    return this.range.x[0] + ((px - this.box.x) / this.box.w) * (this.range.x[1] - this.range.x[0]);
  }

  fromY(py) {
    return this.range.y[0] + ((this.box.y + this.box.h - py) / this.box.h) * (this.range.y[1] - this.range.y[0]);
  }

  clip(ctx) {
    const { x, y, w, h } = this.box;
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
  }

  axes(ctx, theme) {
    const { x, y, w, h } = this.box;
    const { rem } = theme;
    ctx.lineWidth = 1;
    ctx.fillStyle = theme.backgroundText;
    ctx.fillRect(x, y, w, h);
    if (!this.bare) {
      ctx.font = `${0.8 * rem}px ${theme.font}`;
      ctx.fillStyle = theme.muted;
      const many = Math.max(2, Math.min(6, Math.floor(w / (3.2 * rem))));
      ctx.strokeStyle = theme.grid;
      ctx.beginPath();
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      for (const v of ticks(...this.range.x, many)) {
        ctx.moveTo(this.toX(v), y);
        ctx.lineTo(this.toX(v), y + h);
        ctx.fillText(minus(v), this.toX(v), y + h + 0.3 * rem);
      }
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      for (const v of ticks(...this.range.y, many)) {
        ctx.moveTo(x, this.toY(v));
        ctx.lineTo(x + w, this.toY(v));
        ctx.fillText(minus(v), x - 0.35 * rem, this.toY(v));
      }
      ctx.stroke();
      ctx.fillStyle = theme.text;
      ctx.font = `600 ${0.9 * rem}px ${theme.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "bottom";
      ctx.fillText(this.xName, x + w / 2, y + h + (this.margins.bottom - 0.05) * rem, w);
      ctx.save();
      ctx.translate(0.15 * rem, y + h / 2);
      ctx.rotate(-Math.PI / 2);
      ctx.textBaseline = "top";
      ctx.fillText(this.yName, 0, 0, h);
      ctx.restore();
    }
    ctx.strokeStyle = theme.line;
    ctx.strokeRect(x, y, w, h);
  }

  /** Copy what stays to the screen; the context returned is clipped to the box until end(). */
  begin() {
    const ctx = this.canvas.getContext("2d");
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.globalCompositeOperation = "copy";
    ctx.drawImage(this.still, 0, 0);
    ctx.restore();
    ctx.save();
    this.clip(ctx);
    return ctx;
  }

  end() {
    this.canvas.getContext("2d").restore();
  }

  /** Many points of one colour and symbol: one sprite, stamped. pairs (x0, y0, ...), rows = which of them. */
  stamp(ctx, pairs, rows, sprite) {
    const kx = this.box.w / (this.range.x[1] - this.range.x[0]);
    const ky = this.box.h / (this.range.y[1] - this.range.y[0]);
    const x0 = this.box.x - this.range.x[0] * kx - sprite.size / 2;
    const y0 = this.box.y + this.box.h + this.range.y[0] * ky - sprite.size / 2;
    for (let r = 0; r < rows.length; r++) {
      const i = 2 * rows[r];
      ctx.drawImage(sprite.canvas, x0 + pairs[i] * kx, y0 - pairs[i + 1] * ky, sprite.size, sprite.size);
    }
  }

  /** A line through pairs of numbers. */
  curve(ctx, pairs, colour, width, dash = []) {
    ctx.beginPath();
    for (let i = 0; i < pairs.length; i += 2) ctx.lineTo(this.toX(pairs[i]), this.toY(pairs[i + 1]));
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.lineJoin = "round";
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /** One large point with a rim that keeps it apart from what lies under it. */
  dot(ctx, x, y, radius, colour, theme) {
    ctx.beginPath();
    ctx.arc(this.toX(x), this.toY(y), radius, 0, 2 * Math.PI);
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.lineWidth = Math.max(1.5, radius / 4);
    ctx.strokeStyle = theme.dark ? "#ffffff" : "#1b1b1f";
    ctx.stroke();
  }

  cross(ctx, x, y, radius, colour, theme) {
    const [cx, cy] = [this.toX(x), this.toY(y)];
    for (const [stroke, width] of [[theme.backgroundText, radius * 0.9], [colour, radius * 0.45]]) {
      ctx.beginPath();
      ctx.moveTo(cx - radius, cy - radius);
      ctx.lineTo(cx + radius, cy + radius);
      ctx.moveTo(cx - radius, cy + radius);
      ctx.lineTo(cx + radius, cy - radius);
      ctx.lineWidth = width;
      ctx.strokeStyle = stroke;
      ctx.stroke();
    }
  }
}

/** The point of pairs (x0, y0, ...) nearest to a place on the canvas within `most` pixels, -1 where there is none. */
function nearestTo(plane, pairs, x, y, most = Infinity) {
  let [best, least] = [-1, most];
  for (let k = 0; k < pairs.length / 2; k++) {
    const far = Math.hypot(plane.toX(pairs[2 * k]) - x, plane.toY(pairs[2 * k + 1]) - y);
    if (far < least) [best, least] = [k, far];
  }
  return best;
}

/** The next point from point k to the right (1, 0), left, up (0, 1) or down; k itself where there is none. */
function nextFrom(plane, pairs, k, [right, up]) {
  const place = (i) => [plane.toX(pairs[2 * i]), -plane.toY(pairs[2 * i + 1])];
  const [x, y] = place(k);
  let [best, least] = [k, Infinity];
  for (let i = 0; i < pairs.length / 2; i++) {
    const [dx, dy] = [place(i)[0] - x, place(i)[1] - y];
    const along = dx * right + dy * up;
    const aside = Math.abs(dx * up) + Math.abs(dy * right);
    if (along > 0.5 && aside <= along && along + aside < least) [best, least] = [i, along + aside];
  }
  return best;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** A ring around the point that the keyboard is at. */
function ring(ctx, plane, x, y, theme) {
  ctx.beginPath();
  ctx.arc(plane.toX(x), plane.toY(y), 0.55 * theme.rem, 0, 2 * Math.PI);
  ctx.strokeStyle = theme.text;
  ctx.lineWidth = 0.14 * theme.rem;
  ctx.stroke();
}

/** A symbol drawn once, to be stamped thousands of times. radius in CSS pixels. */
function sprite(symbol, colour, radius, alpha) {
  const size = 2 * Math.ceil(radius * 1.4 + 1);
  const canvas = element("canvas");
  const ctx = fit(canvas, size, size);
  ctx.translate(size / 2, size / 2);
  ctx.scale(radius, radius);
  ctx.globalAlpha = alpha;
  ctx.fillStyle = colour;
  ctx.fill(new Path2D(SYMBOLS[symbol % SYMBOLS.length]));
  return { canvas, size };
}

const SHIFTS = 4; // places of a symbol within a pixel, per axis: whole pixels alone would make a slow turn tremble

/**
 * Thousands of points that move, stamped into pixels by hand: without a GPU, 5,000 drawImage calls take 50 ms to reach
 * the screen and this takes 3 (headless Chromium, 2 shared cores).
 */
class Swarm {
  /** groups: hue -> rows; symbols: hue -> {symbol, colour}. Call after plane.lay. */
  constructor(plane, groups, symbols, radius, alpha) {
    const ratio = globalThis.devicePixelRatio || 1;
    Object.assign(this, { plane, groups, ratio });
    const { box } = plane;
    this.left = Math.ceil(box.x * ratio) + 1;
    this.top = Math.ceil(box.y * ratio) + 1;
    const w = Math.max(1, Math.floor((box.x + box.w) * ratio) - this.left - 1);
    const h = Math.max(1, Math.floor((box.y + box.h) * ratio) - this.top - 1);
    const under = element("canvas", { width: w, height: h }).getContext("2d", { willReadFrequently: true });
    under.drawImage(plane.still, -this.left, -this.top);
    this.image = under.getImageData(0, 0, w, h);
    this.under = this.image.data.slice();
    this.size = 2 * Math.ceil(radius * ratio * 1.4) + 2;
    const brush = element("canvas", { width: this.size, height: this.size }).getContext("2d", { willReadFrequently: true });
    this.stamps = new Map([...symbols].map(([hue, { symbol, colour }]) => {
      const path = new Path2D(SYMBOLS[symbol % SYMBOLS.length]);
      const masks = Array.from({ length: SHIFTS * SHIFTS }, (_, k) => {
        brush.resetTransform();
        brush.clearRect(0, 0, this.size, this.size);
        brush.translate(this.size / 2 + (k % SHIFTS) / SHIFTS, this.size / 2 + Math.floor(k / SHIFTS) / SHIFTS);
        brush.scale(radius * ratio, radius * ratio);
        brush.fill(path);
        const { data } = brush.getImageData(0, 0, this.size, this.size);
        return Uint16Array.from({ length: this.size * this.size }, (_, p) => Math.round(data[4 * p + 3] * alpha * (256 / 255)));
      });
      return [hue, { rgb: rgbOf(colour), masks }];
    }));
  }

  paint(pairs) {
    const { plane, image, size, ratio } = this;
    const { data, width, height } = image;
    const { x: [x0, x1], y: [y0, y1] } = plane.range;
    data.set(this.under);
    const kx = (plane.box.w / (x1 - x0)) * ratio;
    const ky = (plane.box.h / (y1 - y0)) * ratio;
    const cx = plane.box.x * ratio - x0 * kx - this.left - size / 2;
    const cy = (plane.box.y + plane.box.h) * ratio + y0 * ky - this.top - size / 2;
    for (const [hue, rows] of this.groups) {
      const { rgb: [red, green, blue], masks } = this.stamps.get(hue);
      for (let r = 0; r < rows.length; r++) {
        const px = cx + pairs[2 * rows[r]] * kx;
        const py = cy - pairs[2 * rows[r] + 1] * ky;
        const left = Math.floor(px);
        const top = Math.floor(py);
        if (!(left > -size && top > -size && left < width && top < height)) continue;
        const mask = masks[Math.floor((py - top) * SHIFTS) * SHIFTS + Math.floor((px - left) * SHIFTS)];
        const fromX = left < 0 ? -left : 0;
        const toX = left + size > width ? width - left : size;
        const toY = top + size > height ? height - top : size;
        for (let y = top < 0 ? -top : 0; y < toY; y++) {
          for (let x = fromX, m = y * size + fromX, p = 4 * ((top + y) * width + left + fromX); x < toX; x++, m++, p += 4) {
            const a = mask[m];
            if (a === 0) continue;
            data[p] += ((red - data[p]) * a) >> 8;
            data[p + 1] += ((green - data[p + 1]) * a) >> 8;
            data[p + 2] += ((blue - data[p + 2]) * a) >> 8;
          }
        }
      }
    }
    plane.canvas.getContext("2d").putImageData(image, this.left, this.top);
  }
}
