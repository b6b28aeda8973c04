// The bend's lights and sentences: what they say, and that none is shown if nothing bends.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as B from "../../dvae_core/live/bend_curves.js";

const slider = (value) => ({ name: "", min: 0, max: 2, step: 0.1, value, stops: [], labels: [] });
const time = { name: "time", kind: "pairs", says: "!", sliders: [slider(0.95), slider(0.6)] };
const seen = {
  name: "u seen",
  kind: "segments",
  says: "!",
  sliders: [slider(1)],
  mean: [
    [0, 0],
    [0, 0],
  ],
  std: [
    [1, 3],
    [2, 0.5],
  ],
};
const stops = { ...slider(0), stops: [0, 1] };
const grid = {
  name: "grid",
  kind: "grid",
  says: "!",
  sliders: [stops],
  angles: [0, 45, 90],
  nats: [
    [0, 0, 0],
    [0, 0.3, 0],
  ],
  error: null,
};
const rowOf = (idea, values) => ({ idea, state: B.stateOf(B.curveOf(idea, values)) });

test("with strength 0 no light and no verdict is shown", () => {
  const off = [rowOf(time, [0, 0]), rowOf(time, [0.8, 0.8]), rowOf(seen, [0]), rowOf(grid, [0])];
  assert.deepEqual(new Set(off.map(({ state }) => state)), new Set(["flat"]));
  assert.equal(B.verdict(off), "");
});

test("what bends is named, and what bends too little is named separately", () => {
  const on = [rowOf(time, [0.95, 0.6]), rowOf(seen, [1]), rowOf(grid, [1]), rowOf({ ...time, name: "weak" }, [0.8, 0.7])];
  assert.deepEqual(
    on.map(({ state }) => state),
    ["bent", "bent", "bent", "faint"],
  );
  assert.equal(B.verdict(on), "What bends the curve: time; u seen; grid. Bends it too little for any training tried so far: weak.");
});

test("three standard errors are taken off before a curve counts", () => {
  const noisy = { angles: [0, 45, 90], nats: [0, 0.05, 0], error: [0, 0.016, 0] };
  assert.equal(B.stateOf(noisy), "flat");
  assert.equal(B.stateOf({ ...noisy, error: [0, 0.001, 0] }), "bent");
});

test("between known angles lies a straight line, and ends are exact", () => {
  const curve = B.curveOf(grid, [1]);
  assert.deepEqual(
    [0, 22.5, 45, 90].map((angle) => B.at(curve, angle).nats),
    [0, 0.15, 0.3, 0],
  );
});

test("a quarter turn only relabels", () => {
  assert.ok(Math.abs(B.pairs([0.95, 0.6], 90)) < 1e-15);
  assert.ok(B.pairs([0.95, 0.6], 45) > 0.46);
});

test("the last slider of a grid varies fastest", () => {
  const nats = [0, 1, 2, 3, 4, 5].map((v) => [v, v]);
  const two = { ...grid, sliders: [stops, { ...stops, stops: [1, 2, 5] }], nats, angles: [0, 90] };
  assert.equal(B.curveOf(two, [1, 5]).nats[0], 5);
  assert.equal(B.curveOf(two, [0, 2]).nats[0], 1);
});
