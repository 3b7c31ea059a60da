// A table that is followed: rows as typed arrays, told which changed; after a lost connection it goes
// on from its tick; a frame that does not fit is repaired by a snapshot of this channel alone. Owns
// what to ask for; sends by the `send` it is given.

import { BadFrame, OutOfStep, TableCopy } from "./tables.js";

const AGAIN_MS = 5000; // a snapshot that was asked for and did not come is asked for again

export class Table {
  copy = null; // TableCopy: `numbers`, `exponents`, `keys`, `ids`, `value(id, column)`
  channelId = null;
  unknown = []; // keys the server does not know yet
  repairs = 0; // frames that did not fit
  recovered = null;
  #rows;
  #asking = null; // the rows of the last `subscribe`
  #asked = null; // the rows of the subscription the copy is of
  #askedAt = -Infinity;
  #hidden = false;
  #told = "";
  #world;
  #lastFilter;

  /**
   * `options`: `rows` (keys; left out: all), `maxRateMs`, `hidden`: "slow" (at most every second),
   * "pause" or "same", `format`: "binary" or "json".
   * `on`: { rows(ids, copy), confirmed(said, table), repair(reason), ended(said) }, each optional.
   */
  constructor(channel, options, on, world) {
    this.channel = channel;
    this.options = { hidden: "slow", format: "binary", hiddenRateMs: 1000, ...options };
    this.#rows = this.options.rows ?? null;
    this.on = on;
    this.#world = world; // { now, send }
  }

  get rows() {
    return this.#rows;
  }

  /** The cell of a row by its key: a number or a text; undefined if it is not held. */
  value(key, column) {
    const id = this.copy?.ids.get(key);
    return id === undefined ? undefined : this.copy.value(id, column);
  }

  // ── what is asked for ────────────────────────────────────────────────────────────────────

  /** Follow other rows (null: all). What is held already is kept until the server removes it. */
  follow(rows) {
    this.#rows = rows;
    this.#world.send(this.request(false));
  }

  /** The tab is hidden, or is seen again. */
  hide(hidden) {
    if (hidden === this.#hidden) return;
    this.#hidden = hidden;
    if (this.options.hidden === "pause") this.#world.send({ type: hidden ? "pause" : "resume", channel: this.channel });
    else if (this.options.hidden === "slow") this.#world.send(this.request(false));
  }

  /** The `subscribe` of now; `resuming`: on a new connection. */
  request(resuming) {
    const fields = { type: "subscribe", channel: this.channel, format: this.options.format };
    if (this.options.format === "binary") fields.accept = ["zstd"];
    if (this.#rows !== null) fields.rows = [...this.#rows];
    const rate = this.#rate();
    if (rate) fields.max_rate_ms = rate;
    if (resuming && this.#canResume()) Object.assign(fields, this.#since());
    else if (resuming && this.copy) this.copy.lost = true; // until the snapshot that follows
    this.#asking = this.#rows;
    return fields;
  }

  #rate() {
    const { maxRateMs = 0, hidden, hiddenRateMs } = this.options;
    return this.#hidden && hidden === "slow" ? Math.max(maxRateMs, hiddenRateMs) : maxRateMs;
  }

  #canResume() {
    const { copy } = this;
    if (!copy || copy.lost || copy.tick === 0 || (copy.partial && this.#rows === null)) return false;
    return (this.#asked === null) === (this.#rows === null);
  }

  #since() {
    const { copy } = this;
    const since = { epoch: copy.epoch, tick: copy.tick };
    if (this.#lastFilter !== undefined) since.filter = this.#lastFilter;
    if (this.#rows === null) return { since };
    const wanted = new Set(this.#rows);
    const held = new Set(copy.ids.keys());
    copy.forget([...held].filter((key) => !wanted.has(key)));
    return { since, new: [...wanted].filter((key) => !held.has(key)) };
  }

  // ── what comes ───────────────────────────────────────────────────────────────────────────

  /** Whether the confirmation is of a table: an older server knows no formats. */
  confirmed(said) {
    if (said.kind !== "table" || !said.columns) return false;
    this.#asked = this.#asking;
    const told = JSON.stringify([said.columns, said.common, this.#asked === null]);
    if (told !== this.#told) this.copy = new TableCopy(said, said.epoch);
    else if (said.recovered === false) this.copy.lost = true; // what follows is a snapshot
    this.#told = told;
    this.#lastFilter = said.filter;
    this.channelId = said.channel_id;
    this.unknown = said.unknown ?? [];
    this.recovered = said.recovered ?? null;
    if (this.#hidden && this.options.hidden === "pause") this.#world.send({ type: "pause", channel: this.channel });
    this.on.confirmed?.(said, this);
    return true;
  }

  /** A frame: the body of a binary block, or a JSON object. */
  take(frame, json = false) {
    const { copy } = this;
    if (copy === null) return;
    try {
      const changed = json ? copy.applyJson(frame) : copy.apply(frame);
      if (copy.lost) this.#repair(null);
      else if (changed.length) this.on.rows?.(changed, copy);
    } catch (error) {
      if (!(error instanceof BadFrame || error instanceof OutOfStep)) throw error;
      this.#askedAt = -Infinity;
      this.#repair(error.message);
    }
  }

  #repair(reason) {
    const now = this.#world.now();
    if (now - this.#askedAt < AGAIN_MS) return;
    this.#askedAt = now;
    if (reason !== null) {
      this.repairs += 1;
      this.on.repair?.(reason);
    }
    this.#world.send({ type: "resync", channel: this.channel });
  }

  /** The connection is gone; numbers of channels are of the process that ended with it. */
  disconnected() {
    this.channelId = null;
    this.#askedAt = -Infinity;
  }
}
