// The animated PNG: checksums and structure. That browsers and Pillow read it is tested in tests/browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import * as E from "../../dvae_core/live/apng.js";

/** A grey PNG of 2 x 1 pixels, its image data in two chunks. */
function png(a, b) {
  const chunk = (type, data) => {
    const out = new Uint8Array(12 + data.length);
    const view = new DataView(out.buffer);
    view.setUint32(0, data.length);
    for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
    out.set(data, 8);
    view.setUint32(8 + data.length, E.crc32(out.subarray(4, 8 + data.length)));
    return [...out];
  };
  const data = deflateSync(Uint8Array.of(0, a, b));
  return Uint8Array.from([
    137,
    80,
    78,
    71,
    13,
    10,
    26,
    10,
    ...chunk("IHDR", Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 1, 8, 0, 0, 0, 0)),
    ...chunk("IDAT", data.subarray(0, 3)),
    ...chunk("IDAT", data.subarray(3)),
    ...chunk("IEND", new Uint8Array(0)),
  ]);
}

test("crc32 of the check string", () => {
  assert.equal(E.crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("an animation holds every frame in order, with running sequence numbers and right checksums", () => {
  const file = E.apng([png(0, 255), png(128, 128), png(255, 0)], 80);
  const chunks = E.chunksOf(file);
  const kinds = chunks.map(({ type }) => type);
  assert.deepEqual(kinds, ["IHDR", "acTL", "fcTL", "IDAT", "IDAT", "fcTL", "fdAT", "fdAT", "fcTL", "fdAT", "fdAT", "IEND"]);
  const u32 = (data, at = 0) => new DataView(data.buffer, data.byteOffset).getUint32(at);
  assert.deepEqual([u32(chunks[1].data), u32(chunks[1].data, 4)], [3, 0]); // frames; 0 plays without end
  assert.deepEqual(
    chunks.filter(({ type }) => /^f/.test(type)).map(({ data }) => u32(data)),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.deepEqual([u32(chunks[2].data, 4), u32(chunks[2].data, 8)], [2, 1]);
  const view = new DataView(file.buffer);
  for (let at = 8; at < file.length; ) {
    const length = view.getUint32(at);
    assert.equal(view.getUint32(at + 8 + length), E.crc32(file.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
});
