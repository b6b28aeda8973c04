// Arithmetic of the browser's decoders against hand-computed numbers and loops that follow the definitions.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as D from "../../dvae_core/live/decode.js";
import { near, numbers } from "./helpers.js";

// --- helpers

const size = (shape) => shape.reduce((a, b) => a * b, 1);

function model(ops, shapes, { members = 1, d_z, d_x }, values = {}) {
  const tensors = new Map(
    Object.entries(shapes).map(([name, shape], k) => [
      name,
      { shape, data: values[name] ? Float32Array.from(values[name]) : numbers(size(shape), k + 7) },
    ]),
  );
  return Object.assign(D.buildModel({ id: "t", members, d_z, d_x, x_shape: null, likelihood: "gaussian", ops }, tensors), { tensors });
}

/** A safetensors file; `pad` spaces in the header move the body off a multiple of 4. */
function safetensors(tensors, metadata, pad = 0) {
  const header = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const head = new TextEncoder().encode(JSON.stringify(header) + " ".repeat(pad));
  const bytes = new Uint8Array(8 + head.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let at = 8 + head.length;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

// --- linear and its relatives

test("linear: h @ W + b, by hand", () => {
  const ops = [{ op: "start" }, { op: "linear", weight: "w", bias: "b", shared: false }];
  const m = model(ops, { w: [1, 2, 3], b: [1, 3] }, { d_z: 2, d_x: 3 }, { w: [1, 2, 3, 4, 5, 6], b: [10, 20, 30] });
  near(D.decodeMember(m, 0, [1, -1]), [10 + 1 - 4, 20 + 2 - 5, 30 + 3 - 6]);
});

test("linear without bias, and shared by all members", () => {
  const ops = [{ op: "linear", weight: "r", bias: null, shared: true }, { op: "start" }];
  const m = model(ops, { r: [2, 2] }, { members: 3, d_z: 2, d_x: 2 }, { r: [0, 1, -1, 0] });
  for (const member of [0, 1, 2]) near(D.decodeMember(m, member, [2, 5]), [-5, 2]);
});

test("each member has its own weights", () => {
  const ops = [{ op: "start" }, { op: "linear", weight: "w", bias: "b", shared: false }];
  const m = model(ops, { w: [2, 1, 1], b: [2, 1] }, { members: 2, d_z: 1, d_x: 1 }, { w: [2, 3], b: [0.5, -0.5] });
  near(D.decodeMember(m, 0, [1]), [2.5]);
  near(D.decodeMember(m, 1, [1]), [2.5]);
  near(D.decodeMember(m, 1, [2]), [5.5]);
});

test("linear agrees with a plain loop for sizes around the unrolled eight", () => {
  for (const nIn of [1, 7, 8, 9, 16, 19]) {
    const m = model(
      [{ op: "start" }, { op: "linear", weight: "w", bias: "b", shared: false }],
      { w: [2, nIn, 5], b: [2, 5] },
      { members: 2, d_z: nIn, d_x: 5 },
    );
    const z = numbers(nIn, 3);
    const { data: w } = m.tensors.get("w");
    const { data: b } = m.tensors.get("b");
    const wanted = Array.from({ length: 5 }, (_, o) => {
      let s = b[5 + o];
      for (let i = 0; i < nIn; i++) s += z[i] * w[nIn * 5 + i * 5 + o];
      return s;
    });
    near(D.decodeMember(m, 1, z), wanted);
  }
});

test("skip adds z0 @ W, where z0 is z after the leading rotation", () => {
  const ops = [
    { op: "linear", weight: "r", bias: null, shared: true },
    { op: "start" },
    { op: "linear", weight: "w", bias: null, shared: false },
    { op: "skip", weight: "s" },
  ];
  const m = model(ops, { r: [2, 2], w: [1, 2, 1], s: [1, 2, 1] }, { d_z: 2, d_x: 1 }, { r: [0, 1, -1, 0], w: [1, 1], s: [10, 100] });
  // z = (2, 5) -> z0 = (-5, 2); h = -5 + 2 = -3; skip: -50 + 200
  near(D.decodeMember(m, 0, [2, 5]), [-3 + 150]);
});

test("bias, affine, sigmoid, exp", () => {
  const of = (ops, shapes, values) => model([{ op: "start" }, ...ops], shapes, { d_z: 2, d_x: 2 }, values);
  near(D.decodeMember(of([{ op: "bias", bias: "b" }], { b: [1, 2] }, { b: [1, -2] }), 0, [3, 4]), [4, 2]);
  near(
    D.decodeMember(of([{ op: "affine", scale: "a", shift: "b", shared: true }], { a: [2], b: [2] }, { a: [2, 3], b: [1, -1] }), 0, [3, 4]),
    [7, 11],
  );
  near(D.decodeMember(of([{ op: "sigmoid" }], {}), 0, [0, Math.log(3)]), [0.5, 0.75]);
  near(D.decodeMember(of([{ op: "exp" }], {}), 0, [0, Math.log(7)]), [1, 7]);
});

// --- activations

test("erf against tabulated values (Abramowitz and Stegun, table 7.1)", () => {
  const table = {
    0: 0,
    0.1: 0.112462916,
    0.5: 0.5204998778,
    1: 0.8427007929,
    1.5: 0.9661051465,
    2: 0.995322265,
    2.4: 0.9993114861,
    2.5: 0.999593048,
    3: 0.9999779095,
    4: 0.9999999846,
  };
  for (const [x, y] of Object.entries(table)) {
    assert.ok(Math.abs(D.erf(Number(x)) - y) < 1e-10, `erf(${x}) = ${D.erf(Number(x))}`);
    assert.ok(Math.abs(D.erf(-Number(x)) + y) < 1e-10);
  }
  assert.ok(Math.abs(D.erf(2.4999999) - D.erf(2.5000001)) < 1e-9, "series and continued fraction meet");
});

test("every activation by its formula, gelu exactly (not by tanh)", () => {
  const xs = Float64Array.from({ length: 2001 }, (_, i) => (i - 1000) / 125); // -8 .. 8
  const formulas = {
    xtanh: (a) => Math.tanh(a) + 0.1 * a,
    relu: (a) => Math.max(0, a),
    leaky: (a) => (a > 0 ? a : 0.1 * a),
    tanh: Math.tanh,
    silu: (a) => a / (1 + Math.exp(-a)),
    gelu: (a) => (a / 2) * (1 + D.erf(a / Math.SQRT2)),
  };
  assert.deepEqual(Object.keys(D.ACTIVATIONS).sort(), Object.keys(formulas).sort());
  for (const [name, formula] of Object.entries(formulas)) {
    const h = xs.slice();
    D.ACTIVATIONS[name](h, h.length);
    near(h, xs.map(formula), 1e-9);
  }
  const one = Float64Array.of(1);
  D.ACTIVATIONS.gelu(one, 1);
  assert.ok(Math.abs(one[0] - 0.8413447460685429) < 1e-9);
});

test("an activation stops at the size of h, though the scratch is longer", () => {
  const h = Float64Array.of(-1, -1, -1);
  D.ACTIVATIONS.relu(h, 2);
  assert.deepEqual([...h], [0, 0, -1]);
});

// --- pictures

/** conv_transpose2d by its definition: every input pixel adds its kernel to the output. [c, h, w] in and out. */
function naiveConvTranspose(x, [cIn, h, w], weight, cOut, k, bias, stride, padding) {
  const H = (h - 1) * stride - 2 * padding + k;
  const W = (w - 1) * stride - 2 * padding + k;
  const y = new Float64Array(cOut * H * W);
  for (let o = 0; o < cOut; o++) y.fill(bias[o], o * H * W, (o + 1) * H * W);
  for (let c = 0; c < cIn; c++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++)
        for (let o = 0; o < cOut; o++)
          for (let a = 0; a < k; a++)
            for (let b = 0; b < k; b++) {
              const [r, s] = [i * stride - padding + a, j * stride - padding + b];
              if (r >= 0 && r < H && s >= 0 && s < W)
                y[(o * H + r) * W + s] += x[(c * h + i) * w + j] * weight[((c * cOut + o) * k + a) * k + b];
            }
  return { y, H, W };
}

const channelsLast = (y, c, H, W) =>
  Float64Array.from({ length: c * H * W }, (_, p) => y[((p % c) * H + Math.floor(p / (W * c))) * W + (Math.floor(p / c) % W)]);

for (const [cIn, h, w, cOut, k, stride, padding] of [
  [1, 2, 2, 1, 2, 2, 0],
  [3, 4, 4, 2, 4, 2, 1],
  [8, 2, 3, 9, 4, 2, 1],
  [5, 3, 2, 16, 3, 1, 1],
  [2, 3, 3, 3, 3, 3, 0],
  [4, 2, 2, 1, 5, 2, 2],
]) {
  test(`conv_transpose ${cIn}x${h}x${w} -> ${cOut}, kernel ${k}, stride ${stride}, padding ${padding}`, () => {
    const d_z = cIn * h * w;
    const H = (h - 1) * stride - 2 * padding + k;
    const W = (w - 1) * stride - 2 * padding + k;
    const ops = [
      { op: "start" },
      { op: "reshape", shape: [cIn, h, w] },
      { op: "conv_transpose", weight: "w", bias: "b", stride, padding },
      { op: "flatten_channels_last" },
    ];
    const m = model(ops, { w: [2, cIn, cOut, k, k], b: [2, cOut] }, { members: 2, d_z, d_x: cOut * H * W });
    const z = numbers(d_z, 5);
    for (const member of [1, 0, 1]) {
      // back again: the packed kernel of the other member must not be used
      const weight = m.tensors.get("w").data.slice(member * size([cIn, cOut, k, k]));
      const bias = m.tensors.get("b").data.slice(member * cOut);
      const { y } = naiveConvTranspose(z, [cIn, h, w], weight, cOut, k, bias, stride, padding);
      near(D.decodeMember(m, member, z), channelsLast(y, cOut, H, W));
    }
  });
}

test("two convolutions with activations and a bias a pixel, as a small picture decoder has them", () => {
  const ops = [
    { op: "start" },
    { op: "linear", weight: "l", bias: null, shared: false },
    { op: "act", name: "relu" },
    { op: "reshape", shape: [2, 2, 2] },
    { op: "conv_transpose", weight: "w1", bias: "b1", stride: 2, padding: 1 },
    { op: "act", name: "gelu" },
    { op: "conv_transpose", weight: "w2", bias: "b2", stride: 2, padding: 1 },
    { op: "flatten_channels_last" },
    { op: "bias", bias: "p" },
    { op: "sigmoid" },
  ];
  const m = model(
    ops,
    { l: [1, 3, 8], w1: [1, 2, 9, 4, 4], b1: [1, 9], w2: [1, 9, 3, 4, 4], b2: [1, 3], p: [1, 192] },
    { d_z: 3, d_x: 192 },
  );
  const t = (name) => m.tensors.get(name).data;
  const z = [0.3, -1.2, 0.7];
  const h0 = Float64Array.from({ length: 8 }, (_, o) =>
    Math.max(
      0,
      z.reduce((s, v, i) => s + v * t("l")[i * 8 + o], 0),
    ),
  );
  const first = naiveConvTranspose(h0, [2, 2, 2], t("w1"), 9, 4, t("b1"), 2, 1);
  const mid = first.y.map((a) => (a / 2) * (1 + D.erf(a / Math.SQRT2)));
  const second = naiveConvTranspose(mid, [9, 4, 4], t("w2"), 3, 4, t("b2"), 2, 1);
  const wanted = channelsLast(second.y, 3, 8, 8).map((a, i) => 1 / (1 + Math.exp(-(a + t("p")[i]))));
  near(D.decodeMember(m, 0, z), wanted);
});

test("reshape reads [c, h, w]; flatten_channels_last writes [h, w, c]", () => {
  const m = model([{ op: "start" }, { op: "reshape", shape: [2, 1, 3] }, { op: "flatten_channels_last" }], {}, { d_z: 6, d_x: 6 });
  near(D.decodeMember(m, 0, [1, 2, 3, 10, 20, 30]), [1, 10, 2, 20, 3, 30]);
});

// --- what cannot be decoded is refused in a sentence

test("unknown op, unknown activation, missing tensor, wrong shape, wrong end", () => {
  const build =
    (ops, shapes = {}) =>
    () =>
      model(ops, shapes, { d_z: 2, d_x: 2 });
  assert.throws(build([{ op: "fourier" }]), /does not know the decoder step "fourier"/);
  assert.throws(build([{ op: "act", name: "toString" }]), /does not know the activation "toString"/);
  assert.throws(build([{ op: "linear", weight: "w", bias: null }]), /needs a tensor "w" that was not sent/);
  assert.throws(build([{ op: "linear", weight: "w", bias: null }], { w: [1, 3, 2] }), /shape \[1,3,2\]; the step "linear" needs \[1,2,2\]/);
  assert.throws(build([{ op: "linear", weight: "w", bias: null }], { w: [1, 2, 5] }), /ends with 5 numbers; the plan says d_x = 2/);
  assert.throws(build([{ op: "reshape", shape: [1, 1, 2] }]), /needs a flat vector/);
  assert.throws(build([{ op: "conv_transpose", weight: "w", bias: null }], { w: [1, 2, 5] }), /needs a "reshape" before it/);
});

test("decodeMember refuses a member or a latent vector that does not exist", () => {
  const m = model([{ op: "start" }], {}, { members: 3, d_z: 2, d_x: 2 });
  assert.throws(() => D.decodeMember(m, 3, [0, 0]), /members 0 to 2/);
  assert.throws(() => D.decodeMember(m, 0, [0]), /1 latents came; this decoder takes 2/);
});

test("decodeMember returns a fresh array, decodeInto the one it was given", () => {
  const m = model([{ op: "start" }], {}, { d_z: 2, d_x: 2 });
  const a = D.decodeMember(m, 0, [1, 2]);
  const b = D.decodeMember(m, 0, [3, 4]);
  assert.deepEqual([...a, ...b], [1, 2, 3, 4]);
  assert.equal(D.decodeInto(m, 0, [5, 6], a), a);
});

// --- safetensors

const plan = {
  id: "p",
  members: 1,
  d_z: 2,
  d_x: 1,
  x_shape: null,
  likelihood: "gaussian",
  ops: [{ op: "start" }, { op: "linear", weight: "w", bias: null, shared: false }],
};
const file = (pad) =>
  safetensors(
    { other: { shape: [1], data: Float32Array.of(9) }, w: { shape: [1, 2, 1], data: Float32Array.of(2, -3) } },
    { plan: JSON.stringify(plan) },
    pad,
  );

for (const pad of [0, 1, 2, 3]) {
  for (const shift of [0, 1, 3]) {
    test(`safetensors: header padded by ${pad}, bytes ${shift} into their buffer`, () => {
      const bytes = file(pad);
      const frame = new Uint8Array(bytes.length + shift + 5);
      frame.set(bytes, shift);
      const m = D.loadModel(frame.subarray(shift, shift + bytes.length));
      near(D.decodeMember(m, 0, [1, 1]), [-1]);
    });
  }
}

test("safetensors: cut short, another dtype, no plan", () => {
  assert.throws(() => D.parseSafetensors(new Uint8Array(3)), /cut short/);
  assert.throws(() => D.parseSafetensors(file(0).subarray(0, 20)), /header is not complete/);
  assert.throws(() => D.parseSafetensors(file(0).subarray(0, file(0).length - 2)), /cut short inside tensor/);
  const half = new TextEncoder().encode('{"w":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}');
  const bytes = new Uint8Array(8 + half.length + 2);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(half.length), true);
  bytes.set(half, 8);
  assert.throws(() => D.parseSafetensors(bytes), /Tensor w is I16/);
  assert.throws(() => D.loadModel(safetensors({}, { format: "pt" })), /no "plan"/);
});
