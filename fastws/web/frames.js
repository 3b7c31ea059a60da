// Bytes of binary table frames: blocks of a message, numbers and texts within. Owns no rows; what a
// client holds is in tables.js. The layout is in docs/wire.md, "Table frames".

/** Bytes or JSON that are no frame of this table; ask for a snapshot (`resync`). */
export class BadFrame extends Error {}

export const TABLE = 1;
export const Flag = Object.freeze({ SNAPSHOT: 1, RELATIVE: 2, CHECKSUM: 4, REMOVED: 8, SKIPPED: 16, PARTIAL: 32 });
export const Code = Object.freeze({ MASKED: 3, ABSOLUTE: 4, FULL: 5 });
export const MAX_ROW = 2 ** 31 - 1;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HALVES = new DataView(new ArrayBuffer(4));

/** Reads one block from `at` to `end`. Numbers are exact to 2 ** 53. */
export class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte() {
    if (this.at >= this.end) throw new BadFrame("the frame ends too early");
    return this.bytes[this.at++];
  }

  /** The bytes from here, as a reader of their own. */
  take(size) {
    if (size > this.end - this.at) throw new BadFrame("the frame ends too early");
    this.at += size;
    return new Reader(this.bytes, this.at - size, this.at);
  }

  varint() {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (scale > 2 ** 63) throw new BadFrame("a number of more than nine bytes");
    } while (byte >= 0x80);
    return value;
  }

  /** A zig-zag varint. The half is added up, never the whole: that may lie above 2 ** 53. */
  signed() {
    let byte = this.byte();
    const odd = byte & 1;
    let half = (byte & 0x7f) >> 1;
    let scale = 64;
    while (byte >= 0x80) {
      byte = this.byte();
      half += (byte & 0x7f) * scale;
      scale *= 128;
      if (scale > 2 ** 63) throw new BadFrame("a number of more than nine bytes");
    }
    return odd ? -half - 1 : half;
  }

  exponent() {
    return (this.byte() << 24) >> 24;
  }

  float() {
    for (let at = 0; at < 4; at++) HALVES.setUint8(at, this.byte());
    return HALVES.getFloat32(0, true);
  }

  word() {
    for (let at = 0; at < 4; at++) HALVES.setUint8(at, this.byte());
    return HALVES.getUint32(0, true);
  }

  text() {
    const { bytes, at, end } = this.take(this.varint());
    try {
      return UTF8.decode(bytes.subarray(at, end));
    } catch {
      throw new BadFrame("a text that is not UTF-8");
    }
  }
}

/** A row number, which follows `last` after `gap` others. */
export function rowAfter(last, gap) {
  const row = last + 1 + gap;
  if (row > MAX_ROW) throw new BadFrame("a row number beyond 2 ** 31");
  return row;
}

/** The blocks of a binary message: `{ type, channel, body: Reader }`. */
export function blocks(message) {
  const reader = new Reader(message instanceof Uint8Array ? message : new Uint8Array(message));
  const found = [];
  while (reader.at < reader.end) {
    const body = reader.take(reader.varint());
    found.push({ type: body.byte(), channel: body.varint(), body });
  }
  return found;
}
