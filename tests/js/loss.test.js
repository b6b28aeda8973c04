// The two parts of an example's loss.
import assert from "node:assert/strict";
import { test } from "node:test";
import { klToPrior, squaredError } from "../../dvae_core/live/loss.js";
import { near } from "./helpers.js";

test("a perfect picture costs nothing, and a miss by one standard deviation half a nat", () => {
  const noise = [0.5, 2, 0.1];
  assert.equal(squaredError([1, 2, 3], [1, 2, 3], noise), 0);
  near([squaredError([1, 2, 3], [1.5, 2, 3.1], noise)], [1], 1e-12);
});

test("the KL is 0 at the prior, and grows by half the squared mean", () => {
  assert.equal(klToPrior([0, 0], [1, 1]), 0);
  near([klToPrior([3, -4], [1, 1])], [12.5], 1e-12);
  near([klToPrior([0], [0.5])], [0.5 * (0.25 - 1) + Math.log(2)], 1e-12);
});
