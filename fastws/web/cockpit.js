// What stands around the sky: who leads, what is going on, one's gun, how good the connection is, the
// result. Reads a Match and writes elements; decides nothing.

import { $ } from "./corner.js";
import { DOWN, LIVE, MAGAZINE, SHIELDED } from "./dogfight.js";
import * as format from "./format.js";
import { made, written } from "./lobby.js";
import { hueOf } from "./sky.js";

const percent = (part) => `${(part * 100).toFixed(1)} %`;

/** What is told in the middle of the sky; "" for nothing. */
export function call(match, dateNow) {
  const { status } = match;
  if (status === "abandoned") return match.abandoned;
  if (status === "finished") return "";
  if (status === "lobby") return match.scores.length < 2 ? "Waiting for somebody to fly against" : "Waiting until all are ready";
  if (status === "countdown") {
    const left = match.startsAt === null ? null : Math.ceil((match.startsAt - dateNow) / 1000);
    return left === null ? "It begins" : left > 0 ? String(left) : "Go";
  }
  const state = match.planes.get(match.seat)?.state;
  if (state === DOWN) return "You are down";
  return state === SHIELDED ? "Shielded" : "";
}

/** The list of pilots, the gun, the call. */
export function showMatch(match, now) {
  const told = call(match, now);
  written($("call"), told);
  $("call").toggleAttribute("data-counts", /^\d+$/.test(told));
  $("call").dataset.status = match.status;
  written($("title"), `Match ${match.id} · ${match.status}${match.seat === null ? " · watching" : ""}`);
  const { ammo, full_at: fullAt } = match.gun;
  const flies = match.seat !== null && match.state === LIVE;
  written($("gun"), !flies || ammo === undefined ? "" : fullAt > match.step ? "Loading" : `${ammo} / ${MAGAZINE}`);
  showScores(match);
}

function showScores(match) {
  const rows = match.scores;
  const body = $("scores").tBodies[0];
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  while (body.rows.length < rows.length) body.append(scoreRow());
  rows.forEach((one, place) => {
    const row = body.rows[place];
    const [mark, name, score, deaths] = row.cells;
    const colour = one.own ? "var(--own)" : `hsl(${hueOf(one.player)} 70% 55%)`;
    if (mark.firstChild.dataset.of !== colour) {
      mark.firstChild.dataset.of = colour;
      mark.firstChild.style.background = colour;
    }
    const waits = match.status === "lobby" ? (one.ready ? " · ready" : " · not ready") : "";
    written(name, one.name + (one.own ? " (you)" : "") + (one.connected ? waits : " · away"));
    written(score, String(one.score));
    written(deaths, String(one.deaths));
    row.dataset.player = one.player;
    row.classList.toggle("own", one.own);
  });
}

function scoreRow() {
  const row = made("tr", "");
  row.append(...["td", "th", "td", "td"].map((name) => made(name, "")));
  row.cells[0].append(Object.assign(made("span", ""), { className: "mark" }));
  return row;
}

/** Ping, loss, correction, frames: a few times a second. */
export function showFigures(match, { latency, fps }) {
  written($("ping"), latency === null ? "–" : format.milliseconds(latency));
  written($("loss"), match ? percent(match.loss) : "–");
  written($("correction"), match?.prediction ? `${match.prediction.correction.toFixed(2)} u` : "–");
  written($("fps"), String(fps));
}

const RESULT = [
  ["Place", (one) => one.place],
  ["Pilot", (one) => one.name],
  ["Shot down", (one) => one.score],
  ["Down", (one) => one.deaths],
  ["Rating", (one, rated) => (rated && one.rating_after !== undefined ? `${one.rating_before} → ${one.rating_after}` : "")],
  ["Left", (one) => (one.left === true ? "yes" : one.left || "")],
];

/** The result of a match, as `match_result` or the event `result` has it; null: none. */
export function showResult(result, seat) {
  $("result").hidden = result === null;
  if (result === null) return;
  const cell = (read, one) => String(read(one, result.rated) ?? "");
  const columns = RESULT.filter(([, read]) => result.results.some((one) => cell(read, one)));
  const head = made("tr", "");
  head.append(...columns.map(([name]) => made("th", name, { scope: "col" })));
  $("places").tHead.replaceChildren(head);
  const rows = result.results.map((one) => {
    const row = made("tr", "");
    row.classList.toggle("own", one.player === seat);
    row.append(...columns.map(([, read]) => made("td", cell(read, one))));
    return row;
  });
  $("places").tBodies[0].replaceChildren(...rows);
  const winner = result.results.find((one) => one.wallet === result.winner && result.winner);
  written($("winner"), winner ? (winner.player === seat ? "You won" : `${winner.name || format.short(winner.wallet)} won`) : "Nobody won alone");
}
