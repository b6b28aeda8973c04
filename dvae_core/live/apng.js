// Animated PNGs: the image data of single PNGs in one file (PNG specification, third edition, section 11.3.6).

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** @param {Uint8Array} bytes */
export function crc32(bytes) {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/**
 * Chunks of a PNG file, in order.
 * @param {Uint8Array} png
 */
export function chunksOf(png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks = [];
  for (let at = 8; at < png.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    chunks.push({ type, data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

/**
 * One animated PNG, played without end, from PNGs of the same size and kind.
 * @param {Uint8Array[]} pngs
 * @param {number} delayMs
 */
export function apng(pngs, delayMs) {
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)];
  const put = (/** @type {string} */ type, /** @type {Uint8Array} */ data) => {
    const chunk = new Uint8Array(12 + data.length);
    const view = new DataView(chunk.buffer);
    view.setUint32(0, data.length);
    for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i);
    chunk.set(data, 8);
    view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
    parts.push(chunk);
  };
  const numbers32 = (/** @type {number[]} */ ...values) => {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    for (const [i, v] of values.entries()) view.setUint32(4 * i, v);
    return new Uint8Array(view.buffer);
  };
  const header = chunksOf(pngs[0])[0].data;
  put("IHDR", header);
  put("acTL", numbers32(pngs.length, 0));
  let sequence = 0;
  for (const [frame, png] of pngs.entries()) {
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
  }
  put("IEND", new Uint8Array(0));
  const file = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
