// A match from its rows and events: what there is to draw, and which inputs go out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { rulesOf, steered } from "../../fastws/web/dogfight.js";
import { Match } from "../../fastws/web/match.js";
import { TableCopy } from "../../fastws/web/tables.js";

const STEP_MS = 1000 / 30;
const NUMBERS = ["x", "y", "heading", "speed", "seq"];
const COLUMNS = [
  ...NUMBERS.map((name) => ({ name, kind: "decimal" })),
  { name: "state", kind: "enum" },
  ...["health", "score", "deaths"].map((name) => ({ name, kind: "int" })),
  { name: "name", kind: "text" },
];
const rules = rulesOf(30);

class FakeClient {
  state = { name: "live" };
  followed = new Map();
  sent = [];
  table(channel, options, on = {}) {
    this.followed.set(channel, on);
    return { value: (key, column) => `${key} ${column}` };
  }
  stream(channel, on) {
    this.followed.set(channel, on);
  }
  leave(channel) {
    this.followed.delete(channel);
  }
  sendBinary(buffer) {
    this.sent.push(new DataView(buffer).getUint32(1, true));
  }
}

function followed(seat, told = { hz: 30 }) {
  const client = new FakeClient();
  const heard = [];
  const time = { now: 1000 };
  const match = new Match(client, { match_id: 7, ...told }, seat, { event: ({ type }) => heard.push(type) }, () => time.now);
  const copy = new TableCopy({ columns: COLUMNS });
  let tick = 0;
  const table = client.followed.get("match.7");
  const frame = (rows) => {
    const numbered = rows.map(([key, numbers, ...cells], id) => [id, key, ...numbers.map((number) => [number, 0]), ...cells]);
    table.rows(copy.applyJson({ tick: ++tick, base: 0, snapshot: true, epoch: 1, rows: numbered }), copy);
  };
  const planes = [{ x: 1_000_000, y: 900_000, heading: 0, speed: rules.slowest }, { x: 2_000_000, y: 900_000, heading: 0, speed: rules.slowest }];
  const show = (step, state, seq, states = [1, 1], shots = []) => {
    const rows = planes.map(({ x, y, heading, speed }, player) => [`p${player}`, [x >> 7, y >> 7, heading >> 4, speed >> 4, player ? 0 : seq], states[player], 100, player, 0, ["Ada", "Bo"][player]]);
    frame([["game", [0, 0, 0, 0, step], state, 0, 0, 0, ""], ...rows, ...shots]);
  };
  const say = (said) => client.followed.get("match.7.events").message(said);
  return { client, match, heard, time, planes, show, say, table };
}

test("a player follows state, own row and events; a guest has no row; both leave all of it", () => {
  const player = followed(0);
  assert.deepEqual([...player.client.followed.keys()], ["match.7", "match.7.own", "match.7.events"]);
  assert.equal(player.match.gun.ammo, "p0 ammo");
  player.match.close();
  assert.equal(player.client.followed.size, 0);
  assert.deepEqual([...followed(null).client.followed.keys()], ["match.7", "match.7.events"]);
});

test("inputs go out while it is live and one flies, and their numbers go on from the row's", () => {
  const { client, match, show } = followed(0);
  const go = () => match.send({ throttle: 64, turn: 0, fire: false }, 0);
  go();
  show(0, 1, 0);
  go();
  show(5, 2, 500, [2, 1]);
  go();
  assert.deepEqual(client.sent, [], "no state, not live, down");
  show(6, 2, 500);
  go();
  go();
  assert.deepEqual(client.sent, [501, 502]);
  assert.equal(match.prediction.ahead, 2);
  match.lost();
  go();
  assert.equal(match.prediction.ahead, 0);
  assert.equal(client.sent.length, 2, "until the state is known again");
  client.state.name = "waiting";
  show(9, 2, 502);
  go();
  assert.equal(client.sent.length, 2);
});

test("who watches sends nothing and sees all planes in the past", () => {
  const { client, match, show, planes, time } = followed(null);
  for (let step = 1; step <= 60; step++) {
    planes[0] = steered(rules, planes[0], { throttle: 0, turn: 0 });
    time.now += STEP_MS;
    show(step, 2, 0);
  }
  match.send({ throttle: 64, turn: 0, fire: false }, 0);
  const [ada] = match.scene(time.now).planes;
  const past = (planes[0].x / 1024 - ada.x) / (rules.slowest / 1024);
  assert.ok(Math.abs(past - 3) < 0.2, `${past} steps`);
  assert.deepEqual([client.sent, match.seat, match.loss], [[], null, 0]);
});

test("oneself is drawn where one will be, others and their shots where they were", () => {
  const { match, show, time } = followed(0);
  const shot = ["p1.0", [8000, 8000, 0, 1024, 4], 1, 0, 0, 0, ""];
  show(4, 2, 0, [1, 3], [shot]);
  for (let seq = 1; seq <= 5; seq++) match.send({ throttle: 127, turn: 127, fire: false }, time.now);
  const scene = match.scene(time.now + 500);
  assert.deepEqual(scene.planes.map(({ player, own, state }) => [player, own, state]), [[1, false, 3], [0, true, 1]]);
  assert.ok(scene.own.angle > 0.3, "turned already");
  assert.equal(scene.shots.length, 1);
  assert.deepEqual(match.scores.map(({ name, score, own }) => [name, score, own]), [["Bo", 1, false], ["Ada", 0, true]]);
});

test("inputs that come just when steps are made are asked to come later, not more often than twice a second", () => {
  const { match, show, time } = followed(0);
  show(1, 2, 10);
  show(2, 2, 11);
  assert.equal(match.nudge, false);
  show(3, 2, 11);
  assert.equal(match.nudge, true);
  match.nudge = false;
  show(4, 2, 13);
  assert.equal(match.nudge, false);
  time.now += 600;
  show(5, 2, 15);
  assert.equal(match.nudge, true);
});

test("a countdown is an event before it is a row, by the server's clock, and may be broken off", () => {
  const { match, show, say, heard } = followed(0);
  show(0, 0, 0);
  say({ type: "countdown", starts_at: 1767225603, timestamp: "2026-01-01T00:00:00.000Z" });
  assert.equal(match.status, "countdown");
  assert.ok(Math.abs(match.startsAt - Date.now() - 3000) < 100);
  say({ type: "ready", player: 1, ready: false });
  assert.equal(match.status, "lobby");
  show(1, 2, 0);
  assert.equal(match.status, "live");
  assert.deepEqual(heard, ["countdown", "ready"]);
});

test("it is over with its last row or when it is given up", () => {
  const { match, show, say } = followed(0);
  show(9, 3, 0);
  assert.deepEqual([match.status, match.over], ["finished", true]);
  say({ type: "abandoned", reason: "Nobody is here" });
  assert.deepEqual([match.status, match.abandoned], ["abandoned", "Nobody is here"]);
});

test("who goes down explodes when that is shown: oneself at once, others later", () => {
  const { match, show, say, time } = followed(0);
  show(1, 2, 0);
  say({ type: "down", player: 0, by: 1 });
  say({ type: "down", player: 1, by: 0 });
  assert.deepEqual(match.scene(time.now).explosions.map((one) => one.player), [0]);
  assert.deepEqual(match.scene(time.now + 100).explosions.map((one) => one.player), [0, 1]);
  assert.deepEqual(match.scene(time.now + 2000).explosions, []);
});

test("a guest is not told the rate: the confirmation says it, rounded", () => {
  for (const [ms, hz] of [[33, 30], [50, 20], [17, 60]]) {
    const { match, table } = followed(null, {});
    table.confirmed({ limits: { flush_ms: ms } });
    assert.equal(match.hz, hz);
  }
  const { match, table } = followed(0, { hz: 24 });
  table.confirmed({ limits: { flush_ms: 33 } });
  assert.equal(match.hz, 24);
});
