// Numbers as text, packed numbers, and ticks.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as N from "../../dvae_core/live/numbers.js";

test("ticks are round, inside and few", () => {
  assert.deepEqual(N.ticks(-3.6, 3.6, 4), [-2, 0, 2]);
  assert.deepEqual(N.ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(N.ticks(-0.31, 0.32, 6), [-0.2, 0, 0.2]);
  assert.deepEqual(N.ticks(5, 5), [5]);
});

test("numbers are written with a real minus sign, and without a negative zero", () => {
  assert.equal(N.number(-1.234), "\u22121.23");
  assert.equal(N.number(-0.001), "0.00");
  assert.equal(N.short(-0.5), "\u22120.5");
  assert.equal(N.tiny(0), "0");
  assert.equal(N.tiny(2.4e-7), "2\u00D710\u207B\u2077");
});

test("packed numbers are float32 or bytes with what one of them is worth; null stays null", () => {
  const base64 = (bytes) => Buffer.from(bytes).toString("base64");
  const floats = Float32Array.of(1.5, -2);
  assert.deepEqual([...N.numbersOf({ f32: base64(new Uint8Array(floats.buffer)) })], [1.5, -2]);
  assert.deepEqual([...N.numbersOf({ u8: base64([0, 128, 255]), scale: 0.5 })], [0, 64, 127.5]);
  assert.equal(N.numbersOf(null), null);
});

test("a quantile is one of the values and ignores what is not finite", () => {
  assert.equal(N.quantile([3, Number.NaN, 1, 2, Number.POSITIVE_INFINITY], 0.5), 2);
  assert.equal(N.quantile([], 0.5), 0);
});
