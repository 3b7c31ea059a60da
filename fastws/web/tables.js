// What a client holds of a table: frames come in, rows are there as typed arrays, a checksum proves
// them. Relative rows need exactly the tick the client is at, others a base that is not newer;
// whatever does not fit is OutOfStep: ask for `resync` of this channel, drop all before the snapshot.

import { cellHash, hashText } from "./checksum.js";
import { BadFrame, Code, Flag, MAX_ROW, Reader, rowAfter } from "./frames.js";

export { cellHash } from "./checksum.js";
export { BadFrame, blocks } from "./frames.js";

/** A frame that does not follow from what is held. */
export class OutOfStep extends Error {}

const KINDS = ["decimal", "int", "enum", "float", "text"];
const [DECIMAL, INT, ENUM, FLOAT, TEXT] = KINDS.keys();
const FLOATS = new Float32Array(1);
const WORDS = new Uint32Array(FLOATS.buffer);

export class TableCopy {
  /** `told`: the `columns` and `common` of the confirmation. */
  constructor(told, epoch = 0) {
    this.names = told.columns.map((column) => column.name);
    this.kinds = told.columns.map((column) => KINDS.indexOf(column.kind));
    this.common = (told.common ?? []).map((mask) => columnsOf(mask, this.names.length));
    this.width = this.names.length;
    this.plain = shortWays(this.common, this.kinds);
    this.longest = 2 + 3 * Math.max(...this.plain.map((columns) => columns.length)); // bytes of a row on the short way
    this.every = [...this.names.keys()];
    this.epoch = epoch;
    this.tick = 0;
    this.partial = false; // pages of a snapshot are missing
    this.lost = false; // everything but a snapshot is dropped
    this.skipped = 0;
    this.moved = new Int32Array(64); // ids the frame at hand changed, of which `count` are there
    this.count = 0;
    this.#clear();
  }

  #clear() {
    this.room = 0;
    this.numbers = new Float64Array(0); // id * width + column: mantissa, int, enum or float
    this.exponents = new Int8Array(0);
    this.present = new Uint8Array(0); // id → 1 if the row is there
    this.texts = [];
    this.keys = new Map(); // id → key
    this.ids = new Map(); // key → id
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────

  get size() {
    return this.keys.size;
  }

  /** A cell as one would show it: a number, or a text. Exact figures: `numbers` and `exponents`. */
  value(id, column) {
    if (typeof column === "string") column = this.names.indexOf(column);
    if (!this.keys.has(id) || !(column in this.kinds)) return undefined;
    const at = id * this.width + column;
    if (this.kinds[column] === TEXT) return this.texts[at];
    if (this.kinds[column] !== DECIMAL) return this.numbers[at];
    return Number(`${this.numbers[at]}e${this.exponents[at]}`);
  }

  /** A cell as it came: [mantissa, exponent], a number or a text. */
  cell(id, column) {
    const at = id * this.width + column;
    if (this.kinds[column] === TEXT) return this.texts[at];
    return this.kinds[column] === DECIMAL ? [this.numbers[at], this.exponents[at]] : this.numbers[at];
  }

  // ── frames ───────────────────────────────────────────────────────────────────────────────

  /**
   * Take a binary frame in (the `body` of a block of type 1). The ids that changed, removed ones
   * first, as an Int32Array that holds until the next frame.
   */
  apply(body) {
    return this.#taking(() => this.#read(body instanceof Uint8Array ? new Reader(body) : body));
  }

  /** Take a JSON frame in (an object of type "table"); the ids that changed. */
  applyJson(frame) {
    return this.#taking(() => this.#readJson(frame));
  }

  #taking(read) {
    this.count = 0;
    try {
      read();
      return this.moved.subarray(0, this.count);
    } catch (error) {
      this.lost = true;
      throw error;
    }
  }

  #read(reader) {
    const flags = reader.byte();
    const tick = reader.varint();
    const base = tick - reader.varint();
    if (base < 0 || flags & ~0x3f) throw new BadFrame("a base below zero, or flags nobody knows");
    const head = { tick, base, snapshot: (flags & Flag.SNAPSHOT) !== 0, relative: (flags & Flag.RELATIVE) !== 0 };
    if (head.snapshot) head.epoch = reader.varint();
    if (flags & Flag.SKIPPED) head.skipped = reader.varint();
    if (flags & Flag.CHECKSUM) head.checksum = reader.word();
    head.partial = (flags & Flag.PARTIAL) !== 0;
    if (!this.#begins(head)) return;
    if (flags & Flag.REMOVED) {
      for (let left = reader.varint(), last = -1; left > 0; left--) {
        last = rowAfter(last, reader.varint());
        this.#remove(last);
        this.#note(last);
      }
    }
    this.#readRows(reader, head.relative);
    this.#ends(head);
  }

  #readRows(reader, relative) {
    let last = -1;
    while (reader.at < reader.end) {
      if (relative) last = this.#readPlain(reader, last);
      if (reader.at >= reader.end) break;
      const row = reader.varint();
      last = rowAfter(last, Math.floor(row / 8));
      this.#readRow(reader, last, row % 8, relative);
      this.#note(last);
    }
    if (reader.at > reader.end) throw new BadFrame("the frame ends too early");
  }

  /**
   * Rows of common sets of decimals, nearly all there are, up to one of another kind. No call and no
   * branch per byte: each number's first three bytes are looked at, whatever its length, because a
   * wrong guess of the length would cost more. Returns the last id.
   */
  #readPlain(reader, last) {
    this.#reserve(this.room);
    const { bytes } = reader;
    const { plain, numbers, present, width, room, moved } = this;
    const safe = Math.min(reader.end, bytes.length) - this.longest;
    let { at } = reader;
    let { count } = this;
    while (at <= safe) {
      const first = bytes[at];
      const long = first >> 7;
      const head = (first & 0x7f) | ((bytes[at + 1] & -long) << 7);
      const columns = plain[head & 7];
      const id = last + 1 + (head >> 3);
      if (head >= 0x4000 || columns.length === 0 || id >= room || present[id] !== 1) break;
      at += 1 + long;
      const row = id * width;
      for (let index = 0; index < columns.length; index++) {
        const one = bytes[at];
        const two = bytes[at + 1] & -(one >> 7);
        const three = bytes[at + 2] & -(two >> 7);
        if (three >= 0x80) {
          reader.at = at; // more than three bytes are rare
          numbers[row + columns[index]] += reader.signed();
          at = reader.at;
          continue;
        }
        const move = (one & 0x7f) | ((two & 0x7f) << 7) | (three << 14);
        numbers[row + columns[index]] += (move >>> 1) ^ -(move & 1);
        at += 1 + (one >> 7) + (two >> 7);
      }
      moved[count++] = last = id;
    }
    reader.at = at;
    this.count = count;
    return last;
  }

  #readRow(reader, id, code, relative) {
    if (code === Code.FULL) {
      this.#add(id, reader.text());
      this.#readCells(reader, id, this.every, false);
    } else if (code === Code.MASKED || code === Code.ABSOLUTE) {
      const columns = columnsOf(reader.varint(), this.width);
      this.#readCells(reader, this.#held(id), columns, code === Code.MASKED && follows(relative));
    } else if (code < this.common.length) {
      this.#readCells(reader, this.#held(id), this.common[code], follows(relative));
    } else throw new BadFrame(`a row of kind ${code}`);
  }

  #readCells(reader, id, columns, relative) {
    const { numbers, exponents, kinds } = this;
    const row = id * this.width;
    for (let index = 0; index < columns.length; index++) {
      const at = row + columns[index];
      switch (kinds[columns[index]]) {
        case DECIMAL:
          if (relative) numbers[at] += reader.signed();
          else {
            numbers[at] = reader.signed();
            exponents[at] = reader.exponent();
          }
          break;
        case INT:
          numbers[at] = reader.signed();
          break;
        case ENUM:
          numbers[at] = reader.varint();
          break;
        case FLOAT:
          numbers[at] = reader.float();
          break;
        default:
          this.texts[at] = reader.text();
      }
    }
  }

  #readJson(frame) {
    if (!Number.isInteger(frame?.tick) || !Number.isInteger(frame.base) || !Array.isArray(frame.rows)) {
      throw new BadFrame("not a table frame");
    }
    if (!this.#begins(frame)) return;
    for (const id of frame.removed ?? []) {
      this.#remove(id);
      this.#note(id);
    }
    for (const [id, what, ...cells] of frame.rows) {
      if (!Number.isInteger(id) || id < 0 || id > MAX_ROW) throw new BadFrame("not a row number");
      const columns = typeof what === "string" ? this.every : columnsOf(what, this.width);
      if (columns.length !== cells.length) throw new BadFrame("a row of columns that do not exist");
      if (typeof what === "string") this.#add(id, what);
      this.#held(id);
      columns.forEach((column, index) => this.#set(id * this.width + column, this.kinds[column], cells[index]));
      this.#note(id);
    }
    this.#ends(frame);
  }

  #set(at, kind, cell) {
    if (kind === TEXT) this.texts[at] = cell;
    else if (kind === DECIMAL) [this.numbers[at], this.exponents[at]] = cell;
    else this.numbers[at] = cell;
  }

  /** Whether a frame is to be read: it follows, or it is a snapshot. */
  #begins({ tick, base, snapshot, epoch, relative }) {
    if (snapshot) {
      this.#clear();
      this.epoch = epoch ?? this.epoch;
      this.lost = false;
    } else if (this.lost) return false;
    else if (base > this.tick || tick < this.tick || (relative && base !== this.tick)) {
      throw new OutOfStep(`a frame from ${base} to ${tick} for a client at ${this.tick}`);
    }
    return true;
  }

  #ends({ tick, partial = false, skipped = 0, checksum }) {
    this.tick = tick;
    this.partial = partial;
    this.skipped += skipped;
    if (checksum !== undefined && checksum !== this.checksum()) {
      throw new OutOfStep(`another checksum at tick ${tick}`);
    }
  }

  // ── rows ─────────────────────────────────────────────────────────────────────────────────

  #note(id) {
    if (this.count === this.moved.length) this.#reserve(this.count);
    this.moved[this.count++] = id;
  }

  /** Room for so many more ids that changed. */
  #reserve(more) {
    if (this.count + more <= this.moved.length) return;
    const moved = new Int32Array(2 * (this.count + more));
    moved.set(this.moved);
    this.moved = moved;
  }

  #held(id) {
    if (this.present[id] !== 1) throw new OutOfStep(`cells of row ${id}, which is not held`);
    return id;
  }

  #add(id, key) {
    if (id >= this.room) this.#grow(id + 1);
    if (this.keys.has(id)) this.#remove(id);
    this.present[id] = 1;
    this.keys.set(id, key);
    this.ids.set(key, id);
  }

  #remove(id) {
    const key = this.keys.get(id);
    if (key === undefined) return;
    this.present[id] = 0;
    this.keys.delete(id);
    if (this.ids.get(key) === id) this.ids.delete(key);
  }

  #grow(rows) {
    if (rows > 2 ** 22) throw new BadFrame("more rows than a table has");
    this.room = Math.max(rows, 64, this.room * 2);
    const numbers = new Float64Array(this.room * this.width);
    const exponents = new Int8Array(this.room * this.width);
    const present = new Uint8Array(this.room);
    numbers.set(this.numbers);
    present.set(this.present);
    exponents.set(this.exponents);
    Object.assign(this, { numbers, exponents, present });
  }

  /** Drop rows that are no longer wanted, before a resume without them. */
  forget(keys) {
    for (const key of keys) if (this.ids.has(key)) this.#remove(this.ids.get(key));
  }

  // ── proof ────────────────────────────────────────────────────────────────────────────────

  /** The sum of the hashes of all cells held. */
  checksum() {
    const { present, numbers, exponents, kinds, width } = this;
    let total = 0;
    for (let id = 0; id < present.length; id++) {
      if (present[id] !== 1) continue;
      for (let column = 0, at = id * width; column < width; column++, at++) {
        if (kinds[column] === TEXT) total = (total + hashText(id, column, this.texts[at])) | 0;
        else if (kinds[column] === FLOAT) {
          FLOATS[0] = numbers[at];
          total = (total + cellHash(id, column, WORDS[0], 0, 0)) | 0;
        } else {
          const low = numbers[at] | 0;
          const high = low === numbers[at] ? low >> 31 : Math.floor(numbers[at] / 2 ** 32);
          total = (total + cellHash(id, column, low, high, exponents[at])) | 0;
        }
      }
    }
    return total >>> 0;
  }
}

function follows(relative) {
  if (!relative) throw new BadFrame("a difference in a frame that has none");
  return true;
}

/** By code 0 to 7, the columns of a common set that is decimals only; empty for anything else. */
function shortWays(common, kinds) {
  const decimals = (columns) => columns.every((column) => kinds[column] === DECIMAL);
  return Array.from({ length: 8 }, (_, code) => Int32Array.from(common[code] && decimals(common[code]) ? common[code] : []));
}

/** Numbers of the bits of a mask, which may have more than 32. */
function columnsOf(mask, width) {
  const columns = [];
  let left = mask;
  for (let column = 0; left > 0 && column < width; column++, left = Math.floor(left / 2)) {
    if (left % 2) columns.push(column);
  }
  if (left !== 0 || !columns.length) throw new BadFrame("a row of columns that do not exist");
  return columns;
}
