// The playground's engine: random numbers, arithmetic, measures, and what a population promises.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addProduct, exp, log, tanh } from "../../dvae_core/live/playground/arithmetic.js";
import { frameOf } from "../../dvae_core/live/playground/frame.js";
import * as M from "../../dvae_core/live/playground/measures.js";
import { oneCycle } from "../../dvae_core/live/playground/optimiser.js";
import { createPopulation } from "../../dvae_core/live/playground/population.js";
import { Stream, stream } from "../../dvae_core/live/playground/random.js";
import { eigen, orthogonalPart } from "../../dvae_core/live/playground/start.js";
import { near, numbers } from "./helpers.js";

// what the first device printed; an engine that rounds otherwise, or a changed key, shows here
const GOLDEN = {
  words: [4290912000, 4205792571, 4093607667],
  normals: [-0.21675834026792076, 1.483645915511375, -0.39740973585170186],
  latents: [1.0330421924591064, -0.02825350873172283, 0.1686447560787201, -0.21730706095695496],
};

const SMALL = { posterior: "full", prior: "u", beta: 1, steps: 60, batch: 32, rate: 1.5e-2, hidden: 6, shuffleTime: false };

/** Two factors whose means and spreads depend on u, and a mild mixing of them. */
function world(n = 300, segments = 3) {
  const random = stream("test world");
  const z = new Float32Array(2 * n);
  const x = new Float32Array(2 * n);
  const u = Int32Array.from({ length: n }, (_, i) => i % segments);
  const [mean, spread] = [0, 1].map(() => Array.from({ length: 2 * segments }, () => random.normal()));
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < 2; k++) z[2 * i + k] = 2 * mean[2 * u[i] + k] + exp(spread[2 * u[i] + k]) * random.normal();
    const [a, b] = [z[2 * i], z[2 * i + 1]];
    x[2 * i] = tanh(0.2 * a + 0.1 * b) + 0.3 * a;
    x[2 * i + 1] = tanh(0.2 * b - 0.1 * a) + 0.3 * b;
  }
  return { x, z, u, n, dx: 2, dz: 2, segments };
}

const population = (changes = {}, seeds = [0, 1], of = world()) => createPopulation({ ...of, settings: { ...SMALL, ...changes }, seeds });

// --- numbers

test("the generator is xoshiro128**: the first words from the state 1, 2, 3, 4, as a program in Python computes them", () => {
  const wanted = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804];
  const random = new Stream([1, 2, 3, 4]);
  assert.deepEqual(
    wanted.map(() => random.bits()),
    wanted,
  );
});

test("a key gives the same numbers on every device, and another key others", () => {
  const words = (...key) =>
    Array.from(
      { length: 3 },
      (
        (random) => () =>
          random.bits()
      )(stream(...key)),
    );
  assert.deepEqual(words(0, "noise", 0), GOLDEN.words);
  assert.deepEqual(
    Array.from(
      { length: 3 },
      (
        (random) => () =>
          random.normal()
      )(stream(0, "noise", 0)),
    ),
    GOLDEN.normals,
  );
  assert.notDeepEqual(words(0, "noise", 1), GOLDEN.words);
  assert.notDeepEqual(words(1, "noise", 0), GOLDEN.words);
});

test("normal numbers have the moments of N(0, 1), and a shuffle keeps every number", () => {
  const random = stream("moments");
  const n = 40_000;
  const drawn = Array.from({ length: n }, () => random.normal());
  const moment = (k) => drawn.reduce((sum, v) => sum + v ** k, 0) / n;
  // five standard errors: the variances of z, z^2 and z^4 are 1, 2 and 96
  assert.ok(Math.abs(moment(1)) < 5 / Math.sqrt(n));
  assert.ok(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / n));
  assert.ok(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / n));
  const order = random.shuffle(Int32Array.from({ length: 100 }, (_, i) => i));
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    [...Array(100).keys()],
  );
  assert.ok(order.some((v, i) => v !== i));
});

test("exp, tanh and log agree with the engine's own to 1e-13", () => {
  for (let x = -30; x <= 30; x += 0.37) {
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-13, `exp(${x})`);
    assert.ok(Math.abs(tanh(x) - Math.tanh(x)) < 1e-13, `tanh(${x})`);
    const y = Math.exp(x) * 1.7;
    assert.ok(Math.abs(log(y) - Math.log(y)) < 1e-13 * Math.max(1, Math.abs(x)), `log(${y})`);
  }
  assert.deepEqual([exp(-800), exp(800), log(0), tanh(400), tanh(-400)], [0, Infinity, -Infinity, 1, -1]);
  assert.ok(Number.isNaN(log(-1)) && Number.isNaN(exp(NaN)));
});

test("products of matrices, also transposed ones and those of odd sides", () => {
  for (const [rows, inner, columns] of [
    [5, 3, 7],
    [4, 6, 4],
    [1, 2, 1],
    [3, 1, 5],
  ]) {
    const A = Float64Array.from(numbers(rows * inner));
    const B = Float64Array.from(numbers(inner * columns, 2));
    const C = new Float64Array(rows * columns).fill(1);
    const transposed = Float64Array.from({ length: A.length }, (_, i) => A[(i % rows) * inner + Math.floor(i / rows)]);
    addProduct(C, 0, columns, transposed, 0, 1, rows, B, 0, columns, 1, rows, inner, columns);
    const wanted = Float64Array.from({ length: C.length }, (_, i) => {
      let sum = 1;
      for (let k = 0; k < inner; k++) sum += A[Math.floor(i / columns) * inner + k] * B[k * columns + (i % columns)];
      return sum;
    });
    near(C, wanted, 1e-14);
  }
});

test("eigenvectors rebuild their matrix, and the orthogonal part of R S is R", () => {
  const A = [4, 1, 0.5, 1, 3, -0.2, 0.5, -0.2, 2];
  const { values, vectors: V } = eigen(A, 3);
  const rebuilt = A.map((_, i) => [0, 1, 2].reduce((s, k) => s + V[Math.floor(i / 3) * 3 + k] * values[k] * V[(i % 3) * 3 + k], 0));
  near(rebuilt, A, 1e-13);
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  near(orthogonalPart([3 * c - s, c - 2 * s, 3 * s + c, s + 2 * c], 2), [c, -s, s, c], 1e-13); // R [[3, 1], [1, 2]]
});

test("the learning rate rises from peak / 25 for 30 % of the steps and falls to peak / 1000", () => {
  near(
    [0, 30, 100].map((step) => oneCycle(step, 100, 1)),
    [1 / 25, 1, 1 / 1000],
    1e-14, // the cosine is a series
  );
  near(
    [15, 65].map((step) => oneCycle(step, 100, 1)),
    [(1 + 1 / 25) / 2, (1 + 1 / 1000) / 2],
    1e-14,
  );
});

// --- measures

const GAUSS = (() => {
  const random = stream("gauss");
  return Float64Array.from({ length: 2 * 2000 }, () => random.normal());
})();
const mapped = (z, [a, b, c, d], add = 0) => z.map((_, i) => (i % 2 ? c * z[i - 1] + d * z[i] : a * z[i] + b * z[i + 1]) + add);

test("MCC is blind to order, sign, scale and offset, and not to rotation", () => {
  assert.ok(Math.abs(M.mcc(GAUSS, mapped(GAUSS, [0, -3, 0.1, 0], 5), 2000, 2) - 1) < 1e-9);
  // 45 degrees of two independent factors of equal spread: 1 / sqrt(2), up to five standard errors of a correlation
  const h = Math.SQRT1_2;
  assert.ok(Math.abs(M.mcc(GAUSS, mapped(GAUSS, [h, -h, h, h]), 2000, 2) - h) < 5 * (0.5 / Math.sqrt(2000)));
  assert.ok(Math.abs(M.mcc(GAUSS, mapped(GAUSS, [1, 0, 0, 0], 2), 2000, 2) - 0.5) < 0.06); // a constant latent counts 0
});

test("a random rotation scores .900 on average in two dimensions and .829 in three", () => {
  assert.ok(Math.abs(M.rotationFloor(2) - 0.9003) < 1e-4);
  assert.ok(Math.abs(M.rotationFloor(3) - 0.8288) < 0.003); // numpy, 40,000 draws; five standard errors of 20,000
});

test("seeds agree up to the map that they differ by", () => {
  const [c, s] = [Math.cos(0.6), Math.sin(0.6)];
  const unrelated = Float64Array.from(GAUSS, (_, i) => GAUSS[(i + 1001) % GAUSS.length]);
  const cases = [
    ["permutation", mapped(GAUSS, [0, -2, 0.5, 0], 1)],
    ["orthogonal", mapped(GAUSS, [c, -s, s, c])],
    ["affine", mapped(GAUSS, [1, 2, 0, 1])],
    [null, unrelated],
  ];
  for (const [rung, other] of cases) assert.equal(M.agreement([...GAUSS, ...other], 2, 2000, 2).rung, rung);
});

test("an arrow is where a latent points among the factors", () => {
  const [c, s] = [Math.cos(0.5), Math.sin(0.5)];
  const found = M.axes(GAUSS, mapped(GAUSS, [3 * c, 3 * s, -s, c]), 2000, 2); // latents: R^T z, the first three times as long
  const angle = (i) => Math.atan2(found[2 * i + 1], found[2 * i]);
  assert.ok(Math.abs(angle(0) - 0.5) < 0.05 && Math.abs(angle(1) - 0.5 - Math.PI / 2) < 0.05); // the sample's covariance is not I
});

// --- populations

test("a seed gives the same run alone, in a population, and again", () => {
  const [two, one, again] = [population({}, [3, 8]), population({}, [8]), population({}, [8])];
  for (const each of [two, one, again]) each.step(20);
  assert.deepEqual(one.latents(), again.latents());
  assert.deepEqual(two.latents().subarray(600), one.latents());
  assert.notDeepEqual(two.latents().subarray(0, 600), one.latents());
});

test("the numbers of a run are the same on every device", () => {
  const one = population({ posterior: "gauss-newton" }, [0]);
  one.step(5);
  assert.deepEqual([...one.latents().subarray(0, 4)], GOLDEN.latents);
});

test("training raises the held-out bound, for every posterior and prior", () => {
  for (const posterior of ["diagonal", "full", "gauss-newton"]) {
    for (const prior of ["normal", "u", "time"]) {
      const one = population({ posterior, prior }, [0]);
      const before = one.bound();
      one.step(60);
      const after = one.bound();
      assert.ok(after.mean[0] > before.mean[0] + 0.1, `${posterior}, ${prior}: ${before.mean[0]} to ${after.mean[0]}`);
      one.step(5);
      assert.equal(one.stepNumber, 60); // the schedule has ended
    }
  }
});

test("a change of settings keeps what was learned and begins the schedule again", () => {
  const one = population({ prior: "normal", posterior: "diagonal" }, [0]);
  one.step(60);
  const learned = one.latents();
  one.set({ posterior: "full", prior: "u" });
  assert.deepEqual(one.latents(), learned);
  assert.equal(one.steps, 120);
  one.step(60);
  assert.equal(one.stepNumber, 120);
  assert.notDeepEqual(one.latents(), learned);
  assert.throws(() => one.set({ hidden: 8 }), /start again/);
});

test("a member whose gradient is not finite stops, is named, and leaves the others alone", () => {
  const [good, bad] = [population(), population()];
  bad.parameters[0] = Number.NaN;
  good.step(3);
  bad.step(3);
  assert.deepEqual([...bad.failed], [0, -1]);
  assert.ok(Number.isNaN(bad.bound().mean[0]));
  assert.deepEqual(bad.latents().subarray(600), good.latents().subarray(600));
});

test("saved parameters give the same latents and bounds", () => {
  const one = population({ posterior: "gauss-newton" });
  one.step(10);
  const saved = one.state();
  const two = createPopulation({
    ...world(),
    settings: { ...SMALL, posterior: "gauss-newton" },
    seeds: [0, 1],
    start: { parameters: saved },
  });
  assert.deepEqual(two.latents(), one.latents());
  assert.deepEqual(two.bound(), one.bound());
  assert.equal(saved["encoder_net.mlp.last.weight"].length, 2 * 6 * 2); // only the outputs that this posterior uses
});

test("what does not fit is refused in a sentence", () => {
  assert.throws(() => population({ prior: "u" }, [0], { ...world(), u: null }), /needs u, and this world has none/);
  assert.throws(() => population({ posterior: "flow" }), /no posterior flow; choose diagonal, full or gauss-newton/);
  assert.throws(() => population({ batch: 0 }), /whole numbers above 0/);
  assert.throws(() => population({}, []), /at least one seed/);
  assert.throws(() => population({}, [0], { ...world(), x: new Float32Array(600).fill(NaN) }), /finite numbers/);
});

test("a frame joins the parts of workers in the order of the seeds, and scores no member that failed", () => {
  const of = world();
  const parts = [[0], [1], [2]].map((seeds) => {
    const one = population({}, seeds, of);
    one.step(5 + seeds[0]);
    const { mean, error } = one.bound();
    const failed = Int32Array.from([seeds[0] === 1 ? 4 : -1]);
    return {
      type: "part",
      step: one.stepNumber,
      steps: one.steps,
      latents: one.latents(),
      bound: mean,
      error,
      failed,
      secondsPerStep: 0.1,
    };
  });
  const task = { type: "start", world: of, settings: SMALL, seeds: [0, 1, 2] };
  const frame = frameOf(task, parts);
  assert.equal(frame.step, 5);
  assert.equal(frame.agreement.pairs.length, 4);
  assert.deepEqual(frame.latents.subarray(1200), parts[2].latents);
  assert.ok(Number.isNaN(frame.mcc[1]) && frame.mcc[0] > 0.4 && frame.mcc[2] > 0.4);
});
