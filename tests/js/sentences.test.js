// What the playground says: it follows the numbers, and it says so if nothing that the model sees can determine the axes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { advice, revealed, verdict, whyUndetermined } from "../../dvae_core/live/playground/sentences.js";
import { DEFAULT, PRESETS } from "../../dvae_core/live/playground/settings.js";

const frame = (rung, more = {}) => ({
  step: 800,
  steps: 800,
  failed: new Int32Array(8).fill(-1),
  agreement: { rung },
  mcc: new Float32Array(8).fill(0.75),
  ...more,
});
const of = (more) => ({ ...DEFAULT, ...more });
const CONTROLS = [
  of({}),
  of({ prior: "u", strength: 0 }),
  of({ prior: "u", moves: "nothing" }),
  of({ prior: "u", segments: 1 }),
  of({ prior: "u", moves: "alike" }),
  of({ prior: "u", kind: "time" }),
  of({ prior: "u", kind: "drawn", clouds: [[], [1, 1]] }),
  of({ prior: "time" }),
  of({ prior: "time", kind: "time", strength: 0 }),
  of({ prior: "shuffled", kind: "time" }),
];

test("a control says that nothing can be concluded, whatever the seeds do", () => {
  for (const state of CONTROLS) {
    assert.notEqual(whyUndetermined(state), "");
    for (const rung of [null, "affine", "orthogonal", "permutation"]) {
      const { kind, text } = verdict(state, frame(rung));
      assert.match(text, /[Nn]othing can be concluded/);
      assert.equal(kind === "agree", rung === "permutation");
      assert.equal(text.startsWith("The seeds disagree"), rung !== "permutation");
    }
  }
});

test("if something determines the axes, seeds that agree are reported, with the map they agree up to", () => {
  const cases = [
    of({ prior: "u" }),
    of({
      prior: "u",
      kind: "drawn",
      clouds: [
        [2, 2],
        [1, 1],
      ],
    }),
    of({ prior: "time", kind: "time" }),
  ];
  for (const state of cases) {
    assert.equal(whyUndetermined(state), "");
    const { kind, text } = verdict(state, frame("permutation"));
    assert.equal(kind, "agree");
    assert.match(text, /agree up to order, sign and scale/);
    assert.match(verdict(state, frame("orthogonal")).text, /disagree about the axes: they agree only up to a rotation/);
    assert.match(verdict(state, frame(null)).text, /^The seeds disagree/);
  }
});

test("a broken condition is named, whatever the seeds do and before they have learned; an unbroken world has none", () => {
  const broken = [
    [{ folds: 1 }, /Condition 2 is broken: f is folded, so what the seeds find need not be the factors/],
    [{ segments: 4 }, /Condition 4 is broken: u has 4 values and the theorem asks for 5, so it promises nothing/],
    [{ moves: "variance", segments: 2 }, /Condition 4 is broken: u has 2 values and the theorem asks for 3/],
    [{ moves: "alike" }, /Condition 4 is broken: \u03BB\(u\) varies in one direction only/],
  ];
  for (const early of [{}, { step: 10 }]) {
    for (const rung of [null, "affine", "orthogonal", "permutation"]) {
      for (const [more, words] of broken) assert.match(verdict(of({ prior: "u", ...more }), frame(rung, early)).text, words);
      for (const more of [{}, { moves: "variance", segments: 3 }, { noise: 0.8 }])
        assert.doesNotMatch(verdict(of({ prior: "u", ...more }), frame(rung, early)).text, /Condition/);
    }
  }
  assert.doesNotMatch(verdict(of({ folds: 1 }), frame("permutation")).text, /Condition/); // no theorem without u
});

test("the diagonal bound is named where it alone can have picked the axes", () => {
  assert.match(verdict(of({ posterior: "diagonal" }), frame("permutation")).text, /the diagonal q has picked these axes, not the data/);
  assert.doesNotMatch(verdict(of({ posterior: "full" }), frame("permutation")).text, /diagonal/);
});

test("it is too early at first, and nothing is compared when fewer than two seeds are left", () => {
  assert.equal(verdict(of({}), null).kind, "wait");
  assert.equal(verdict(of({}), frame("permutation", { step: 10 })).kind, "wait");
  const failed = Int32Array.from([-1, 3, 3, 3, 3, 3, 3, 3]);
  assert.match(verdict(of({}), frame(null, { failed })).text, /failed/);
});

test("the truth is shown with the guess, the spread, the line, and without the seeds that failed", () => {
  const mcc = Float32Array.from([0.5, 0.75, 0.625, 0.625, Number.NaN, 0.625, 0.625, 0.625]);
  const text = revealed(0.9, frame(null, { mcc }), 0.9);
  assert.match(text, /MCC 0\.63 \(0\.50 to 0\.75\); you guessed 0\.90\. That is below .* \(0\.90\)\. 1 failed/);
  assert.match(revealed(0.9, frame(null, { mcc: mcc.map(() => 0.99) }), 0.9), /above/);
  assert.match(revealed(null, frame(null, { mcc }), 0.9), /^MCC 0\.63 \(0\.50 to 0\.75\)\. That/);
});

test("three of the five presets have something that determines the axes or the bound, two are controls of u", () => {
  assert.deepEqual(
    PRESETS.map(({ state }) => whyUndetermined(state) !== ""),
    [true, true, false, true, false],
  );
});

test("the advice leads from a VAE to u and to its controls, and out of every control", () => {
  assert.match(advice(of({}), false), /x and u/);
  assert.match(advice(of({ prior: "u" }), true), /Strength to 0/);
  assert.match(advice(of({ prior: "u", strength: 0 }), false), /Strength up/);
  assert.match(advice(of({ prior: "time", kind: "time" }), true), /shuffle/);
  assert.match(advice(of({ prior: "shuffled", kind: "time" }), false), /in time/);
  assert.match(advice(of({ posterior: "diagonal" }), true), /full q/);
  assert.equal(advice(of({ prior: "u" }), false), "");
});
