// What the page knows of the market: tokens by address, what their prices did since it was opened,
// and which of them in which order. Knows no sockets and no elements.

const POINTS = 60;
const STEP_MS = 2000;

/** Columns that can be sorted by, each with the direction people want first. */
export const COLUMNS = {
  symbol: { of: (token) => token.symbol.toLowerCase(), down: false },
  price: { of: (token) => token.price, down: true },
  change: { of: (token) => token.change_24h, down: true },
  volume: { of: (token) => token.volume_24h, down: true },
  liquidity: { of: (token) => token.liquidity, down: true },
  cap: { of: (token) => token.market_cap, down: true },
};

export class Market {
  #tokens = new Map(); // address → token
  #trails = new Map(); // address → {at, points}: the price every STEP_MS, newest last

  get size() {
    return this.#tokens.size;
  }

  get(address) {
    return this.#tokens.get(address);
  }

  /** Take a full list: what is not in it is gone. */
  replace(list, now) {
    const listed = new Set(list.map((token) => token.address));
    for (const address of this.#tokens.keys()) {
      if (!listed.has(address)) {
        this.#tokens.delete(address);
        this.#trails.delete(address);
      }
    }
    for (const token of list) this.put(token, now);
  }

  /** Keep the tokens whose address the test holds for; whether any went. */
  keep(test) {
    const before = this.#tokens.size;
    for (const address of this.#tokens.keys()) {
      if (test(address)) continue;
      this.#tokens.delete(address);
      this.#trails.delete(address);
    }
    return this.#tokens.size !== before;
  }

  /** Take one token. */
  put(token, now) {
    this.#tokens.set(token.address, token);
    if (!Number.isFinite(token.price)) return;
    let trail = this.#trails.get(token.address);
    if (!trail) this.#trails.set(token.address, (trail = { at: now, points: [] }));
    const { points } = trail;
    if (points.length === 0 || now - trail.at >= STEP_MS) {
      points.push(token.price);
      trail.at = now;
      if (points.length > POINTS) points.shift();
    } else {
      points[points.length - 1] = token.price;
    }
  }

  /** Prices since the page was opened, oldest first. */
  trail(address) {
    return this.#trails.get(address)?.points ?? [];
  }

  /** Tokens whose symbol, name or address holds every word, in the order of a column. */
  select(text, column, down) {
    const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (token) => {
      const hay = `${token.symbol} ${token.name} ${token.address}`.toLowerCase();
      return words.every((word) => hay.includes(word));
    };
    const found = [...this.#tokens.values()].filter(matches);
    const { of } = COLUMNS[column];
    return found.sort((a, b) => compare(of(a), of(b), down) || compare(a.address, b.address, false));
  }

  /** How many rose and fell in 24 hours. */
  breadth() {
    let rising = 0;
    let falling = 0;
    for (const { change_24h: change } of this.#tokens.values()) {
      if (change > 0) rising += 1;
      else if (change < 0) falling += 1;
    }
    return { rising, falling };
  }
}

// What is not known comes last in either direction.
function compare(a, b, down) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  if (a === b) return 0;
  return (a < b) === down ? 1 : -1;
}

/** The points of a polyline through prices in a box; a price that stood still is in the middle. */
export function sparkline(prices, width, height) {
  if (prices.length === 0) return "";
  const line = prices.length === 1 ? [prices[0], prices[0]] : prices;
  const low = Math.min(...line);
  const span = Math.max(...line) - low;
  const step = width / (line.length - 1);
  return line
    .map((value, at) => {
      const y = span === 0 ? height / 2 : height - ((value - low) / span) * height;
      return `${(at * step).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}

/** Which rows a viewport shows, with some on either side: {first, end}. Pixels. */
export function visible(total, rowHeight, above, height, spare = 6) {
  const first = Math.floor(above / rowHeight) - spare;
  const end = Math.ceil((above + height) / rowHeight) + spare;
  return { first: Math.max(0, Math.min(first, total)), end: Math.max(0, Math.min(end, total)) };
}

/** Things in a second, averaged over a few: add() as they happen, per() to read. Milliseconds. */
export class Rate {
  #marks = [];

  constructor(windowMs = 5000) {
    this.windowMs = windowMs;
  }

  add(amount, now) {
    this.#marks.push([now, amount]);
  }

  per(now) {
    while (this.#marks.length && this.#marks[0][0] <= now - this.windowMs) this.#marks.shift();
    return this.#marks.reduce((sum, [, amount]) => sum + amount, 0) / (this.windowMs / 1000);
  }
}
