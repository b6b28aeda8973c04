// Random numbers by name: a key that says what they are for fixes them, on every device.

import { log } from "./arithmetic.js";

/** @param {number} x @param {number} k */
const turned = (x, k) => (x << k) | (x >>> (32 - k));

const START = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667]; // digits of the golden ratio, pi, e and root 2
const FACTORS = [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1]; // odd, with as many ones as zeros

/**
 * Four words that depend on every character of a key.
 * @param {string} key
 */
function digest(key) {
  return Int32Array.from(START, (start, lane) => {
    let h = start ^ key.length;
    for (let i = 0; i < key.length; i++) {
      h = Math.imul(h ^ key.charCodeAt(i), FACTORS[lane]);
      h ^= h >>> 15;
    }
    h = Math.imul(h ^ (h >>> 13), 0x5bd1e995);
    return h ^ (h >>> 16);
  });
}

/** A stream of random numbers: xoshiro128** (Blackman & Vigna 2018), whose period is 2^128 - 1. */
export class Stream {
  /** @param {ArrayLike<number>} state four words, not all 0 */
  constructor(state) {
    this.state = Int32Array.from(state);
    this.spare = Number.NaN;
  }

  /** 32 random bits, from 0 to 2^32 - 1. */
  bits() {
    const s = this.state;
    const result = Math.imul(turned(Math.imul(s[1], 5), 7), 9);
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = turned(s[3], 11);
    return result >>> 0;
  }

  /** Uniform on (0, 1), never an end of it. */
  uniform() {
    return (this.bits() + 0.5) / 2 ** 32;
  }

  /** N(0, 1), by Marsaglia's polar method: two at a time. */
  normal() {
    if (!Number.isNaN(this.spare)) {
      const value = this.spare;
      this.spare = Number.NaN;
      return value;
    }
    for (;;) {
      const a = 2 * this.uniform() - 1;
      const b = 2 * this.uniform() - 1;
      const s = a * a + b * b;
      if (s < 1 && s > 0) {
        const scale = Math.sqrt((-2 * log(s)) / s);
        this.spare = b * scale;
        return a * scale;
      }
    }
  }

  /**
   * Shuffle whole numbers in place.
   * @param {Int32Array} values
   */
  shuffle(values) {
    for (let i = values.length - 1; i > 0; i--) {
      const j = Math.floor(this.uniform() * (i + 1));
      const kept = values[i];
      values[i] = values[j];
      values[j] = kept;
    }
    return values;
  }
}

/**
 * The stream of a key, such as (seed, "noise", step).
 * @param {...(number | string)} key
 */
export const stream = (...key) => new Stream(digest(JSON.stringify(key)));
