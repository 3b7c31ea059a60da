// Figures as people read them. Owns spelling only: numbers in, text out.

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉";
const NOTHING = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** A count: 12,345. */
export const count = (value) => (known(value) ? whole.format(value) : NOTHING);

/** An amount of dollars where its size matters: $12.35M. */
export const money = (value) => (known(value) ? `$${compact.format(value)}` : NOTHING);

/** A change in percent, always with its sign: +1.20 %. */
export function percent(value) {
  if (!known(value)) return NOTHING;
  const text = Math.abs(value).toFixed(2);
  if (Number(text) === 0) return "0.00 %";
  return `${value > 0 ? "+" : "−"}${text} %`;
}

/** A price with five significant digits; the zeros of a tiny one are counted: $0.0₆12345. */
export function price(value) {
  if (!known(value)) return NOTHING;
  if (value >= 1000) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (value === 0 || value >= 0.001) return `$${value.toLocaleString("en", { minimumSignificantDigits: 5, maximumSignificantDigits: 5 })}`;
  const [digits, exponent] = value.toExponential(4).split("e-");
  const zeros = String(Number(exponent) - 1).replace(/\d/g, (digit) => SUBSCRIPT[digit]);
  return `$0.0${zeros}${digits.replace(".", "")}`;
}

/** The same price written out, for a tooltip and for a screen reader. */
export function wholePrice(value) {
  if (!known(value)) return "unknown";
  return `$${value.toLocaleString("en", { maximumFractionDigits: 20, maximumSignificantDigits: 8 })}`;
}

/** Bytes a second: 1.2 KB/s. */
export function rate(bytes) {
  if (bytes < 1000) return `${whole.format(bytes)} B/s`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} KB/s` : `${(bytes / 1e6).toFixed(1)} MB/s`;
}

/** Milliseconds: 0.8 ms, 12 ms. */
export const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : whole.format(value)} ms`;

/** A wallet or token address, shortened in the middle: 7xKX…9mPq. */
export const short = (address) => (address.length > 10 ? `${address.slice(0, 4)}…${address.slice(-4)}` : address);

/** A hue (0–359) that is always the same for the same text. */
export function hue(text) {
  let hash = 0;
  for (const letter of text) hash = (Math.imul(hash, 31) + letter.codePointAt(0)) | 0;
  return ((hash % 360) + 360) % 360;
}
