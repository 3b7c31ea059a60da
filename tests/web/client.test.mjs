// The client without a network: what it asks for, what it makes of answers, losses and broken frames.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { askFlag, Client, Decimal, RequestError, valueOf } from "../../fastws/web/client.js";
import { World } from "./world.mjs";

const vectors = JSON.parse(readFileSync(new URL("../vectors/tables.json", import.meta.url), "utf8"));
const { told, steps } = vectors.cases[0];
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
const frame = (at) => bytes(steps[at].binary);
const EPOCH = 1764036000123;
const settled = () => new Promise((resolve) => setImmediate(resolve));

class Page extends EventTarget {
  hidden = false;
  hide(hidden) {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

function started(options = {}, parts = {}) {
  const world = Object.assign(new World(), { storage: null }, parts);
  const around = { now: world.now, random: world.random, document: world.document, fetch: world.fetch };
  for (const name of ["open", "after", "cancel"]) around[name] = world[name].bind(world);
  const client = new Client("ws://new/", { storage: null, ...options }, around);
  client.start(options.token);
  return { world, client };
}

function confirm(world, fields = {}) {
  world.hear({ type: "subscription_confirmed", channel: "t", kind: "table", epoch: EPOCH, tick: 0, channel_id: 300, unknown: [], ...told, ...fields });
}

function following(options = {}, parts = {}) {
  const heard = { rows: [], repair: [], confirmed: 0, ended: [] };
  const on = { rows: (ids) => heard.rows.push([...ids]), repair: (why) => heard.repair.push(why), ended: (said) => heard.ended.push(said.code) };
  const { world, client } = started({}, parts);
  const table = client.table("t", options, on);
  world.establish();
  return { world, client, table, heard };
}

test("a table is asked for once the connection is live, and its rows are handed on", () => {
  const { world, table, heard } = following();
  assert.deepEqual(world.sent("subscribe"), [{ type: "subscribe", channel: "t", format: "binary", accept: ["zstd"] }]);
  confirm(world);
  world.hear(frame(0));
  world.hear(frame(1));
  assert.deepEqual(heard.rows, [[0, 1], [0]]);
  assert.equal(table.value("SOL", "price"), 171.20499);
  assert.equal(table.copy.checksum(), steps[1].held.checksum);
  assert.equal(table.value("nobody", "price"), undefined);
});

test("binary messages go out as they are", () => {
  const { world, client } = started();
  world.establish();
  const { buffer } = new Uint8Array(12);
  client.sendBinary(buffer);
  assert.equal(world.socket.sent.at(-1), buffer);
});

test("after a loss it goes on from its epoch and tick, and channels' old numbers are forgotten", () => {
  const { world, table } = following();
  confirm(world);
  world.hear(frame(0));
  world.close(1006);
  world.pass(250);
  world.establish();
  assert.deepEqual(world.sent("subscribe")[0].since, { epoch: EPOCH, tick: 1 });
  confirm(world, { recovered: true, channel_id: 301 });
  world.hear(frame(1)); // of channel 300, somebody else's now
  assert.equal(table.copy.tick, 1);
  assert.equal(table.recovered, true);
});

test("rows that were not held come under `new`; unwanted ones are forgotten before a resume", () => {
  const { world, table } = following({ rows: ["SOL", "BONK"] });
  confirm(world);
  world.hear(frame(0));
  world.close(1006);
  table.follow(["BONK", "WIF"]); // while there is no connection
  world.pass(250);
  world.establish();
  const [asked] = world.sent("subscribe");
  assert.deepEqual([asked.rows, asked.new, asked.since.tick], [["BONK", "WIF"], ["WIF"], 1]);
  assert.deepEqual([...table.copy.ids.keys()], ["BONK"]);
});

test("from some rows to all there is no resume: what follows is a snapshot", () => {
  const { world, table } = following({ rows: ["SOL"] });
  confirm(world);
  world.hear(frame(0));
  world.close(1006);
  table.follow(null);
  world.pass(250);
  world.establish();
  assert.deepEqual(Object.keys(world.sent("subscribe")[0]), ["type", "channel", "format", "accept"]);
});

test("a server that cannot go on from there sends a snapshot, and nothing before it counts", () => {
  const { world, table } = following();
  confirm(world);
  world.hear(frame(0));
  world.hear(frame(1));
  world.close(1006);
  world.pass(250);
  world.establish();
  confirm(world, { recovered: false, epoch: EPOCH + 1 });
  assert.ok(table.copy.lost);
  assert.equal(table.value("SOL", "price"), 171.20499, "shown until there is something newer");
  world.hear(frame(0));
  assert.deepEqual([table.copy.lost, table.value("SOL", "price")], [false, 171.2]);
});

test("a corrupt frame is repaired by a snapshot of its channel alone", () => {
  const { world, client, table, heard } = following();
  const other = client.table("u", {}, {});
  confirm(world);
  confirm(world, { channel: "u", channel_id: 301 });
  const ofOther = frame(0).with(2, 0xad); // channel 301
  world.hear(frame(0));
  world.hear(ofOther);
  const corrupt = frame(1);
  corrupt[7] = 0x06; // gap 0, code 6: no row has that
  world.hear(corrupt);
  assert.deepEqual(world.sent("resync"), [{ type: "resync", channel: "t" }]);
  assert.deepEqual([table.repairs, other.repairs, heard.repair.length], [1, 0, 1]);
  world.hear(frame(1)); // under way when it was asked
  assert.equal(world.sent("resync").length, 1, "asked once");
  world.pass(1000);
  world.hear(frame(0));
  assert.deepEqual([table.copy.lost, table.copy.checksum()], [false, steps[0].held.checksum]);
  assert.equal(other.copy.checksum(), steps[0].held.checksum);
});

test("a message that is no message leaves the client standing", () => {
  const { world, client, table } = following();
  const told = [];
  client.on("broken", (why) => told.push(why));
  confirm(world);
  world.hear(frame(0));
  world.hear(bytes("ff01"));
  assert.equal(told.length, 1);
  assert.equal(table.copy.tick, 1);
});

test("a hidden tab asks for one frame a second, and for all of them when it is seen", () => {
  const document = new Page();
  const { world } = following({}, { document });
  confirm(world);
  document.hide(true);
  document.hide(false);
  assert.deepEqual(world.sent("subscribe").map((asked) => asked.max_rate_ms), [undefined, 1000, undefined]);
});

test("a hidden tab may pause instead, also over a loss", () => {
  const document = new Page();
  const { world } = following({ hidden: "pause" }, { document });
  confirm(world);
  document.hide(true);
  assert.deepEqual(world.sent("pause"), [{ type: "pause", channel: "t" }]);
  world.close(1006);
  world.pass(250);
  world.establish();
  confirm(world, { recovered: true });
  assert.equal(world.sent("pause").length, 1);
  document.hide(false);
  assert.equal(world.sent("resume").length, 1);
});

test("JSON frames are a table's, too", () => {
  const json = vectors.cases.find(({ name }) => name === "json, all");
  const { world, table } = following({ format: "json" });
  assert.equal(world.sent("subscribe")[0].accept, undefined);
  confirm(world, json.told);
  for (const step of json.steps.slice(0, 3)) world.hear({ ...step.json, type: "table", channel: "t" });
  assert.equal(table.copy.checksum(), json.steps[2].held.checksum);
});

test("a subscription the server ended is told and not asked for again", () => {
  const { world, heard } = following();
  world.hear({ type: "unsubscribed", channel: "t", code: "SUBSCRIPTION_DENIED", message: "…" });
  assert.deepEqual(heard.ended, ["SUBSCRIPTION_DENIED"]);
  world.close(1006);
  world.pass(250);
  world.establish();
  assert.equal(world.sent("subscribe").length, 0);
});

test("a stream hands on each message once, goes on from its offset and says what is missing", () => {
  const { world, client } = started();
  const got = [];
  const gaps = [];
  const stream = client.stream("s", { message: ({ offset }) => got.push(offset), gap: ({ from, to }) => gaps.push([from, to]) });
  world.establish();
  world.hear({ type: "subscription_confirmed", channel: "s", kind: "stream", epoch: 5, offset: 10 });
  for (const offset of [11, 12, 12, 11, 13]) world.hear({ type: "note", channel: "s", offset });
  assert.deepEqual(got, [11, 12, 13]);
  world.close(1006);
  world.pass(250);
  world.establish();
  assert.deepEqual(world.sent("subscribe")[0].since, { epoch: 5, offset: 13 });
  world.hear({ type: "subscription_confirmed", channel: "s", kind: "stream", epoch: 5, offset: 20, recovered: true });
  world.hear({ type: "note", channel: "s", offset: 14 });
  world.hear({ type: "gap", channel: "s", from: 15, to: 18 });
  world.hear({ type: "note", channel: "s", offset: 19 });
  assert.deepEqual([got.slice(3), gaps, stream.recovered], [[14, 19], [[15, 18]], true]);
  world.hear({ type: "gap", channel: "s", from: 20, to: 19, epoch: 6 });
  world.hear({ type: "note", channel: "s", offset: 1 });
  assert.deepEqual([stream.epoch, stream.offset], [6, 1]);
  world.close(1006);
  world.pass(500);
  world.establish();
  world.hear({ type: "subscription_confirmed", channel: "s", kind: "stream", epoch: 7, offset: 3, recovered: false });
  assert.deepEqual([gaps.at(-1), stream.recovered], [[2, null], false]);
});

test("a request is answered by its id, refused by an error, and never left open", async () => {
  const { world, client } = started();
  await assert.rejects(client.request({ type: "get" }), { code: "NOT_CONNECTED" });
  world.establish();
  const answers = [1, 2, 3].map(() => client.request({ type: "get" }, { timeoutMs: 4000 }));
  const ids = world.sent("get").map(({ id }) => id);
  const outcome = Promise.allSettled(answers);
  world.hear({ type: "error", id: ids[1], code: "TOKEN_NOT_FOUND", message: "no" });
  world.hear({ type: "got", id: ids[0] });
  world.pass(4000);
  const [one, two, three] = await outcome;
  assert.equal(one.value.type, "got");
  assert.ok(two.reason instanceof RequestError);
  assert.deepEqual([two.reason.code, three.reason.code], ["TOKEN_NOT_FOUND", "TIMEOUT"]);
  const cut = assert.rejects(client.request({ type: "get" }), { code: "NOT_CONNECTED" });
  world.close(1006);
  await cut;
});

function issuing(answers) {
  const asked = [];
  const fetch = async (url, how) => {
    asked.push([url, how.credentials]);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === null) throw new TypeError("no network");
    const status = answer === "" ? 401 : 200;
    return { status, ok: status === 200, json: async () => ({ token: answer, expiresIn: 3600 }) };
  };
  return { asked, fetch };
}

test("a token is fetched with the cookie, renewed before the server warns, and again when it does", async () => {
  const { asked, fetch } = issuing(["a.b.1", "a.b.2", "a.b.3"]);
  const { world } = started({ auth: "cookie" }, { fetch });
  await settled();
  assert.deepEqual([asked[0], world.socket.token], [["/api/auth/token", "include"], "a.b.1"]);
  world.establish({ authenticated: true, user: { wallet_address: "w", role: "user" } });
  for (let second = 0; second < 3600 - 120; second += 5) {
    world.pass(5000);
    world.hear({ type: "pong" });
  }
  await settled();
  assert.deepEqual(world.sent("refresh"), [{ type: "refresh", token: "a.b.2" }]);
  world.hear({ type: "token_expiring", expires_in: 60 });
  await settled();
  assert.equal(world.sent("refresh")[1].token, "a.b.3");
});

test("an expired token is replaced, and without one the page comes as a guest", async () => {
  const { world } = started({ auth: "cookie" }, issuing(["a.b.1", "a.b.2", ""]));
  await settled();
  world.establish({ authenticated: true });
  world.close(4401, "Token expired");
  world.pass(250);
  await settled();
  assert.equal(world.socket.token, "a.b.2");
  world.close(4401, "Session revoked");
  world.pass(500);
  await settled();
  assert.equal(world.socket.token, "");
  world.close(4001, "Authentication required");
  world.pass(3_600_000);
  assert.equal(world.sockets.length, 3, "nobody is signed in: that is the end");
});

test("a server that cannot be asked for a token is a lost connection", async () => {
  const { world, client } = started({ auth: "cookie" }, issuing([null, "a.b.1"]));
  await settled();
  assert.equal(client.state.name, "waiting");
  world.pass(250);
  await settled();
  assert.equal(world.socket.token, "a.b.1");
});

test("a switched-off endpoint is left for the older one, which knows only channels, and tried again later", () => {
  const { world, client } = started({ olderUrl: "ws://older/", returnAfterMs: 60_000 });
  client.table("t");
  world.establish();
  world.close(4503, "Endpoint switched off");
  world.pass(5000);
  assert.equal(world.socket.url, "ws://older/");
  world.establish();
  assert.deepEqual(world.sent("subscribe"), [{ type: "subscribe", channel: "t" }]);
  assert.ok(client.state.older);
  for (let second = 0; second < 60; second += 5) {
    assert.equal(world.socket.url, "ws://older/");
    world.pass(5000);
    world.hear({ type: "pong" });
  }
  assert.equal(world.socket.url, "ws://new/");
  world.establish();
  assert.equal(world.sent("subscribe")[0].format, "binary");
  assert.ok(!client.state.older);
});

test("the way to the older server may take longer than it is kept, and it is left if it does not answer", () => {
  const { world } = started({ olderUrl: "ws://older/", returnAfterMs: 3000, failures: 3 });
  world.establish();
  world.close(4503, "Endpoint switched off");
  const urls = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    world.pass(5000);
    urls.push(world.socket.url);
    world.close(1006);
  }
  assert.deepEqual(urls, ["ws://older/", "ws://older/", "ws://older/", "ws://new/"]);
});

test("attempts that never become live lead to the older server, once it is known and they are enough", () => {
  for (const olderUrl of ["ws://older/", ""]) {
    const { world } = started({ olderUrl, failures: 3 });
    const urls = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      urls.push(world.socket.url);
      world.close(1006);
      world.pass(4000);
    }
    assert.equal(urls[3], olderUrl || "ws://new/");
    assert.deepEqual(new Set(urls.slice(0, 3)), new Set(["ws://new/"]));
  }
});

test("the flag decides, and a tester's storage over it", () => {
  const stored = (text) => ({ getItem: (name) => (name === "use_websocket_v2" ? text : null) });
  const to = (enabled, storage) => started({ olderUrl: "ws://older/", enabled, storage }).world.socket.url;
  assert.equal(to(true, null), "ws://new/");
  assert.equal(to(false, null), "ws://older/");
  assert.equal(to(false, stored("true")), "ws://new/");
  assert.equal(to(true, stored("false")), "ws://older/");
  assert.equal(to(true, stored("maybe")), "ws://new/");
  const forbidden = { getItem: () => { throw new Error("SecurityError"); } };
  assert.equal(to(true, forbidden), "ws://new/");
});

test("stopped is stopped, and a start goes on from where it was", () => {
  const { world, client } = following();
  confirm(world);
  world.hear(frame(0));
  client.stop();
  world.pass(3_600_000);
  assert.deepEqual([world.sockets.length, client.state.name, world.timers.length], [1, "stopped", 0]);
  client.start();
  world.establish();
  assert.equal(world.sent("subscribe")[0].since.tick, 1);
});

test("a holding's worth has every digit", () => {
  const { world, table } = following();
  confirm(world);
  world.hear(frame(0));
  const { total, parts, unpriced } = valueOf(table.copy, [
    ["SOL", { units: 1_000_000_001n, decimals: 9 }],
    ["BONK", "123456789012345678.5"],
    ["WIF", "1"],
  ]);
  assert.equal(String(parts.get("SOL")), "171.2000001712");
  assert.equal(String(total), String(Decimal.parse("123456789012345678.5").times(new Decimal(21734567, -12)).plus(parts.get("SOL"))));
  assert.deepEqual(unpriced, ["WIF"]);
});

test("decimals add, compare and read as they are written", () => {
  const decimal = Decimal.parse;
  assert.equal(String(decimal("0.1").plus(decimal("0.2"))), "0.3");
  assert.equal(String(decimal("-1.50").plus(decimal("1"))), "-0.5");
  assert.equal(String(decimal("5e3")), "5000");
  assert.equal(String(decimal("0e3")), "0");
  assert.equal(decimal("1.5e-9").toNumber(), 1.5e-9);
  assert.deepEqual([["1", "2"], ["2", "1.0"], ["1.0", "1"]].map(([a, b]) => decimal(a).compare(decimal(b))), [-1, 1, 0]);
  for (const text of ["", "1,5", "0x10", "NaN", "1e9999"]) assert.throws(() => decimal(text), SyntaxError);
});

test("the flag is read from the server's flags, or from an older answer", async () => {
  const answering = (ok, body) => async () => ({ ok, json: async () => body });
  assert.equal(await askFlag(answering(true, { flags: { use_websocket_v2: false } }), "/f"), false);
  assert.equal(await askFlag(answering(true, { use_websocket_v2: false }), "/f"), false);
  assert.equal(await askFlag(answering(true, { flags: {} }), "/f", false), false);
  assert.equal(await askFlag(answering(false, { flags: { use_websocket_v2: false } }), "/f"), true);
});
