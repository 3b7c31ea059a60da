// What holdings are worth, without rounding: amounts and prices are whole numbers with an exponent of
// ten, products and sums are BigInt. A mantissa is exact because the wire keeps it within 2 ** 53; only
// `toNumber` rounds, once, at the end.

/** units × 10 ** exponent, exactly. */
export class Decimal {
  constructor(units, exponent = 0) {
    this.units = BigInt(units);
    this.exponent = exponent;
  }

  /** From text such as "12.50" or "1.5e-9"; throws SyntaxError for anything else. */
  static parse(text) {
    const found = /^([+-]?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(text.trim());
    if (!found) throw new SyntaxError("not a decimal number");
    const [, sign, whole, part = "", power = "0"] = found;
    return new Decimal(BigInt(`${sign === "-" ? "-" : ""}${whole}${part}`), Number(power) - part.length);
  }

  times(other) {
    return new Decimal(this.units * other.units, this.exponent + other.exponent);
  }

  plus(other) {
    const exponent = Math.min(this.exponent, other.exponent);
    return new Decimal(this.#at(exponent) + other.#at(exponent), exponent);
  }

  minus(other) {
    return this.plus(new Decimal(-other.units, other.exponent));
  }

  /** -1, 0 or 1. */
  compare(other) {
    const { units } = this.minus(other);
    return units < 0n ? -1 : Number(units > 0n);
  }

  #at(exponent) {
    return this.units * 10n ** BigInt(this.exponent - exponent);
  }

  /** The nearest double. */
  toNumber() {
    return Number(`${this.units}e${this.exponent}`);
  }

  /** All digits, without an exponent and without zeros at the end. */
  toString() {
    const sign = this.units < 0n ? "-" : "";
    const digits = String(this.units < 0n ? -this.units : this.units);
    if (this.exponent >= 0) return this.units === 0n ? "0" : sign + digits + "0".repeat(this.exponent);
    const padded = digits.padStart(1 - this.exponent, "0");
    const part = padded.slice(this.exponent).replace(/0+$/, "");
    return sign + padded.slice(0, this.exponent) + (part && `.${part}`);
  }
}

/** A cell of a decimal column as it is, or null if the row is not held. */
export function decimalOf(copy, key, column) {
  const id = copy.ids.get(key);
  if (id === undefined) return null;
  const cell = copy.cell(id, copy.names.indexOf(column));
  return Array.isArray(cell) ? new Decimal(cell[0], cell[1]) : null;
}

/**
 * What holdings are worth by a table's prices. `holdings`: [key, amount] pairs, an amount as text, as a
 * Decimal, or { units, decimals } (lamports: decimals 9). Returns { total, parts: Map, unpriced: keys }.
 */
export function valueOf(copy, holdings, column = "price") {
  const parts = new Map();
  const unpriced = [];
  let total = new Decimal(0);
  for (const [key, amount] of holdings) {
    const price = decimalOf(copy, key, column);
    if (price === null) {
      unpriced.push(key);
      continue;
    }
    const value = price.times(amountOf(amount));
    parts.set(key, parts.has(key) ? parts.get(key).plus(value) : value);
    total = total.plus(value);
  }
  return { total, parts, unpriced };
}

function amountOf(amount) {
  if (amount instanceof Decimal) return amount;
  return typeof amount === "string" ? Decimal.parse(amount) : new Decimal(amount.units, -amount.decimals);
}
