// The nets inside the encoder and the decoder: two hidden layers of tanh(a) + 0.1 a and a linear path beside them.
//
// A member's parameters are one row of numbers; a net knows where its own begin. Values are computed for a chunk of
// rows at a time. With tangents, the Jacobian of the output is carried along and is differentiated too.

import { addProduct, addRows, exp, fillRows } from "./arithmetic.js";

const LEAK = 0.1;

/**
 * @typedef {object} Net where the parameters of a net begin in a member's row of parameters
 * @property {number} inputs
 * @property {number} hidden
 * @property {number} outputs
 * @property {number} direct width of the linear path: it reaches the first outputs
 * @property {number[]} weights three matrices, [inputs, outputs] each
 * @property {number[]} biases
 * @property {number} skip
 */

/** One pass of a net, forward and back, over at most `most` rows. Its arrays are made once. */
export class Pass {
  /**
   * @param {Net} net
   * @param {number} most
   * @param {boolean} tangents whether the Jacobian is computed
   */
  constructor(net, most, tangents) {
    const { inputs, hidden, outputs } = net;
    // with tangents, the first `rows` rows are values and the others, `inputs` for each of them, derivatives
    const all = most * (tangents ? 1 + inputs : 1);
    const wide = () => new Float64Array(all * hidden);
    this.net = net;
    this.tangents = tangents;
    this.used = outputs; // columns of the output that are computed
    this.x = new Float64Array(most * inputs);
    this.first = wide();
    this.bent = [new Float64Array(most * hidden), new Float64Array(most * hidden)]; // tanh of both hidden layers
    this.middle = wide(); // derivatives before the second layer's slope
    this.second = wide();
    /** Values [rows, outputs], then the Jacobian [rows, inputs, outputs]. */
    this.out = new Float64Array(all * outputs);
    /** The loss's gradient in `out`. */
    this.grad = new Float64Array(all * outputs);
    this.gradX = new Float64Array(most * inputs);
    this.through = wide();
    this.into = wide();
  }

  /**
   * Compute the output, and the Jacobian, at the first `rows` rows of `x`.
   * @param {Float64Array} W a member's parameters
   * @param {number} rows
   */
  forward(W, rows) {
    const { net, x, first, second, out, used } = this;
    const { inputs, hidden, outputs, weights, biases } = net;
    const all = this.tangents ? rows * (1 + inputs) : rows;
    const [t1, t2] = this.bent;
    fillRows(first, hidden, W, biases[0], rows, hidden);
    addProduct(first, 0, hidden, x, 0, inputs, 1, W, weights[0], hidden, 1, rows, inputs, hidden);
    bend(first, t1, rows * hidden);
    if (this.tangents) {
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < inputs; i++) {
          const to = (rows + r * inputs + i) * hidden;
          for (let k = 0; k < hidden; k++) {
            const t = t1[r * hidden + k];
            first[to + k] = W[weights[0] + i * hidden + k] * (1 + LEAK - t * t);
          }
        }
      }
    }
    fillRows(second, hidden, W, biases[1], rows, hidden);
    second.fill(0, rows * hidden, all * hidden);
    addProduct(second, 0, hidden, first, 0, hidden, 1, W, weights[1], hidden, 1, all, hidden, hidden);
    bend(second, t2, rows * hidden);
    if (this.tangents) {
      const middle = this.middle;
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < inputs; i++) {
          const to = (rows + r * inputs + i) * hidden;
          for (let k = 0; k < hidden; k++) {
            const t = t2[r * hidden + k];
            middle[to + k] = second[to + k];
            second[to + k] *= 1 + LEAK - t * t;
          }
        }
      }
    }
    fillRows(out, outputs, W, biases[2], rows, used);
    for (let r = rows; r < all; r++) {
      const path = net.skip + ((r - rows) % inputs) * net.direct;
      for (let k = 0; k < used; k++) out[r * outputs + k] = k < net.direct ? W[path + k] : 0;
    }
    addProduct(out, 0, outputs, second, 0, hidden, 1, W, weights[2], outputs, 1, all, hidden, used);
    addProduct(out, 0, outputs, x, 0, inputs, 1, W, net.skip, net.direct, 1, rows, inputs, net.direct);
  }

  /**
   * Add the gradient of every parameter to G, from the gradient of the output in `grad`; write the gradient in x.
   * @param {Float64Array} W
   * @param {Float64Array} G
   * @param {number} rows
   */
  backward(W, G, rows) {
    const { net, x, first, second, grad, through, into, gradX, used } = this;
    const { inputs, hidden, outputs, weights, biases, direct } = net;
    const all = this.tangents ? rows * (1 + inputs) : rows;
    const [t1, t2] = this.bent;

    addRows(G, biases[2], grad, outputs, rows, used);
    addProduct(G, weights[2], outputs, second, 0, 1, hidden, grad, 0, outputs, 1, hidden, all, used);
    addProduct(G, net.skip, direct, x, 0, 1, inputs, grad, 0, outputs, 1, inputs, rows, direct);
    for (let r = rows; r < all; r++) {
      const path = net.skip + ((r - rows) % inputs) * direct;
      for (let k = 0; k < direct; k++) G[path + k] += grad[r * outputs + k];
    }
    through.fill(0, 0, all * hidden);
    addProduct(through, 0, hidden, grad, 0, outputs, 1, W, weights[2], 1, outputs, all, used, hidden);
    this.bendBackward(t2, this.middle, rows);

    addRows(G, biases[1], through, hidden, rows, hidden);
    addProduct(G, weights[1], hidden, first, 0, 1, hidden, through, 0, hidden, 1, hidden, all, hidden);
    into.fill(0, 0, all * hidden);
    addProduct(into, 0, hidden, through, 0, hidden, 1, W, weights[1], 1, hidden, all, hidden, hidden);
    this.intoFirst(W, G, rows, t1);

    addRows(G, biases[0], into, hidden, rows, hidden);
    addProduct(G, weights[0], hidden, x, 0, 1, inputs, into, 0, hidden, 1, inputs, rows, hidden);
    gradX.fill(0, 0, rows * inputs);
    addProduct(gradX, 0, inputs, into, 0, hidden, 1, W, weights[0], 1, hidden, rows, hidden, inputs);
    addProduct(gradX, 0, inputs, grad, 0, outputs, 1, W, net.skip, 1, direct, rows, direct, inputs);
  }

  /**
   * Take `through`, the gradient in the second hidden layer, to the one before its activation. The slope 1.1 - t^2 has
   * the derivative -2 t (1 - t^2).
   * @param {Float64Array} t
   * @param {Float64Array} middle
   * @param {number} rows
   */
  bendBackward(t, middle, rows) {
    const { through } = this;
    const { inputs, hidden } = this.net;
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < hidden; k++) {
        const at = r * hidden + k;
        const flat = 1 - t[at] * t[at];
        let curved = 0;
        if (this.tangents) {
          for (let i = 0; i < inputs; i++) {
            const to = (rows + r * inputs + i) * hidden + k;
            curved += through[to] * middle[to];
            through[to] *= flat + LEAK;
          }
        }
        through[at] = through[at] * (flat + LEAK) - 2 * t[at] * flat * curved;
      }
    }
  }

  /**
   * Take `into`, the gradient in the first hidden layer, to the one before its activation, and add what the tangents
   * give to the first weights.
   * @param {Float64Array} W
   * @param {Float64Array} G
   * @param {number} rows
   * @param {Float64Array} t
   */
  intoFirst(W, G, rows, t) {
    const { into } = this;
    const { inputs, hidden, weights } = this.net;
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < hidden; k++) {
        const at = r * hidden + k;
        const flat = 1 - t[at] * t[at];
        let curved = 0;
        if (this.tangents) {
          for (let i = 0; i < inputs; i++) {
            const g = into[(rows + r * inputs + i) * hidden + k];
            const w = weights[0] + i * hidden + k;
            curved += g * W[w];
            G[w] += g * (flat + LEAK);
          }
        }
        into[at] = into[at] * (flat + LEAK) - 2 * t[at] * flat * curved;
      }
    }
  }
}

/**
 * Replace a by tanh(a) + 0.1 a, and keep tanh(a).
 * @param {Float64Array} values
 * @param {Float64Array} kept
 * @param {number} count
 */
function bend(values, kept, count) {
  for (let i = 0; i < count; i++) {
    const a = values[i];
    const t = 1 - 2 / (exp(2 * a) + 1);
    kept[i] = t;
    values[i] = t + LEAK * a;
  }
}
