// Arithmetic of the decoders that run in the browser. It does not depend on a page, so node runs it as well.
//
// The ops are documented in dvae_core/export/plan.py, which builds the plan.

/** @import { Model, Op, Plan, Tensors, Vector, Writable } from "./types.d.ts" */

// --- safetensors

/**
 * Tensors of a safetensors file: u64 header length, JSON header, raw little-endian numbers.
 * @param {Uint8Array} bytes
 */
export function parseSafetensors(bytes) {
  // The bytes may be a view into a larger buffer, at an offset that is not a multiple of 4, which Float32Array needs. A
  // copy fixes that; if the header is not padded, a second copy of the numbers does.
  const file = bytes.slice();
  if (file.length < 8) throw new Error("The decoder is cut short: fewer than 8 bytes came.");
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  if (8 + headerBytes > file.length) throw new Error("The decoder is cut short: its header is not complete.");
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerBytes)));
  const start = 8 + headerBytes;
  const body = start % 4 === 0 ? file : file.slice(start);
  const base = start % 4 === 0 ? start : 0;
  /** @type {Tensors} */
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "F32" && entry.dtype !== "F16") {
      throw new Error(`Tensor ${name} is ${entry.dtype}; the page decodes float32 (F32) and float16 (F16) only.`);
    }
    const [from, to] = entry.data_offsets;
    if (base + to > body.length) throw new Error(`The decoder is cut short inside tensor ${name}.`);
    const data =
      entry.dtype === "F16"
        ? fromHalf(new Uint16Array(body.slice(base + from, base + to).buffer))
        : new Float32Array(body.buffer, base + from, (to - from) / 4);
    tensors.set(name, { shape: entry.shape, data });
  }
  return { metadata: header.__metadata__ ?? {}, tensors };
}

/**
 * Numbers of float16: a sign, 5 bits of exponent and 10 of mantissa.
 * @param {Uint16Array} halves
 */
function fromHalf(halves) {
  return Float32Array.from(halves, (half) => {
    const exponent = (half >> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 31) return mantissa ? Number.NaN : half >> 15 ? -Infinity : Infinity;
    const size = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
    return half >> 15 ? -size : size;
  });
}

// --- activations

const SQRT_PI = Math.sqrt(Math.PI);

/**
 * Error function to about 1e-15: its Maclaurin series near 0, the continued fraction of erfc in the tails.
 * @param {number} x
 */
export function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      const next = term / (2 * n + 1);
      sum += next;
      if (Math.abs(next) < 1e-17 * Math.abs(sum)) break;
    }
    return (2 / SQRT_PI) * sum;
  }
  let tail = 0;
  for (let k = 60; k > 0; k--) tail = k / 2 / (a + tail);
  return Math.sign(x) * (1 - Math.exp(-a * a) / SQRT_PI / (a + tail));
}

// gelu is evaluated tens of thousands of times a frame: erf from a table with its slopes (step 1/128, cubic Hermite), whose
// error stays below 1e-10.
const ERF_PER_UNIT = 128;
/** @type {Float64Array | null} */
let erfTable = null;

/** @param {number} x */
function erfFast(x) {
  const a = x < 0 ? -x : x;
  if (a >= 6) return x < 0 ? -1 : 1;
  if (!erfTable) {
    erfTable = new Float64Array(2 * (6 * ERF_PER_UNIT + 2));
    for (let i = 0; i < erfTable.length / 2; i++) {
      const at = i / ERF_PER_UNIT;
      erfTable[2 * i] = erf(at);
      erfTable[2 * i + 1] = ((2 / SQRT_PI) * Math.exp(-at * at)) / ERF_PER_UNIT;
    }
  }
  const scaled = a * ERF_PER_UNIT;
  const i = scaled | 0;
  const t = scaled - i;
  const y0 = erfTable[2 * i];
  const slope0 = erfTable[2 * i + 1];
  const d = erfTable[2 * i + 2] - y0;
  const slope1 = erfTable[2 * i + 3];
  const y = y0 + t * (slope0 + t * (3 * d - 2 * slope0 - slope1 + t * (slope0 + slope1 - 2 * d)));
  return x < 0 ? -y : y;
}

/**
 * Activations by name, each in place on the first n numbers of h.
 * @type {Record<string, (h: Float64Array, n: number) => void>}
 */
export const ACTIVATIONS = {
  xtanh(h, n) {
    for (let i = 0; i < n; i++) h[i] = Math.tanh(h[i]) + 0.1 * h[i];
  },
  relu(h, n) {
    for (let i = 0; i < n; i++) if (h[i] < 0) h[i] = 0;
  },
  leaky(h, n) {
    for (let i = 0; i < n; i++) if (h[i] < 0) h[i] *= 0.1;
  },
  tanh(h, n) {
    for (let i = 0; i < n; i++) h[i] = Math.tanh(h[i]);
  },
  silu(h, n) {
    for (let i = 0; i < n; i++) h[i] /= 1 + Math.exp(-h[i]);
  },
  gelu(h, n) {
    for (let i = 0; i < n; i++) h[i] *= 0.5 * (1 + erfFast(h[i] * Math.SQRT1_2));
  },
};

// --- the two heavy loops

let rows = new Int32Array(4096);

/**
 * y += h @ W for W [nIn, nOut] at offset w. Rows whose h is 0 are left out (half of them after a relu); the others are
 * processed eight at a time, filled up with one that is 0, so that y is read and written once for eight products.
 * @param {Float64Array} h
 * @param {number} hAt
 * @param {Float32Array} W
 * @param {number} w
 * @param {number} nIn
 * @param {number} nOut
 * @param {Float64Array} y
 * @param {number} yAt
 */
function addMatvec(h, hAt, W, w, nIn, nOut, y, yAt) {
  if (rows.length < nIn + 8) rows = new Int32Array(nIn + 8);
  let n = 0;
  let zero = -1;
  for (let i = 0; i < nIn; i++) {
    if (h[hAt + i] !== 0) rows[n++] = i;
    else zero = i;
  }
  if (zero >= 0) while (n % 8 > 2) rows[n++] = zero;
  let k = 0;
  // biome-ignore format: eight products, a line for each of their parts
  for (; k + 7 < n; k += 8) {
    const i0 = rows[k], i1 = rows[k + 1], i2 = rows[k + 2], i3 = rows[k + 3];
    const i4 = rows[k + 4], i5 = rows[k + 5], i6 = rows[k + 6], i7 = rows[k + 7];
    const a0 = h[hAt + i0], a1 = h[hAt + i1], a2 = h[hAt + i2], a3 = h[hAt + i3];
    const a4 = h[hAt + i4], a5 = h[hAt + i5], a6 = h[hAt + i6], a7 = h[hAt + i7];
    const p0 = w + i0 * nOut, p1 = w + i1 * nOut, p2 = w + i2 * nOut, p3 = w + i3 * nOut;
    const p4 = w + i4 * nOut, p5 = w + i5 * nOut, p6 = w + i6 * nOut, p7 = w + i7 * nOut;
    for (let o = 0; o < nOut; o++) {
      y[yAt + o] += a0 * W[p0 + o] + a1 * W[p1 + o] + a2 * W[p2 + o] + a3 * W[p3 + o]
        + (a4 * W[p4 + o] + a5 * W[p5 + o] + a6 * W[p6 + o] + a7 * W[p7 + o]);
    }
  }
  for (; k < n; k++) {
    const a = h[hAt + rows[k]];
    const p = w + rows[k] * nOut;
    for (let o = 0; o < nOut; o++) y[yAt + o] += a * W[p + o];
  }
}

const FEW = 8;

/**
 * Transposed convolution on channels-last pictures, gathered by output pixel: output (oy, ox) receives tap (ky, kx)
 * of input (iy, ix) where oy = iy * stride - padding + ky. W is [ky, kx, ci, co] (few outputs: [ky, kx, co, ci]).
 * @param {Float64Array} h
 * @param {Op} step
 * @param {Float32Array} W
 * @param {Float32Array | null} bias
 * @param {number} biasAt
 * @param {Float64Array} y
 */
function convTranspose(h, step, W, bias, biasAt, y) {
  const { cIn, cOut, k, stride, padding, hIn, wIn, hOut, wOut } = step;
  for (let oy = 0; oy < hOut; oy++) {
    for (let ox = 0; ox < wOut; ox++) {
      const yAt = (oy * wOut + ox) * cOut;
      for (let c = 0; c < cOut; c++) y[yAt + c] = bias ? bias[biasAt + c] : 0;
      for (let ky = (oy + padding) % stride; ky < k; ky += stride) {
        const iy = (oy + padding - ky) / stride;
        if (iy < 0 || iy >= hIn) continue;
        for (let kx = (ox + padding) % stride; kx < k; kx += stride) {
          const ix = (ox + padding - kx) / stride;
          if (ix < 0 || ix >= wIn) continue;
          const hAt = (iy * wIn + ix) * cIn;
          const w = (ky * k + kx) * cIn * cOut;
          if (cOut >= FEW) addMatvec(h, hAt, W, w, cIn, cOut, y, yAt);
          else {
            for (let c = 0, p = w; c < cOut; c++) {
              let s0 = 0,
                s1 = 0,
                i = 0;
              for (; i + 1 < cIn; i += 2, p += 2) {
                s0 += h[hAt + i] * W[p];
                s1 += h[hAt + i + 1] * W[p + 1];
              }
              if (i < cIn) s0 += h[hAt + i] * W[p++];
              y[yAt + c] += s0 + s1;
            }
          }
        }
      }
    }
  }
}

/**
 * From torch's [c_in, c_out, k, k] of one member to the order that convTranspose reads.
 * @param {Float32Array} W
 * @param {number} from
 * @param {Op} step
 */
function packKernel(W, from, { cIn, cOut, k }) {
  const packed = new Float32Array(cIn * cOut * k * k);
  for (let ci = 0, p = from; ci < cIn; ci++)
    for (let co = 0; co < cOut; co++)
      for (let t = 0; t < k * k; t++, p++) packed[t * cIn * cOut + (cOut >= FEW ? ci * cOut + co : co * cIn + ci)] = W[p];
  return packed;
}

// --- the plan

/**
 * Check a plan against its tensors once, so that decoding needs no checks: a list of steps with all sizes filled in.
 * Throws a sentence for the page where an op is unknown, a tensor is missing or a shape does not fit.
 * @param {Plan} plan
 * @param {Tensors} tensors
 * @returns {Model}
 */
export function buildModel(plan, tensors) {
  const p = plan.members;
  /** @type {Op[]} */
  const steps = [];
  let size = plan.d_z; // numbers in h
  /** @type {{ c: number, h: number, w: number } | null} Between reshape and flatten_channels_last; h is channels last. */
  let picture = null;
  let widest = size;

  /** @param {Op} op @param {string} field @param {number[]} shape @param {boolean} shared */
  const tensor = (op, field, shape, shared) => {
    const name = op[field];
    const found = tensors.get(name);
    if (!found) throw new Error(`This decoder's step "${op.op}" needs a tensor "${name}" that was not sent.`);
    const want = shared ? shape : [p, ...shape];
    if (want.length !== found.shape.length || want.some((n, i) => n !== found.shape[i])) {
      throw new Error(`Tensor "${name}" has shape [${found.shape}]; the step "${op.op}" needs [${want}].`);
    }
    return found.data;
  };
  const outputs = (/** @type {Op} */ op) => {
    const found = tensors.get(op.weight);
    if (!found) throw new Error(`This decoder's step "${op.op}" needs a tensor "${op.weight}" that was not sent.`);
    return found.shape[found.shape.length - 1];
  };
  const flat = (/** @type {Op} */ op) => {
    if (picture) throw new Error(`The step "${op.op}" needs a flat vector; the plan has no flatten_channels_last before it.`);
  };

  for (const op of plan.ops) {
    if (op.op === "linear") {
      flat(op);
      const nOut = outputs(op);
      const shared = op.shared === true;
      steps.push({
        op: "linear",
        nIn: size,
        nOut,
        shared,
        weight: tensor(op, "weight", [size, nOut], shared),
        bias: op.bias ? tensor(op, "bias", [nOut], shared) : null,
      });
      size = nOut;
    } else if (op.op === "act") {
      if (!Object.hasOwn(ACTIVATIONS, op.name)) throw new Error(`This page does not know the activation "${op.name}".`);
      steps.push({ op: "act", act: ACTIVATIONS[op.name], size });
    } else if (op.op === "skip") {
      flat(op);
      steps.push({
        op: "skip",
        nIn: plan.d_z,
        nOut: size,
        weight: tensor(op, "weight", [plan.d_z, size], op.shared === true),
        shared: op.shared === true,
      });
    } else if (op.op === "start") {
      if (size !== plan.d_z) throw new Error(`The step "start" came with ${size} numbers; the plan says ${plan.d_z} latents.`);
      steps.push({ op: "start" });
    } else if (op.op === "reshape") {
      flat(op);
      const [c, h, w] = op.shape;
      if (c * h * w !== size) throw new Error(`The step "reshape" wants ${c * h * w} numbers; ${size} came.`);
      picture = { c, h, w };
      steps.push({ op: "reshape", ...picture });
    } else if (op.op === "conv_transpose") {
      if (!picture) throw new Error('The step "conv_transpose" needs a "reshape" before it.');
      const shape = tensors.get(op.weight)?.shape ?? [];
      const [cOut, k] = [shape[2], shape[3]];
      const weight = tensor(op, "weight", [picture.c, cOut, k, k], false);
      /** @type {number} */
      const hOut = (picture.h - 1) * op.stride - 2 * op.padding + k;
      /** @type {number} */
      const wOut = (picture.w - 1) * op.stride - 2 * op.padding + k;
      steps.push({
        op: "conv_transpose",
        cIn: picture.c,
        cOut,
        k,
        stride: op.stride,
        padding: op.padding,
        hIn: picture.h,
        wIn: picture.w,
        hOut,
        wOut,
        size: hOut * wOut * cOut,
        weight,
        bias: op.bias ? tensor(op, "bias", [cOut], false) : null,
        packed: new Map(),
      });
      picture = { c: cOut, h: hOut, w: wOut };
      size = hOut * wOut * cOut;
    } else if (op.op === "flatten_channels_last") {
      if (!picture) throw new Error('The step "flatten_channels_last" needs a "reshape" before it.');
      picture = null; // h already is channels last
    } else if (op.op === "bias") {
      flat(op);
      steps.push({
        op: "bias",
        size,
        bias: tensor(op, "bias", [size], op.shared === true),
        shared: op.shared === true,
      });
    } else if (op.op === "affine") {
      flat(op);
      const shared = op.shared !== false;
      steps.push({
        op: "affine",
        size,
        scale: tensor(op, "scale", [size], shared),
        shift: tensor(op, "shift", [size], shared),
        shared,
      });
    } else if (op.op === "sigmoid" || op.op === "exp") {
      steps.push({ op: op.op, size });
    } else {
      throw new Error(`This page does not know the decoder step "${op.op}".`);
    }
    widest = Math.max(widest, size);
  }
  flat({ op: "end of the decoder" });
  if (size !== plan.d_x) throw new Error(`This decoder ends with ${size} numbers; the plan says d_x = ${plan.d_x}.`);
  // float64 scratch: V8 then need not round after each sum, and the error against float64 is that of the weights
  return {
    id: plan.id,
    plan,
    steps,
    a: new Float64Array(widest),
    b: new Float64Array(widest),
    z0: new Float64Array(plan.d_z),
  };
}

/**
 * A model from safetensors bytes whose metadata holds the plan as JSON under "plan".
 * @param {Uint8Array} bytes
 */
export function loadModel(bytes) {
  const { metadata, tensors } = parseSafetensors(bytes);
  if (!metadata.plan) throw new Error('These bytes hold no "plan" in their metadata; they are not a decoder made by pack().');
  return buildModel(JSON.parse(metadata.plan), tensors);
}

/**
 * E[x|z] of member m into out (d_x numbers, reused by the caller).
 * @template {Writable} Out
 * @param {Model} model
 * @param {number} m
 * @param {Vector} z
 * @param {Out} out
 */
export function decodeInto(model, m, z, out) {
  let { a: h, b: y } = model;
  const z0 = model.z0;
  for (let i = 0; i < model.plan.d_z; i++) z0[i] = h[i] = z[i];
  for (const s of model.steps) {
    switch (s.op) {
      case "linear": {
        const at = s.shared ? 0 : m;
        for (let o = 0, p = at * s.nOut; o < s.nOut; o++) y[o] = s.bias ? s.bias[p + o] : 0;
        addMatvec(h, 0, s.weight, at * s.nIn * s.nOut, s.nIn, s.nOut, y, 0);
        [h, y] = [y, h];
        break;
      }
      case "act":
        s.act(h, s.size);
        break;
      case "skip":
        addMatvec(z0, 0, s.weight, s.shared ? 0 : m * s.nIn * s.nOut, s.nIn, s.nOut, h, 0);
        break;
      case "start":
        for (let i = 0; i < z0.length; i++) z0[i] = h[i];
        break;
      case "reshape":
        for (let c = 0, p = 0; c < s.c; c++) for (let i = 0; i < s.h * s.w; i++, p++) y[i * s.c + c] = h[p];
        [h, y] = [y, h];
        break;
      case "conv_transpose": {
        if (!s.packed.has(m)) s.packed.set(m, packKernel(s.weight, m * s.cIn * s.cOut * s.k * s.k, s));
        convTranspose(h, s, s.packed.get(m), s.bias, m * s.cOut, y);
        [h, y] = [y, h];
        break;
      }
      case "bias":
        for (let i = 0, p = s.shared ? 0 : m * s.size; i < s.size; i++) h[i] += s.bias[p + i];
        break;
      case "affine":
        for (let i = 0, p = s.shared ? 0 : m * s.size; i < s.size; i++) h[i] = h[i] * s.scale[p + i] + s.shift[p + i];
        break;
      case "sigmoid":
        for (let i = 0; i < s.size; i++) h[i] = 1 / (1 + Math.exp(-h[i]));
        break;
      case "exp":
        for (let i = 0; i < s.size; i++) h[i] = Math.exp(h[i]);
        break;
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = h[i];
  return out;
}

/**
 * E[x|z] of member m, d_x numbers in the model's units.
 * @param {Model} model
 * @param {number} m
 * @param {Vector} z
 */
export function decodeMember(model, m, z) {
  const { members, d_z, d_x } = model.plan;
  if (!Number.isInteger(m) || m < 0 || m >= members)
    throw new Error(`Member ${m} was asked for; this decoder holds members 0 to ${members - 1}.`);
  if (z.length !== d_z) throw new Error(`${z.length} latents came; this decoder takes ${d_z}.`);
  return decodeInto(model, m, z, new Float32Array(d_x));
}
