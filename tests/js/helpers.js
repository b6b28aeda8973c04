import assert from "node:assert/strict";

/** Numbers in [-1, 1) that are the same every time. */
export function numbers(n, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 31 - 1;
  });
}

export const near = (found, wanted, tolerance = 1e-6) => {
  assert.equal(found.length, wanted.length);
  for (const [i, v] of found.entries()) {
    assert.ok(Math.abs(v - wanted[i]) <= tolerance * Math.max(1, Math.abs(wanted[i])), `at ${i}: ${v}, wanted ${wanted[i]}`);
  }
};
