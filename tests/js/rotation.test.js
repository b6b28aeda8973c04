// Rotations: conventions, exact quarters, orthogonality.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as R from "../../dvae_core/live/rotation.js";
import { near, numbers } from "./helpers.js";

test("M = [[cos, -sin], [sin, cos]] on column vectors, counter-clockwise", () => {
  const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
  near(R.rotation(30, 2), [c, -s, s, c], 1e-15);
  near(R.apply(R.rotation(90, 2), [1, 0]), [0, 1], 0);
});

test("multiples of 90 degrees are exact, 360 is the identity", () => {
  near(R.rotation(90, 2), [0, -1, 1, 0], 0);
  near(R.rotation(360, 2), [1, -0, 0, 1], 0);
  near(R.rotation(-90, 2), [0, 1, -1, 0], 0);
});

test("rotations are orthogonal with determinant 1, in any plane of any dimension", () => {
  for (const d of [2, 3, 7]) {
    for (const angle of [0, 15, 33.3, 45, 180, 271]) {
      const M = R.rotation(angle, d, d - 1, 0);
      assert.ok(R.orthogonalityError(M, d) < 1e-15 * d * d, `${d}: ${R.orthogonalityError(M, d)}`);
      assert.ok(Math.abs(R.determinant(M, d) - 1) < 1e-14);
      const z = numbers(d, 11);
      near(R.applyTransposed(M, R.apply(M, z)), z, 1e-14);
    }
  }
});

test("with a reflection as base det M = -1, and M = R @ base", () => {
  const base = [1, 0, 0, -1];
  const M = R.rotation(30, 2, 0, 1, base);
  assert.ok(Math.abs(R.determinant(M, 2) + 1) < 1e-15);
  near(R.apply(M, [0.4, -2]), R.apply(R.rotation(30, 2), [0.4, 2]), 1e-15);
});

test("determinant and orthogonality error of matrices that are not orthogonal", () => {
  assert.ok(Math.abs(R.determinant([0, 2, 3, 0], 2) + 6) < 1e-15);
  assert.equal(R.determinant([1, 2, 2, 4], 2), 0);
  assert.ok(Math.abs(R.orthogonalityError([2, 0, 0, 1], 2) - 3) < 1e-15);
});

test("angles near a multiple of 15 snap to it", () => {
  for (const [from, to] of [
    [0.7, 0],
    [28.4, 28.4],
    [28.5, 30],
    [31.5, 30],
    [44, 45],
    [90.9, 90],
    [52, 52],
    [359.2, 360],
  ])
    assert.equal(R.snapAngle(from), to);
});
