// Time to decode frames of 400 rows: binary frames against columnar JSON. Run by bench/decode.py.

import { readFileSync } from "node:fs";
import { TableCopy, blocks } from "../fastws/web/tables.js";

const { told, pages, frames, columnar } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const binary = frames.map((frame) => Uint8Array.from(Buffer.from(frame, "hex")));
const texts = columnar.map((columns) => JSON.stringify(columns));

function decodeBinary() {
  const copy = new TableCopy(told);
  for (const page of binary.slice(0, pages)) copy.apply(blocks(page)[0].body);
  const begun = process.hrtime.bigint();
  let rows = 0;
  for (const frame of binary.slice(pages)) rows += copy.apply(blocks(frame)[0].body).length;
  return Number(process.hrtime.bigint() - begun) / rows;
}

function decodeColumnar() {
  const held = new Float64Array(3 * 2000);
  const begun = process.hrtime.bigint();
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
  return Number(process.hrtime.bigint() - begun) / rows;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const times = { binary: [], columnar: [] };
for (let round = 0; round < 31; round++) {
  times.binary.push(decodeBinary());
  times.columnar.push(decodeColumnar());
}
const [ours, theirs] = [median(times.binary.slice(5)), median(times.columnar.slice(5))];
console.log(`binary ${ours.toFixed(1)} ns a row, columnar JSON ${theirs.toFixed(1)} ns: ${(theirs / ours).toFixed(1)} times as long`);
