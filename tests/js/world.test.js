// The playground's world: keyed numbers, what u and time change, folds, and drawn clouds; what a link holds; the sentences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT, decode, encode, PRESETS, worldOf } from "../../dvae_core/live/playground/settings.js";
import { cloudsOf, drawWorld, GRID, gridOf, mixed, moments, placeOf, REACH } from "../../dvae_core/live/playground/world.js";

const world = (more = {}) => worldOf({ ...DEFAULT, ...more });

/** Mean and standard deviation of column i of the rows that are chosen. */
function column({ z, n }, i, isChosen = () => true) {
  const values = Array.from({ length: n }, (_, row) => row)
    .filter(isChosen)
    .map((row) => z[2 * row + i]);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return { mean, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length) };
}

/** The correlation of each value with the next one. */
function memory({ z, n }, i) {
  const { mean } = column({ z, n }, i);
  let [ab, aa] = [0, 0];
  for (let row = 1; row < n; row++) ab += (z[2 * row + i] - mean) * (z[2 * row - 2 + i] - mean);
  for (let row = 0; row < n; row++) aa += (z[2 * row + i] - mean) ** 2;
  return ab / aa;
}

test("the same settings give the same data, another seed gives others", () => {
  const [a, b, c] = [drawWorld(world()), drawWorld(world()), drawWorld(world({ seed: 1 }))];
  assert.deepEqual(a, b);
  assert.notDeepEqual(a.z, c.z);
  assert.equal(a.x.length, a.n * a.dx);
  assert.equal(a.z.length, 2 * a.n);
});

test("noise of x leaves the factors alone, and x has mean 0 and variance 1", () => {
  const [clear, noisy] = [drawWorld(world({ dx: 4 })), drawWorld(world({ dx: 4, noise: 0.5 }))];
  assert.deepEqual(clear.z, noisy.z);
  for (const { x, n } of [clear, noisy])
    for (let i = 0; i < 4; i++) {
      const values = x.filter((_, k) => k % 4 === i);
      const mean = values.reduce((sum, v) => sum + v, 0) / n;
      const variance = values.reduce((sum, v) => sum + v * v, 0) / n - mean * mean;
      // float32 sums of 1500 numbers
      assert.ok(Math.abs(mean) < 1e-5 && Math.abs(variance - 1) < 1e-5, `${mean}, ${variance}`);
    }
});

test("every value of u has the moments that it should have", () => {
  for (const moves of ["both", "mean", "variance", "nothing"]) {
    const settings = world({ moves, segments: 3 });
    const drawn = drawWorld(settings);
    const { mean, scale } = moments(settings);
    for (let segment = 0; segment < 3; segment++)
      for (const i of [0, 1]) {
        const found = column(drawn, i, (row) => drawn.u[row] === segment);
        const sd = scale[2 * segment + i];
        // 500 rows: five standard errors of a mean (sd / 22) and of a standard deviation (sd / 32)
        assert.ok(Math.abs(found.mean - mean[2 * segment + i]) < (5 * sd) / 22, `mean of ${moves}`);
        assert.ok(Math.abs(found.sd - sd) < (5 * sd) / 31, `scale of ${moves}`);
      }
    assert.equal(new Set(mean).size > 1, moves === "both" || moves === "mean");
    assert.equal(new Set(scale).size > 1, moves === "both" || moves === "variance");
  }
});

test("variances that u moves alike leave every p(z|u) round, and other variances do not", () => {
  const ratios = (moves) => {
    const { scale } = moments(world({ moves }));
    return Array.from({ length: scale.length / 2 }, (_, k) => scale[2 * k + 1] / scale[2 * k]);
  };
  assert.deepEqual(new Set(ratios("alike")), new Set([1]));
  assert.equal(new Set(ratios("variance")).size, 5);
  assert.ok(new Set(moments(world({ moves: "alike" })).scale).size > 1); // u does move them
});

test("with strength 0 u moves nothing, whatever it is set to move", () => {
  const { mean, scale } = moments(world({ strength: 0 }));
  assert.deepEqual(new Set(mean.map(Math.abs)), new Set([0]));
  assert.deepEqual(new Set(scale), new Set([1]));
});

test("rows come in no order, but for a world in time, which remembers; with strength 0 it does not", () => {
  const bound = 5 / Math.sqrt(1500); // five standard errors of an autocorrelation of 0
  assert.ok(Math.abs(memory(drawWorld(world()), 0)) < bound);
  const series = drawWorld(world({ kind: "time" }));
  assert.equal(series.u, null);
  assert.ok(memory(series, 0) > 0.93 && memory(series, 1) > 0.7 && memory(series, 1) < 0.87);
  for (const i of [0, 1]) assert.ok(Math.abs(memory(drawWorld(world({ kind: "time", strength: 0 })), i)) < bound);
});

test("a fold gives two places the same x, and no fold does not", () => {
  const z = Float32Array.from([1, 2, -3, 0.5, 0, 0, 3, 0.5, -1, 2]); // the median of the first factor is 0
  const [plain, folded] = [mixed(world(), z), mixed(world({ folds: 1 }), z)];
  for (const i of [0, 1]) {
    assert.equal(folded[i], folded[8 + i]);
    assert.equal(folded[2 + i], folded[6 + i]);
    assert.notEqual(plain[i], plain[8 + i]);
  }
});

test("one layer is linear, two are not", () => {
  const z = Float32Array.from([1, -2, 2, -4]);
  const double = (layers) => {
    const x = mixed(world({ layers, dx: 3 }), z);
    return [0, 1, 2].map((i) => Math.abs(x[3 + i] - 2 * x[i]));
  };
  assert.ok(Math.max(...double(1)) < 1e-12);
  assert.ok(Math.max(...double(2)) > 0.1);
});

test("drawn clouds are what is drawn: rows lie around the points of their own u", () => {
  const clouds = [[gridOf(-4), gridOf(-4)], [], [gridOf(4), gridOf(2)]];
  const drawn = drawWorld(world({ kind: "drawn", clouds }));
  assert.equal(drawn.segments, 2); // an empty cloud is no value of u
  for (const [segment, place] of [
    [0, [-4, -4]],
    [1, [4, 2]],
  ]) // prettier
    for (const i of [0, 1]) {
      const found = column(drawn, i, (row) => drawn.u[row] === segment);
      assert.ok(Math.abs(found.mean - place[i]) < 0.2, `${found.mean}`); // half a place of the grid, and 5 standard errors
    }
  assert.throws(() => drawWorld(world({ kind: "drawn", clouds: [[], []] })), /Nothing is drawn yet/);
});

test("a place of the grid comes back, and a cloud begins with points of the world", () => {
  for (let place = 0; place < GRID; place++) assert.equal(gridOf(placeOf(place)), place);
  assert.equal(gridOf(-10 * REACH), 0);
  const clouds = cloudsOf(drawWorld(world({ segments: 3 })), 7);
  assert.deepEqual(
    clouds.map((cloud) => cloud.length),
    [14, 14, 14],
  );
});

test("a link restores the state, in letters that need no escaping", () => {
  const clouds = [[0, 61, 30, 2], [], [5, 5]];
  const odd = { ...DEFAULT, kind: "drawn", clouds, beta: 2.25, strength: 0.3, seed: 4711, posterior: "gauss-newton", prior: "shuffled" };
  for (const state of [...PRESETS.map((preset) => preset.state), odd]) {
    const text = encode(state);
    assert.equal(encodeURIComponent(text), text);
    assert.deepEqual(decode(text), { state, problem: "" });
  }
  assert.equal(encode(DEFAULT), "");
});

test("what a link should not hold is named, and the rest is read", () => {
  for (const part of ["beta~7", "beta~", "segments~2.5", "prior~none", "colour~red", "clouds~0", "clouds~!!", "seed~-1", "kind"]) {
    const { state, problem } = decode(`${part}_strength~0.5`);
    assert.deepEqual(state, { ...DEFAULT, strength: 0.5 }, part);
    assert.ok(problem.includes(part), problem);
  }
});
