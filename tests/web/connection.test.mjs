// When the page's socket comes back, by a clock, timers and sockets of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSE_CODES } from "../../fastws/web/close_codes.js";
import { advice, Connection, pause } from "../../fastws/web/connection.js";
import { World } from "./world.mjs";

function started(token) {
  const world = new World();
  const messages = [];
  const connection = new Connection(world, { message: (message) => messages.push(message.type), state: () => {} });
  connection.start(token);
  return { world, connection, messages };
}

test("every code of the table gives the table's advice, also where two reasons share a code", () => {
  for (const [code, reason, action] of CLOSE_CODES) assert.equal(advice(code, reason), action);
});

test("codes that are not in the table are judged by their range", () => {
  assert.equal(advice(1006), "reconnect");
  assert.equal(advice(1005), "reconnect");
  assert.equal(advice(4444), "stop");
  assert.equal(advice(4599), "reconnect_later");
  assert.equal(advice(3000), "reconnect_later");
});

test("waits double to a limit, are any part of that, and are longer where patience is asked for", () => {
  const longest = () => 1;
  assert.deepEqual([0, 1, 2, 3].map((n) => pause("reconnect", n, longest)), [250, 500, 1000, 2000]);
  assert.equal(pause("reconnect", 0, () => 0.1), 25);
  assert.equal(pause("reconnect", 1000, longest), 30000);
  assert.equal(pause("reconnect_later", 0, longest), 5000);
  assert.equal(pause("fall_back", 1, longest), 10000);
});

test("it is live once the server says so, and hands on every frame", () => {
  const { world, connection, messages } = started();
  assert.equal(connection.state.name, "connecting");
  world.hear({ type: "token_update", data: [] });
  world.establish({ authenticated: true, user: { wallet_address: "w", role: "user" } });
  assert.equal(connection.state.name, "live");
  assert.equal(connection.state.user.role, "user");
  assert.deepEqual(messages, ["token_update", "connection_established"]);
});

test("nothing is sent before it is live", () => {
  const { world, connection } = started();
  connection.send({ type: "subscribe_tokens" });
  assert.deepEqual(world.socket.sent, []);
});

test("a binary message goes out as it is, and like any other only while it is live", () => {
  const { world, connection } = started();
  const { buffer } = Uint8Array.of(16, 1, 2, 3);
  connection.sendBinary(buffer);
  assert.deepEqual(world.socket.sent, []);
  world.establish();
  connection.sendBinary(buffer);
  assert.equal(world.socket.sent.at(-1), buffer);
});

test("a lost connection is tried again, each time after a longer wait", () => {
  const { world, connection } = started();
  for (const wait of [250, 500, 1000]) {
    world.close(1006);
    assert.deepEqual([connection.state.name, connection.state.until - world.time], ["waiting", wait]);
    const before = world.sockets.length;
    world.pass(wait - 1);
    assert.equal(world.sockets.length, before);
    world.pass(1);
    assert.equal(world.sockets.length, before + 1);
    assert.equal(connection.state.name, "connecting");
  }
});

test("waits begin anew after a connection that lived, not after one that only opened", () => {
  const { world, connection } = started();
  const wait = () => connection.state.until - world.time;
  world.close(1006);
  world.pass(250);
  world.establish();
  world.close(1006);
  assert.equal(wait(), 500);
  world.pass(500);
  world.establish();
  world.pass(5000);
  world.close(1006);
  assert.equal(wait(), 250);
});

test("a code that ends the session is not argued with, until somebody asks", () => {
  const { world, connection } = started();
  world.establish();
  world.close(4403, "Access withdrawn");
  assert.deepEqual([connection.state.name, connection.state.reason], ["stopped", "Access withdrawn"]);
  world.pass(3_600_000);
  assert.equal(world.sockets.length, 1);
  connection.start();
  assert.equal(world.sockets.length, 2);
});

test("a drain's wait is kept, and is forgotten after it", () => {
  const { world, connection } = started();
  world.establish();
  world.hear({ type: "drain", reconnect_after_ms: 9000, deadline_ms: 20000 });
  world.close(1012, "Service restart");
  assert.equal(connection.state.until - world.time, 9000);
  world.pass(9000);
  world.close(1006);
  assert.ok(connection.state.until - world.time < 9000);
});

test("an expired token is left behind", () => {
  const { world } = started("a.b.c");
  assert.equal(world.socket.token, "a.b.c");
  world.establish({ authenticated: true, user: { wallet_address: "w", role: "user" } });
  world.close(4401, "Token expired");
  world.pass(1000);
  assert.equal(world.socket.token, "");
});

test("a token survives a lost connection", () => {
  const { world } = started("a.b.c");
  world.establish({ authenticated: true, user: { wallet_address: "w", role: "user" } });
  world.close(1006);
  world.pass(1000);
  assert.equal(world.socket.token, "a.b.c");
});

test("a refused token is said, and not offered again", () => {
  const { world, connection } = started("a.b.c");
  world.establish();
  assert.deepEqual([connection.state.name, connection.state.reason], ["live", "The token was refused"]);
  world.close(1006);
  world.pass(1000);
  assert.equal(world.socket.token, "");
});

test("a ping's way and back is the latency, and pings go on", () => {
  const { world, connection } = started();
  world.establish();
  for (let round = 1; round < 4; round += 1) {
    assert.equal(world.socket.sent.filter((message) => message.type === "ping").length, round);
    world.pass(7);
    world.hear({ type: "pong" });
    assert.equal(connection.state.latency, 7);
    world.pass(4993);
  }
});

test("a server that answers no ping is left, although its socket never closed", () => {
  const { world, connection } = started();
  world.establish();
  const silent = world.socket;
  world.pass(15_000);
  assert.equal(connection.state.name, "live");
  world.pass(5000);
  assert.equal(connection.state.name, "waiting");
  assert.ok(silent.closed);
  assert.equal(silent.onclose, null);
});

test("a handshake that never ends is given up", () => {
  const { world, connection } = started();
  world.pass(15_000);
  assert.equal(connection.state.name, "waiting");
  assert.ok(world.socket.closed);
});

test("a wake from sleep with an answered ping costs nothing", () => {
  const { world, connection } = started();
  world.establish();
  world.hear({ type: "pong" });
  world.time += 3_600_000; // timers stood still
  world.timers[0].at = world.time;
  world.pass(0);
  assert.equal(connection.state.name, "live");
});

test("starting again leaves one socket and one timer", () => {
  const { world, connection } = started();
  world.establish();
  connection.start("");
  assert.ok(world.sockets[0].closed);
  assert.equal(world.sockets[0].onmessage, null);
  world.establish();
  assert.equal(world.timers.length, 1);
});
