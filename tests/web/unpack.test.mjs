// zstd blocks: what the server packs is read, and nothing packed is unpacked beyond 4 MiB.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BadFrame } from "../../fastws/web/frames.js";
import { TableCopy } from "../../fastws/web/tables.js";
import { frames, unpack } from "../../fastws/web/unpack.js";

const { cases } = JSON.parse(readFileSync(new URL("../vectors/tables.json", import.meta.url), "utf8"));
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));

/** A zstd frame of one raw block (RFC 8878): the magic, one segment, its size, the bytes as they are. */
function packed(content, said = content.length) {
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, ...word(said, 4), ...word((content.length << 3) | 1, 3)];
  return Uint8Array.from([...head, ...content]);
}
const word = (value, size) => Array.from({ length: size }, (_, at) => Math.floor(value / 256 ** at) & 255);

function block(type, body) {
  const size = body.length + 1;
  return Uint8Array.from([...(size < 128 ? [size] : [(size & 127) | 128, size >> 7]), type, ...body]);
}

test("frames in a zstd block are those they would be outside, whatever is beside it", () => {
  const { told, steps } = cases[0];
  const [first, second] = steps.map((step) => bytes(step.binary));
  const message = [...block(2, packed(first)), ...block(99, [1, 2, 3]), ...second];
  const found = frames(Uint8Array.from(message).buffer);
  const copy = new TableCopy(told);
  for (const { channel, body } of found) {
    assert.equal(channel, 300);
    copy.apply(body);
  }
  assert.deepEqual([found.length, copy.checksum()], [2, steps[1].held.checksum]);
});

test("several frames in one zstd block keep their order", () => {
  const all = cases[0].steps.slice(0, 3).flatMap((step) => [...bytes(step.binary)]);
  const copy = new TableCopy(cases[0].told);
  for (const { body } of frames(block(2, packed(all)))) copy.apply(body);
  assert.equal(copy.checksum(), cases[0].steps[2].held.checksum);
});

test("a compressed frame of a real compressor is unpacked", () => {
  // `abcabc…`, 600 bytes, packed by zstd 1.5 at level 3
  const whole = unpack(bytes("28b52ffd60580155000018616263010052acdc10"));
  assert.equal(new TextDecoder().decode(whole), "abc".repeat(200));
});

test("what says that it is large, of no size, wide or another's dictionary is not unpacked", () => {
  const good = packed([1, 2, 3]);
  assert.deepEqual([...unpack(good)], [1, 2, 3]);
  const bad = [
    packed([1, 2, 3], 4 * 2 ** 20 + 1),
    packed([1, 2, 3], 2),
    good.with(0, 0),
    good.with(4, 0xa1), // a dictionary
    Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 1, 0, 0]), // no size
    Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x80, 0xff, 3, 0, 0, 0, 1, 0, 0]), // a window of 2 ** 41
    good.subarray(0, 8),
    new Uint8Array(0),
  ];
  for (const frame of bad) assert.throws(() => unpack(frame), BadFrame, String(frame));
});

test("a message that ends too early is none", () => {
  for (const hex of ["05", "ff", "00", "ffffffffffff01", "0301ac"]) assert.throws(() => frames(bytes(hex)), BadFrame, hex);
});
