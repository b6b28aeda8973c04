// How many units are sorted, and which of them are shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as R from "../../dvae_core/live/rates.js";

/** table[place * units + unit] from one list of rates a unit. */
function tableOf(units) {
  return Float32Array.from({ length: units.length * units[0].length }, (_, k) => units[k % units.length][Math.floor(k / units.length)]);
}

const UNITS = [
  [0, 1, 5], // highest at the end
  [4, 1, 0], // at the beginning
  [1, 9, 1], // in the middle
  [2, 2, 2], // nowhere
  [4, 3, 0], // at the beginning, and longer
];

test("units are sorted by where their rate is highest, then by where its middle is", () => {
  assert.deepEqual([...R.preferenceOrder(tableOf(UNITS), 3, 5)], [1, 4, 3, 2, 0]);
});

test("of each part of the order the unit that changes most is shown", () => {
  const table = tableOf(UNITS);
  const order = R.preferenceOrder(table, 3, 5);
  assert.deepEqual(R.mostChanging(table, 3, 5, order, 2), [1, 2]);
  assert.equal(new Set(R.mostChanging(table, 3, 5, order, 9)).size, 5);
});
