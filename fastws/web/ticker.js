// The live page: follows token-data without a login and draws the rows that are in view.
// Knows the legacy frames of the protocol only (token_update, token_data); the table formats
// have a client of their own.

const PATH = "/api/v69/ws/token-data";
const ROWS = 60;
const PING_MS = 5000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15000;

const $ = (id) => document.getElementById(id);
const tokens = new Map(); // address → token
const drawn = new Map(); // address → {row, price cell, …}
let socket = null;
let retry = FIRST_RETRY_MS;
let frames = 0;
let pinged = 0;
let followed = [];

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${PATH}`;
$("url").textContent = url;

function show(state, text = state) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

function connect() {
  show("connecting");
  socket = new WebSocket(url);
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = lost;
}

function lost(event) {
  socket = null;
  followed = [];
  if (event.code === 1003 || event.code === 4003) {
    show("lost", `closed: ${event.reason || event.code}`);
    return; // the same again would fail the same way
  }
  const wait = retry * (0.5 + Math.random());
  retry = Math.min(retry * 2, LAST_RETRY_MS);
  show("lost", `back in ${Math.ceil(wait / 1000)} s`);
  setTimeout(connect, wait);
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function take(message) {
  $("frames").textContent = (++frames).toLocaleString();
  const handler = handlers[message.type];
  if (handler) handler(message);
}

const handlers = {
  connection_established() {
    retry = FIRST_RETRY_MS;
    show("live");
    ping();
  },
  token_update(message) {
    for (const token of message.data) keep(token);
    draw();
  },
  token_data(message) {
    keep(message.data);
    const cells = drawn.get(message.data.address);
    if (cells) fill(cells, message.data);
  },
  pong() {
    $("ping").textContent = `${(performance.now() - pinged).toFixed(1)} ms`;
  },
  drain(message) {
    retry = message.reconnect_after_ms;
  },
};

function keep(token) {
  tokens.set(token.address, token);
}

function ping() {
  pinged = performance.now();
  send({ type: "ping" });
}

function chosen() {
  const words = $("filter").value.trim().toLowerCase();
  const all = [...tokens.values()];
  const found = words
    ? all.filter((t) => `${t.symbol} ${t.name} ${t.address}`.toLowerCase().includes(words))
    : all;
  return found.sort((a, b) => (b.volume_24h ?? 0) - (a.volume_24h ?? 0)).slice(0, ROWS);
}

function draw() {
  const list = chosen();
  $("count").textContent = tokens.size.toLocaleString();
  $("empty").hidden = list.length > 0;
  const keepers = new Set(list.map((token) => token.address));
  for (const [address, cells] of drawn) {
    if (!keepers.has(address)) {
      cells.row.remove();
      drawn.delete(address);
    }
  }
  list.forEach((token, index) => {
    let cells = drawn.get(token.address);
    if (!cells) drawn.set(token.address, (cells = makeRow(token)));
    if ($("rows").children[index] !== cells.row) $("rows").insertBefore(cells.row, $("rows").children[index] ?? null);
    fill(cells, token);
  });
  follow([...keepers]);
}

function makeRow(token) {
  const row = document.createElement("tr");
  row.dataset.address = token.address;
  const cell = (className) => {
    const made = document.createElement("td");
    made.className = className;
    row.append(made);
    return made;
  };
  const label = cell("");
  const symbol = document.createElement("b");
  symbol.textContent = token.symbol;
  const name = document.createElement("small");
  name.textContent = token.name;
  label.append(symbol, name);
  return {
    row, shown: null,
    price: cell("n price"), change: cell("n"), volume: cell("n wide"), liquidity: cell("n wide"), cap: cell("n wide"),
  };
}

function fill(cells, token) {
  if (cells.shown !== null && cells.shown !== token.price) {
    const flash = token.price > cells.shown ? "flash-up" : "flash-down";
    cells.price.classList.remove("flash-up", "flash-down");
    void cells.price.offsetWidth; // restart the animation
    cells.price.classList.add(flash);
  }
  cells.shown = token.price;
  cells.price.textContent = price(token.price);
  cells.change.textContent = token.change_24h === undefined ? "–" : `${token.change_24h > 0 ? "+" : ""}${token.change_24h.toFixed(2)} %`;
  cells.change.className = `n ${token.change_24h < 0 ? "down" : "up"}`;
  cells.volume.textContent = money(token.volume_24h);
  cells.liquidity.textContent = money(token.liquidity);
  cells.cap.textContent = money(token.market_cap);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const money = (value) => (value === undefined ? "–" : `$${compact.format(value)}`);
const price = (value) => `$${Number(value).toLocaleString("en", { minimumSignificantDigits: 5, maximumSignificantDigits: 7 })}`;

// Rows in view are followed one by one: they move each second, the whole list each five.
function follow(addresses) {
  const wanted = new Set(addresses);
  const had = new Set(followed);
  const gone = followed.filter((address) => !wanted.has(address));
  const added = addresses.filter((address) => !had.has(address));
  if (gone.length) send({ type: "unsubscribe_tokens", symbols: gone });
  if (added.length) send({ type: "subscribe_tokens", symbols: added });
  followed = addresses;
}

async function platform() {
  try {
    const answer = await fetch("/api/status", { cache: "no-store" });
    $("platform").textContent = answer.ok ? "online" : (await answer.json()).status ?? `HTTP ${answer.status}`;
  } catch {
    $("platform").textContent = "unreachable";
  }
}

$("search").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", draw);
setInterval(ping, PING_MS);
setInterval(platform, 10000);
platform();
connect();
