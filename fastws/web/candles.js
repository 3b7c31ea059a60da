// Candles of one token: history, then each candle of the channel or, between those, each price.
// Owns their order and the bucket a moment belongs to; draws nothing.

/** Seconds of a candle, by what the server calls it. */
export const RESOLUTIONS = { "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400 };

export class Candles {
  #seconds;
  #list = []; // { time, open, high, low, close, volume }, oldest first

  constructor(resolution) {
    this.#seconds = RESOLUTIONS[resolution];
  }

  get list() {
    return this.#list;
  }

  /** Rows `[time, open, high, low, close, volume]` of a history, in any order; time in seconds. */
  replace(rows) {
    const byTime = new Map(rows.map((row) => [row[0], candleOf(row)]));
    this.#list = [...byTime.values()].sort((a, b) => a.time - b.time);
  }

  /** One row. Returns the candle if it is the newest, which a chart can take; null if it came late. */
  put(row) {
    const candle = candleOf(row);
    const last = this.#list.at(-1);
    if (last && candle.time < last.time) return null;
    if (last && candle.time === last.time) this.#list[this.#list.length - 1] = candle;
    else this.#list.push(candle);
    return candle;
  }

  /** A price at a moment (seconds): the newest candle after it, or null if it is older than that. */
  price(price, at) {
    const time = Math.floor(at / this.#seconds) * this.#seconds;
    const last = this.#list.at(-1);
    if (!Number.isFinite(price) || (last && time < last.time)) return null;
    if (!last || time > last.time) return this.put([time, last?.close ?? price, Math.max(last?.close ?? price, price), Math.min(last?.close ?? price, price), price, 0]);
    return this.put([time, last.open, Math.max(last.high, price), Math.min(last.low, price), price, last.volume]);
  }
}

function candleOf([time, open, high, low, close, volume]) {
  const figure = (value) => Number(value ?? 0); // decimals may come as text
  return { time: figure(time), open: figure(open), high: figure(high), low: figure(low), close: figure(close), volume: figure(volume) };
}
