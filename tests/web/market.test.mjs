// What the page knows of the market, and how it spells figures.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../fastws/web/format.js";
import { COLUMNS, Market, Rate, sparkline, visible } from "../../fastws/web/market.js";

const token = (address, fields = {}) => ({ address, symbol: address.toUpperCase(), name: `Name of ${address}`, price: 1, ...fields });

function marketOf(...tokens) {
  const market = new Market();
  market.replace(tokens, 0);
  return market;
}
const addresses = (list) => list.map((one) => one.address).join(" ");

test("prices keep five digits, and count the zeros of tiny ones", () => {
  const spelled = {
    64321.5: "$64,321.50", 1234: "$1,234.00", 187.3: "$187.30", 1: "$1.0000", 0.5: "$0.50000", 0.001: "$0.0010000",
    0.0001234: "$0.0₃12340", 0.00000123456: "$0.0₅12346", 1e-12: "$0.0₁₁10000", 0: "$0.0000",
  };
  for (const [value, text] of Object.entries(spelled)) assert.equal(format.price(Number(value)), text);
  assert.equal(format.wholePrice(0.00000123456), "$0.00000123456");
  assert.equal(format.wholePrice(64321.5), "$64,321.5");
});

test("a figure that is not there is a dash, not NaN", () => {
  for (const spell of [format.price, format.money, format.percent, format.count]) {
    for (const nothing of [undefined, null, NaN, Infinity, "1"]) assert.equal(spell(nothing), "–");
  }
});

test("a change has its sign, unless it rounds to nothing", () => {
  assert.deepEqual([1.234, -1.234, 0, -0.001, 0.004].map(format.percent), ["+1.23 %", "−1.23 %", "0.00 %", "0.00 %", "0.00 %"]);
});

test("amounts, rates and times are short", () => {
  assert.deepEqual([1234567, 999, 0].map(format.money), ["$1.23M", "$999", "$0"]);
  assert.deepEqual([999, 1234, 2345678].map(format.rate), ["999 B/s", "1.2 KB/s", "2.3 MB/s"]);
  assert.deepEqual([0.81, 12.4].map(format.milliseconds), ["0.8 ms", "12 ms"]);
  assert.equal(format.short("7xKXabcdefghijk9mPq"), "7xKX…9mPq");
  assert.equal(format.short("short"), "short");
});

test("a hue is a colour's, and the same each time", () => {
  for (const text of ["", "a", "So11111111111111111111111111111111111111112", "🐸"]) {
    assert.ok(format.hue(text) >= 0 && format.hue(text) < 360);
    assert.equal(format.hue(text), format.hue(text));
  }
});

test("a list replaces what was there, and what is not in it is gone with its trail", () => {
  const market = marketOf(token("a"), token("b"));
  market.replace([token("b", { price: 2 }), token("c")], 10_000);
  assert.equal(market.size, 2);
  assert.equal(market.get("a"), undefined);
  assert.deepEqual(market.trail("a"), []);
  assert.deepEqual(market.trail("b"), [1, 2]);
});

test("a trail has a point for each step, the newest in place, and an end", () => {
  const market = marketOf(token("a"));
  market.put(token("a", { price: 2 }), 500);
  assert.deepEqual(market.trail("a"), [2]);
  market.put(token("a", { price: 3 }), 2000);
  assert.deepEqual(market.trail("a"), [2, 3]);
  for (let step = 2; step < 200; step += 1) market.put(token("a", { price: step }), step * 2000);
  assert.equal(market.trail("a").length, 60);
  assert.equal(market.trail("a").at(-1), 199);
});

test("every word is looked for in symbol, name and address, in any case", () => {
  const market = marketOf(token("abc", { name: "Wrapped Dog" }), token("xyz", { name: "Dog" }));
  assert.equal(addresses(market.select("DOG", "symbol", false)), "abc xyz");
  assert.equal(addresses(market.select("  wrapped  dog ", "symbol", false)), "abc");
  assert.equal(addresses(market.select("xY", "symbol", false)), "xyz");
  assert.equal(addresses(market.select("dog cat", "symbol", false)), "");
});

test("an order is by the column, the unknown last either way, ties by address", () => {
  const market = marketOf(
    token("c", { volume_24h: 5 }), token("a", { volume_24h: 5 }), token("b", { volume_24h: 9 }), token("d"),
  );
  assert.equal(addresses(market.select("", "volume", true)), "b a c d");
  assert.equal(addresses(market.select("", "volume", false)), "a c b d");
  assert.equal(addresses(market.select("", "symbol", false)), "a b c d");
});

test("each column reads a field that tokens have", () => {
  const full = token("a", { change_24h: 1, volume_24h: 2, liquidity: 3, market_cap: 4 });
  for (const { of } of Object.values(COLUMNS)) assert.notEqual(of(full), undefined);
});

test("breadth counts those that moved", () => {
  const market = marketOf(token("a", { change_24h: 1 }), token("b", { change_24h: -1 }), token("c", { change_24h: 0 }), token("d"));
  assert.deepEqual(market.breadth(), { rising: 1, falling: 1 });
});

test("a sparkline fills its box, and a price that stood still is a line through its middle", () => {
  assert.equal(sparkline([], 10, 4), "");
  assert.equal(sparkline([7], 10, 4), "0.0,2.0 10.0,2.0");
  assert.equal(sparkline([1, 3, 2], 10, 4), "0.0,4.0 5.0,0.0 10.0,2.0");
});

test("rows in view never leave the list", () => {
  assert.deepEqual(visible(2000, 50, 0, 500, 0), { first: 0, end: 10 });
  assert.deepEqual(visible(2000, 50, 1025, 500, 2), { first: 18, end: 33 });
  assert.deepEqual(visible(5, 50, 0, 500), { first: 0, end: 5 });
  assert.deepEqual(visible(5, 50, 100_000, 500), { first: 5, end: 5 });
  assert.deepEqual(visible(0, 50, 0, 500), { first: 0, end: 0 });
});

test("a rate forgets what is older than its window", () => {
  const rate = new Rate(5000);
  rate.add(10, 0);
  rate.add(5, 4000);
  assert.equal(rate.per(4999), 3);
  assert.equal(rate.per(5000), 1);
  assert.equal(rate.per(9000), 0);
});
