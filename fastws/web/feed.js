// From a followed table to the market's tokens. Owns which columns are which figure; knows no sockets.

const FIGURES = ["price", "change_24h", "market_cap", "fdv", "liquidity", "volume_24h"];
const MAY_BE_ZERO = new Set(["price", "change_24h"]); // of the others 0 says: not known

/** A token as the market keeps it, from a row. */
export function tokenOf(copy, id) {
  const token = { address: copy.keys.get(id), symbol: copy.value(id, "symbol") ?? "", name: copy.value(id, "name") ?? "" };
  for (const name of FIGURES) {
    const value = copy.value(id, name);
    token[name] = value === 0 && !MAY_BE_ZERO.has(name) ? undefined : value;
  }
  return token;
}

/** Put what changed into the market. Returns the addresses, and whether tokens came or went. */
export function take(market, ids, copy, now) {
  const changed = [];
  let others = false;
  for (const id of ids) {
    if (!copy.keys.has(id)) continue;
    const token = tokenOf(copy, id);
    others ||= market.get(token.address) === undefined;
    market.put(token, now);
    changed.push(token.address);
  }
  return { changed, others };
}

/** Drop the tokens that a table of all of them does not have: they were removed, or a snapshot lacks them. */
export function drop(market, copy) {
  if (market.size === copy.size || copy.partial) return false;
  return market.keep((address) => copy.ids.has(address));
}
