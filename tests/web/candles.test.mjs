// Candles of one token: their order, and the one a price belongs to.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Candles } from "../../fastws/web/candles.js";

test("history is sorted, and a later candle of the same time replaces the earlier", () => {
  const candles = new Candles("1m");
  candles.replace([[120, 2, 3, 1, 2, 5], [60, "1.5", 2, 1, 2, 5], [120, 2, 4, 1, 3, 6]]);
  assert.deepEqual(candles.list.map(({ time, open, high }) => [time, open, high]), [[60, 1.5, 2], [120, 2, 4]]);
  assert.equal(candles.put([60, 1, 1, 1, 1, 1]), null, "too late to be drawn");
  assert.equal(candles.put([120, 2, 9, 1, 9, 7]).high, 9);
  assert.equal(candles.list.length, 2);
});

test("a price goes into the candle of its moment, or begins the next at the last close", () => {
  const candles = new Candles("1m");
  assert.deepEqual(candles.price(10, 61), { time: 60, open: 10, high: 10, low: 10, close: 10, volume: 0 });
  assert.deepEqual(candles.price(8, 119), { time: 60, open: 10, high: 10, low: 8, close: 8, volume: 0 });
  assert.deepEqual(candles.price(9, 120), { time: 120, open: 8, high: 9, low: 8, close: 9, volume: 0 });
  assert.equal(candles.price(9, 59), null);
  assert.equal(candles.price(undefined, 121), null);
});
