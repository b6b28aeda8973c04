// Ellipses of Gaussians.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ellipse } from "../../dvae_core/live/posterior.js";

test("every point of an ellipse lies at its number of standard deviations", () => {
  const [a, b, c] = [2, -0.9, 0.7];
  const determinant = a * c - b * b;
  for (const sigmas of [1, 2]) {
    const line = ellipse(3, -1, [a, b, c], sigmas);
    for (let i = 0; i < line.length; i += 2) {
      const [x, y] = [line[i] - 3, line[i + 1] + 1];
      const squared = (c * x * x - 2 * b * x * y + a * y * y) / determinant;
      assert.ok(Math.abs(Math.sqrt(squared) - sigmas) < 1e-5, `${squared}`); // float32
    }
    assert.ok(Math.abs(line[0] - line[line.length - 2]) < 1e-5); // it is closed
  }
});
