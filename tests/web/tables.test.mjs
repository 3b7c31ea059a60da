// Table frames in JavaScript: the vectors that the Python decoder runs, too, and what typed arrays add.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BadFrame, OutOfStep, TableCopy, blocks, cellHash } from "../../fastws/web/tables.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/tables.json", import.meta.url), "utf8"));
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));

function take(copy, step) {
  if (step.json) return copy.applyJson(step.json);
  const [{ type, channel, body }] = blocks(bytes(step.binary));
  assert.deepEqual([type, channel], [1, 300]);
  return copy.apply(body);
}

function rowsOf(copy) {
  const rows = {};
  for (const [id, key] of copy.keys) rows[key] = [id, ...copy.every.map((column) => copy.cell(id, column))];
  return rows;
}

for (const { name, told, steps } of vectors.cases) {
  test(`what is held after each frame: ${name}`, () => {
    const copy = new TableCopy(told);
    assert.ok(steps.length > 5);
    for (const step of steps) {
      take(copy, step);
      const { rows, ...state } = step.held;
      const { tick, epoch, partial, skipped } = copy;
      assert.deepEqual({ tick, epoch, partial, skipped, checksum: copy.checksum() }, state, step.what);
      if (rows) assert.deepEqual(rowsOf(copy), rows, step.what);
      assert.equal(copy.size, copy.ids.size);
    }
  });
}

test("a frame that is broken or does not follow is told, and only a snapshot helps then", () => {
  const { told, steps } = vectors.cases[0];
  for (const { what, binary, error } of vectors.broken) {
    const copy = new TableCopy(told);
    take(copy, steps[0]);
    copy.applyJson({ tick: 2, base: 1, rows: [], removed: [1] });
    assert.throws(() => copy.apply(bytes(binary)), { BadFrame, OutOfStep }[error], what);
    assert.ok(copy.lost);
    assert.deepEqual([...copy.apply(bytes("000100"))], [], "dropped until there is a snapshot");
    take(copy, steps[0]);
    assert.ok(!copy.lost);
    assert.deepEqual(rowsOf(copy), steps[0].held.rows);
  }
});

test("blocks of a message are separate, and a message that ends too early is none", () => {
  const one = vectors.cases[0].steps[0].binary;
  assert.equal(blocks(bytes(one + one)).length, 2);
  assert.throws(() => blocks(bytes(one.slice(0, -2))), BadFrame);
});

test("cells hash as they do on the server", () => {
  for (const [row, column, number, exponent, hash] of vectors.hashes) {
    assert.equal(cellHash(row, column, number | 0, Math.floor(number / 2 ** 32), exponent), hash);
  }
});

test("values read as numbers, by number or by name of a column", () => {
  const { told, steps } = vectors.cases[0];
  const copy = new TableCopy(told);
  assert.deepEqual([...take(copy, steps[0])], [0, 1]);
  const row = copy.ids.get("SOL");
  assert.equal(copy.value(row, "price"), 171.2);
  assert.equal(copy.value(row, 0), 171.2);
  assert.equal(copy.value(row, "label"), "Solana");
  assert.equal(copy.value(row, "ratio"), 0.5);
  assert.equal(copy.value(row, "nothing"), undefined);
  assert.equal(copy.value(99, "price"), undefined);
  copy.forget(["SOL", "nobody"]);
  assert.deepEqual([copy.size, copy.value(row, "price")], [1, undefined]);
});

test("JSON that is no frame of this table is BadFrame", () => {
  const frames = [null, {}, { tick: 2, base: 1 }, { tick: 2, base: 1, rows: [[0, 32, 1]] }, { tick: 2, base: 1, rows: [[-1, 2, 1]] }, { tick: 2, base: 1, rows: [[0, 2]] }];
  for (const frame of frames) {
    const copy = new TableCopy(vectors.cases[0].told);
    take(copy, vectors.cases[0].steps[0]);
    assert.throws(() => copy.applyJson(frame), BadFrame, JSON.stringify(frame));
  }
});

test("bytes at random never do more than throw", () => {
  const { told, steps } = vectors.cases[0];
  let state = 7;
  const random = (below) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
  for (let round = 0; round < 3000; round++) {
    const copy = new TableCopy(told);
    take(copy, steps[0]);
    const [{ body }] = blocks(bytes(steps[1 + (round % 8)].binary));
    const frame = body.bytes.slice(body.at, body.end);
    for (let flips = 0; flips <= round % 3; flips++) frame[random(frame.length)] = random(256);
    try {
      copy.apply(frame);
    } catch (error) {
      assert.ok(error instanceof BadFrame || error instanceof OutOfStep, String(error));
    }
  }
});
