// The page of SkyDuel: who one is, the list of matches, the match one is in. Wires the client, the match, the
// pilot and the sky; a guest may watch. What it knows of the game is in dogfight.js, of a match in match.js.

import { Account } from "./account.js";
import { Client, RequestError } from "./client.js";
import { $ } from "./corner.js";
import { showFigures, showMatch, showResult } from "./cockpit.js";
import { Lobby, written } from "./lobby.js";
import { Match } from "./match.js";
import { Pilot } from "./pilot.js";
import { Sky } from "./sky.js";

// Named a public channel, the endpoint lets guests in as well; who has a token is who he is.
const PATH = "/api/v69/ws/skyduel?automatic=false&endpoint=public.matches";
const FIGURES_MS = 250;
const RESULT_MS = 3000; // it is told when it is stored
const NOTICE_MS = 8000;
const IDLE_MS = 100; // between two looks whether there is a match

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${PATH}`;
const client = new Client(url, { auth: "none" });
const account = new Account(client, notice);
const lobby = new Lobby($("matches"), { join: (id) => join(id), watch: (id) => watch(id) });
const sky = new Sky($("canvas"));
const pilot = new Pilot(window, $("canvas"), $("fire"));
const matches = client.table("public.matches", { maxRateMs: 500 }, { rows: showLobby, confirmed: () => showLobby() });

let here = null; // the Match that is shown
let invite = "";
let welcomed = null; // the number of the match in which the server has a seat for us
let taken = null; // the match in which another connection of ours has the seat now
let frames = { since: performance.now(), count: 0, fps: 0 };

// ── coming and going ─────────────────────────────────────────────────────────────────────

/** Send a message and hand its answer on; what goes wrong is told. Null if it did. */
async function ask(message) {
  try {
    return await client.request(message);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    notice(error.message);
    return null;
  }
}

function enter(fields, seat, code = "") {
  if (here && here.id === fields.match_id && here.seat === seat) {
    here.update(fields); // the seat is ours again, after a lost connection
    return;
  }
  here?.close();
  invite = code;
  const match = new Match(client, fields, seat, {
    event: (said) => match === here && heard(said),
    ended: ({ message }) => match === here && !match.over && away(message), // a result stays to be read
  });
  here = match;
  pilot.release();
  showResult(null, seat);
  show();
}

async function take(message) {
  const said = await ask(message);
  if (!said) return;
  taken = null;
  notice("");
  enter(told(said), said.player, said.invite ?? message.invite);
}

// A match as an answer says it, with the server's time of that.
const told = ({ match, timestamp }) => ({ ...match, timestamp });

const join = (id, code) => take({ type: "join_match", match_id: numbered(id), ...(code && { invite: code }) });

// A guest has no messages of the game; public matches he may follow all the same.
async function watch(id, code) {
  if (client.state.user === null) {
    enter({ match_id: numbered(id) }, null);
    return;
  }
  const said = await ask({ type: "spectate", match_id: numbered(id), ...(code && { invite: code }) });
  if (said) enter(told(said), null, code);
}

function away(message) {
  here?.close();
  here = null;
  pilot.active = false;
  if (message) notice(message);
  show();
}

async function leave() {
  const left = here;
  here = null; // what comes of it is no news
  if (left?.seat != null && !left.over) await ask({ type: "leave_match" });
  left?.close();
  if (here === null) away("");
}

async function ready() {
  const wanted = !here.readiness.get(here.seat);
  const said = await ask({ type: "ready", ready: wanted });
  if (said) here?.readiness.set(here.seat, said.ready);
}

// The way back after a lost connection: the client follows the same channels again, but the seat has to be taken.
async function established() {
  here?.lost();
  const id = welcomed;
  welcomed = null;
  if (id !== null && id !== taken) {
    const said = await ask({ type: "join_match", match_id: id });
    if (said) enter(told(said), said.player, said.invite ?? invite);
    else if (here?.seat != null) away("");
  } else if (here?.seat != null) {
    if (!here.over) away("Your seat was given up");
  } else if (here && invite) await ask({ type: "spectate", match_id: here.id, invite });
}

client.on("welcome", ({ match }) => (welcomed = match?.match_id ?? match ?? null));
client.on("seat_taken", ({ match_id: id }) => {
  if (here?.id !== id || here.seat === null) return;
  taken = id;
  enter({ ...here.told }, null, invite);
  notice("You fly on another connection now");
});

function heard(said) {
  if (said.type === "result") showResult(said, here.seat);
  else if (said.type === "rematch") notice(here.seat === null ? "" : "There is a rematch");
  else if (said.type === "left" && said.player === here.seat) away("Your seat was given up");
  show();
}

// The event may have been missed: the page came when the match was over.
async function result(match) {
  await new Promise((resolve) => setTimeout(resolve, RESULT_MS));
  if (match !== here || match.result || client.state.user === null) return;
  const said = await ask({ type: "get_result", match_id: match.id });
  if (!said || match !== here) return;
  match.result = said;
  showResult(said, match.seat);
}

const numbered = (id) => (/^\d+$/.test(id) ? Number(id) : id);

// ── what is shown ────────────────────────────────────────────────────────────────────────

function showLobby() {
  if (!matches.copy) return;
  lobby.show(matches.copy, client.state.user !== null && here === null);
  $("empty").hidden = lobby.size > 0;
}

function show() {
  const user = client.state.user;
  const live = client.state.name === "live";
  $("lobby").hidden = here !== null;
  $("arena").hidden = here === null;
  $("arena").toggleAttribute("data-seat", here?.seat != null);
  $("guest").hidden = user !== null;
  for (const id of ["quick", "create", "private"]) $(id).disabled = !live || user === null;
  showLobby();
  if (!here) return;
  const { status, seat } = here;
  const isReady = here.readiness.get(seat) === true;
  $("ready").hidden = seat === null || !["lobby", "countdown"].includes(status);
  $("ready").setAttribute("aria-pressed", String(isReady));
  written($("ready"), isReady ? "Not ready" : "Ready");
  $("rematch").hidden = seat === null || status !== "finished";
  $("invite").hidden = !invite;
  written($("invite"), invite ? `Match ${here.id}, invite ${invite}` : "");
}

let noticed = null;
function notice(text) {
  clearTimeout(noticed);
  $("notice").textContent = text;
  $("notice").hidden = !text;
  noticed = setTimeout(() => ($("notice").hidden = true), NOTICE_MS);
}

function draw(now) {
  requestAnimationFrame(draw);
  frames.count += 1;
  if (!here) return;
  sky.draw(here.scene(now), now);
}

let shown = "";
function figures() {
  const now = performance.now();
  if (now - frames.since >= 1000) frames = { since: now, count: 0, fps: Math.round((1000 * frames.count) / (now - frames.since)) };
  showFigures(here, { latency: client.state.latency, fps: frames.fps });
  if (!here) return;
  showMatch(here, Date.now());
  $("arena").toggleAttribute("data-flying", here.flying);
  const what = `${here.id} ${here.status} ${here.seat}`;
  if (what === shown) return;
  shown = what;
  show();
  if (here.status === "finished") result(here);
}

// ── the pilot ────────────────────────────────────────────────────────────────────────────

let due = performance.now();
function step() {
  const now = performance.now();
  const ms = here ? 1000 / here.hz : IDLE_MS;
  if (now >= due) {
    due = Math.max(due + ms, now); // what a busy page missed is not made up for
    pilot.active = here?.flying ?? false;
    const controls = pilot.take();
    here?.send(controls, now);
    if (here?.nudge) {
      here.nudge = false;
      due += ms / 3;
    }
  }
  setTimeout(step, Math.max(0, due - performance.now()));
}

// ── what people do ───────────────────────────────────────────────────────────────────────

$("quick").addEventListener("click", () => take({ type: "quick_match" }));
$("create").addEventListener("click", () => take({ type: "create_match" }));
$("private").addEventListener("click", () => take({ type: "create_match", private: true }));
$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const [id, code] = [$("match").value.trim(), $("code").value.trim()];
  if (id) (client.state.user ? join : watch)(id, code);
});
$("ready").addEventListener("click", () => ready().then(show));
$("leave").addEventListener("click", leave);
$("rematch").addEventListener("click", () => take({ type: "rematch" }));

client.on("state", (now) => {
  if (!account.show(now)) return;
  if (now.name === "live") established();
  show();
});
client.on("error", ({ id, message }) => id === undefined && notice(message)); // who asked will say

/** For tests of the page, and for the curious. */
window.skyduel = {
  client,
  get match() {
    return here && { id: here.id, status: here.status, told: here.told, invite, result: here.result };
  },
  get seat() {
    return here?.seat ?? null;
  },
  get status() {
    return here?.status ?? null;
  },
  get step() {
    return here?.step ?? null;
  },
  get correction() {
    return here?.prediction?.correction ?? null;
  },
  get ahead() {
    return here?.prediction?.ahead ?? null;
  },
  get frames() {
    return here?.frames ?? 0;
  },
  get loss() {
    return here?.loss ?? 0;
  },
  get fps() {
    return frames.fps;
  },
  get scores() {
    return here?.scores ?? [];
  },
  get scene() {
    return here?.scene(performance.now()) ?? null;
  },
};

setInterval(figures, FIGURES_MS);
requestAnimationFrame(draw);
step();
show();
client.start();
