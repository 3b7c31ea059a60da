// Blocks of a binary message, those within zstd blocks included. Owns what may be unpacked and how
// much: 4 MiB of a block, whatever it says about itself. The layout is in docs/wire.md.

import { BadFrame, blocks, TABLE } from "./frames.js";
import { decompress } from "./vendor/fzstd.js";

export const ZSTD = 2;
export const MOST = 4 * 2 ** 20; // bytes of one block, unpacked

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const LONGEST_WINDOW = 23; // log2 of bytes

/** The table frames of a message: `{ channel, body: Reader }`. */
export function frames(message) {
  const found = [];
  const bytes = message instanceof Uint8Array ? message : new Uint8Array(message);
  for (const block of wholeBlocks(bytes)) {
    if (block.type === TABLE) found.push(block);
    else if (block.type === ZSTD) {
      const { bytes: all, at, end } = block.body;
      for (const inner of wholeBlocks(unpack(all.subarray(at, end)))) {
        if (inner.type === TABLE) found.push(inner); // no zstd within zstd
      }
    }
  }
  return found;
}

/** What a zstd frame holds. It must say how long that is, so that the room is known before; what it lacks is zeros, which are no blocks. */
export function unpack(packed) {
  const size = sizeOf(packed);
  let whole;
  try {
    whole = decompress(packed, new Uint8Array(size));
  } catch (error) {
    throw new BadFrame(`a zstd frame that cannot be read: ${error.message}`);
  }
  if (whole.length !== size) throw new BadFrame("a zstd frame of another length than it says");
  return whole;
}

function sizeOf(packed) {
  if (packed.length < 6 || MAGIC.some((byte, at) => packed[at] !== byte)) throw new BadFrame("not a zstd frame");
  const flags = packed[4];
  if (flags & 3) throw new BadFrame("a zstd frame with a dictionary");
  const single = (flags & 0x20) !== 0;
  if (!single && 10 + (packed[5] >> 3) > LONGEST_WINDOW) throw new BadFrame("a zstd frame of too wide a window");
  const wide = flags >> 6 === 0 ? Number(single) : 1 << (flags >> 6);
  if (wide === 0) throw new BadFrame("a zstd frame that does not say its length");
  let size = wide === 2 ? 256 : 0;
  for (let index = 0, at = single ? 5 : 6; index < wide; index++) size += packed[at + index] * 256 ** index;
  if (!(size <= MOST)) throw new BadFrame("a zstd frame of more than 4 MiB");
  return size;
}

// A zstd block has no channel: only table blocks are read further than their type.
function* wholeBlocks(bytes) {
  let at = 0;
  while (at < bytes.length) {
    let size = 0;
    let scale = 1;
    const from = at;
    do {
      if (at >= bytes.length || scale > 2 ** 28) throw new BadFrame("the message ends too early");
      size += (bytes[at] & 0x7f) * scale;
      scale *= 128;
    } while (bytes[at++] >= 0x80);
    if (size === 0 || at + size > bytes.length) throw new BadFrame("the message ends too early");
    if (bytes[at] === ZSTD) yield { type: ZSTD, body: { bytes, at: at + 1, end: at + size } };
    else yield blocks(bytes.subarray(from, at + size))[0];
    at += size;
  }
}
