// The live page: token-data without a login. Wires the client, the market and the rows to the page. All
// tokens are followed as a table at leisure, those in view as they move (public.market has the same rows).
// An older server knows no tables: there the whole list comes each five seconds, rows in view each second.

import { Client } from "./client.js";
import { $, Corner } from "./corner.js";
import { drop, take as takeRows } from "./feed.js";
import * as format from "./format.js";
import { COLUMNS, Market, Rate } from "./market.js";
import { Rows } from "./rows.js";

const PATH = "/api/v69/ws/token-data?automatic=false"; // not the lists: an older server sends them all the same
const SETTLE_MS = 300; // after the last scroll; keeps subscriptions far below the message limit
const PLATFORM_MS = 10000;
const ALL_MS = 2000; // how often the rows out of view have to move

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${PATH}`;
const market = new Market();
const rows = new Rows($("rows"), market, choose);
const prices = new Rate();
const bytes = new Rate();
const sort = { column: "", down: true };
const pending = new Set(); // addresses to draw again in the next animation frame
let relist = false; // whether the order has to be made again in it
let inView = [];
let followed = new Set();
let settle = null;

let detail = null; // loaded with its charts when somebody first chooses a token

const client = new Client(url, { auth: "none" });
const corner = new Corner(client, notice);
const all = client.table("public.tokens", { maxRateMs: ALL_MS }, { rows: (ids, copy) => takeAll(ids, copy), confirmed: unfollow });
const near = client.table("public.market", { rows: [] }, { rows: (ids, copy) => takeTable(ids, copy) });

// ── what comes ───────────────────────────────────────────────────────────────────────────

const handlers = {
  token_update({ data }) {
    const now = performance.now();
    const moved = data.filter((token) => market.get(token.address)?.price !== token.price).length;
    prices.add(moved, now);
    market.replace(data, now);
    relist = true;
  },
  token_data({ data }) {
    const now = performance.now();
    prices.add(1, now);
    market.put(data, now);
    moved(data.address);
  },
  error({ code, message, id, retry_after_ms: wait }) {
    if (id !== undefined) return; // who asked will say
    notice(message);
    if (code !== "RATE_LIMIT_EXCEEDED") return;
    clearTimeout(settle);
    settle = setTimeout(refollow, wait ?? 1000);
  },
};

function takeTable(ids, copy) {
  const now = performance.now();
  const { changed, others } = takeRows(market, ids, copy, now);
  prices.add(changed.length, now);
  changed.forEach(moved);
  relist ||= others;
  schedule();
}

function takeAll(ids, copy) {
  takeTable(ids, copy);
  drop(market, copy);
  relist = true; // the order may be another
}

function moved(address) {
  pending.add(address);
  if (detail?.address === address) detail.price(market.get(address), Date.now());
}

function take(message) {
  handlers[message.type]?.(message);
  if (relist || pending.size) schedule();
}

let scheduled = false;
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(draw);
}

function draw() {
  scheduled = false;
  if (relist) list();
  else for (const address of pending) rows.refresh(address);
  pending.clear();
  relist = false;
}

function list() {
  const found = market.select($("filter").value, sort.column, sort.down);
  const { rising, falling } = market.breadth();
  $("count").textContent = format.count(market.size);
  $("rising").textContent = `↑ ${format.count(rising)}`;
  $("falling").textContent = `↓ ${format.count(falling)}`;
  $("found").textContent = $("filter").value.trim() ? `${format.count(found.length)} found` : "";
  $("empty").hidden = found.length > 0 || market.size === 0;
  $("table").setAttribute("aria-rowcount", String(found.length + 1));
  see(rows.show(found));
}

// ── which rows are followed ──────────────────────────────────────────────────────────────

function see(addresses) {
  inView = addresses;
  clearTimeout(settle);
  settle = setTimeout(follow, SETTLE_MS);
}

function follow() {
  if (client.state.name !== "live") return;
  const wanted = new Set(document.hidden ? [] : inView);
  if (detail?.address) wanted.add(detail.address);
  if (all.channelId !== null) {
    if (!same(wanted, near.rows)) near.follow([...wanted]);
    return;
  }
  const gone = [...followed].filter((address) => !wanted.has(address));
  const added = [...wanted].filter((address) => !followed.has(address));
  if (gone.length) client.send({ type: "unsubscribe_tokens", symbols: gone });
  if (added.length) client.send({ type: "subscribe_tokens", symbols: added });
  followed = wanted;
}

const same = (set, list) => set.size === list.length && list.every((key) => set.has(key));

// This server knows tables: rows that were followed one by one come with them.
function unfollow() {
  if (followed.size) client.send({ type: "unsubscribe_tokens", symbols: [...followed] });
  followed = new Set();
  see(inView);
}

async function choose(address) {
  const { Detail } = await import("./detail.js");
  detail ??= new Detail($("detail"), client);
  detail.show(market.get(address), market.trail(address), Date.now());
  $("detail").scrollIntoView({ block: "nearest" });
  see(inView);
}

// A refused message may have been either of the two: ask for all of them again.
function refollow() {
  followed = new Set();
  follow();
}

// ── the state of the connection ──────────────────────────────────────────────────────────

function showState(state) {
  if (!corner.show(state) || state.name !== "live") return;
  followed = new Set();
  see(inView);
  platform();
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function second() {
  const now = performance.now();
  $("updates").textContent = format.count(prices.per(now));
  $("traffic").textContent = format.rate(bytes.per(now));
}

async function platform() {
  if (client.state.name !== "live" || document.hidden) return;
  try {
    const answer = await fetch("/api/status", { cache: "no-store" });
    const { status, message } = await answer.json();
    $("platform").textContent = status ?? `HTTP ${answer.status}`;
    $("platform").title = message ?? "";
  } catch {
    $("platform").textContent = "unknown"; // the socket tells better than this does
  }
}

// ── what people do ───────────────────────────────────────────────────────────────────────

function order(column) {
  sort.down = sort.column === column ? !sort.down : COLUMNS[column].down;
  sort.column = column;
  for (const button of document.querySelectorAll("[data-column]")) {
    const chosen = button.dataset.column === column;
    const cell = button.closest("th");
    if (chosen) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
  list();
}

for (const button of document.querySelectorAll("[data-column]")) {
  button.addEventListener("click", () => order(button.dataset.column));
}
$("search").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", list);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  $("filter").focus();
});
addEventListener("scroll", () => requestAnimationFrame(() => see(rows.scroll())), { passive: true });
addEventListener("resize", () => see(rows.scroll()), { passive: true });
addEventListener("visibilitychange", () => see(rows.scroll()));

$("url").textContent = url;
setInterval(second, 1000);
setInterval(platform, PLATFORM_MS);
client.on("state", showState);
client.on("message", take);
client.on("traffic", (size) => bytes.add(size, performance.now()));
order("volume");
client.start();
