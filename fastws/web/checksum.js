// The hash of a cell, of which a checksum is the sum (docs/wire.md, "Checksum"). Numbers in, 32 bits out.

const UTF8 = new TextEncoder();

function round(state, word) {
  word = Math.imul(word, 0xcc9e2d51);
  word = (word << 15) | (word >>> 17);
  state ^= Math.imul(word, 0x1b873593);
  state = (state << 13) | (state >>> 19);
  return (Math.imul(state, 5) + 0xe6546b64) | 0;
}

/** The 32-bit hash of one cell: two murmur rounds over the halves of its number. */
export function cellHash(row, column, low, high, exponent) {
  const place = Math.imul((column << 8) | (exponent & 0xff), 0x85ebca77);
  let state = (Math.imul(row, 0x9e3779b1) + place) | 0;
  state = round(round(state, low), high);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  return (state ^ (state >>> 13)) >>> 0;
}

/** The hash of a cell of text. */
export function hashText(row, column, text) {
  const bytes = UTF8.encode(text);
  let state = 0x811c9dc5;
  for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193);
  return cellHash(row, column, state, bytes.length, 0);
}
