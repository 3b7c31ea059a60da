// The same as decode.mjs, in a browser: called by bench/decode.py with what is decoded.

export async function measure({ told, pages, frames, columnar }, tables) {
  const { TableCopy, blocks } = await import(tables);
  const binary = frames.map((hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16)));
  const texts = columnar.map((columns) => JSON.stringify(columns));
  const times = { binary: [], columnar: [] };
  for (let round = 0; round < 31; round++) {
    times.binary.push(decodeBinary(new TableCopy(told), binary, pages, blocks));
    times.columnar.push(decodeColumnar(texts));
  }
  const median = (values) => values.slice(5).sort((a, b) => a - b)[13];
  const least = (values) => Math.min(...values);
  return { binary: [median(times.binary), least(times.binary)], columnar: [median(times.columnar), least(times.columnar)] };
}

function decodeBinary(copy, binary, pages, blocks) {
  for (const page of binary.slice(0, pages)) copy.apply(blocks(page)[0].body);
  const begun = performance.now();
  let rows = 0;
  for (const frame of binary.slice(pages)) rows += copy.apply(blocks(frame)[0].body).length;
  return ((performance.now() - begun) * 1e6) / rows;
}

function decodeColumnar(texts) {
  const held = new Float64Array(3 * 2000);
  const begun = performance.now();
  let rows = 0;
  for (const text of texts) {
    const { id, price, change, volume } = JSON.parse(text);
    for (let index = 0; index < id.length; index++) {
      held[id[index] * 3] = price[index];
      held[id[index] * 3 + 1] = change[index];
      held[id[index] * 3 + 2] = volume[index];
    }
    rows += id.length;
  }
  return ((performance.now() - begun) * 1e6) / rows;
}
