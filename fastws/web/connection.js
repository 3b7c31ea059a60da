// A socket that comes back. Owns when: what each close code asks for, waits that grow and differ
// between browsers, pings, a watch over connections that died unnoticed. Knows no elements and no
// market. The clock, the timers, the random numbers and the socket are given to it.

import { CLOSE_CODES } from "./close_codes.js";

const FIRST_MS = 250;
const LATER_MS = 5000;
const LONGEST_MS = 30000;
const LIVED_MS = 5000; // a connection that lived this long makes the next wait short again
const PING_MS = 5000;
const DEAD_MS = 15000; // a ping without an answer for so long: the network is gone

/** What to do after a close: done, reconnect, reconnect_later, fall_back, new_token, stop. */
export function advice(code, reason = "") {
  const named = CLOSE_CODES.filter(([number]) => number === code);
  const exact = named.find(([, text]) => text === reason) ?? named[0];
  if (exact) return exact[2];
  if (code === 1005 || code === 1006) return "reconnect";
  return code >= 4400 && code <= 4499 ? "stop" : "reconnect_later";
}

/** Milliseconds to wait: half to the whole of a step that doubles with each attempt. */
export function pause(action, attempts, random) {
  const first = action === "reconnect_later" || action === "fall_back" ? LATER_MS : FIRST_MS;
  return Math.min(LONGEST_MS, first * 2 ** Math.min(attempts, 16)) * (0.5 + random() / 2);
}

/**
 * The world it lives in, replaced as a whole by tests.
 * `open(token)` makes a WebSocket; times are in milliseconds.
 */
export const browser = (url) => ({
  // An offered protocol that is not the token is what the server echoes.
  open: (token) => (token ? new WebSocket(url, ["fastws", token]) : new WebSocket(url)),
  now: () => performance.now(),
  random: Math.random,
  after: (ms, call) => setTimeout(call, ms),
  cancel: (timer) => clearTimeout(timer),
});

/**
 * Calls `on.message(message, size)` for each frame and `on.state(state)` whenever it changes:
 * {name: "connecting" | "live" | "waiting" | "stopped", reason, until, user, latency}
 */
export class Connection {
  #world;
  #on;
  #token = "";
  #socket = null;
  #timer = null; // the next attempt, the end of this one, or the next ping
  #attempts = 0;
  #openedAt = 0;
  #pingedAt = null;
  #notBefore = 0; // ms of the wait a drain message asked for
  state = { name: "connecting", reason: "", until: 0, user: null, latency: null };

  constructor(world, on) {
    this.#world = world;
    this.#on = on;
  }

  /** Connect now, with another token if one is given ("" for none). */
  start(token = this.#token) {
    this.#token = token;
    this.#drop();
    this.#show({ name: "connecting", latency: null, until: 0 });
    const socket = (this.#socket = this.#world.open(token));
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    this.#timer = this.#world.after(DEAD_MS, () => this.#lost(1006, "No answer"));
  }

  send(message) {
    if (this.state.name === "live") this.#socket.send(JSON.stringify(message));
  }

  #show(change) {
    this.state = { ...this.state, ...change };
    this.#on.state(this.state);
  }

  #take(text) {
    const message = JSON.parse(text);
    if (message.type === "connection_established") this.#established(message);
    else if (message.type === "pong") this.#answered();
    else if (message.type === "drain") this.#notBefore = message.reconnect_after_ms;
    this.#on.message(message, text.length);
  }

  #established(message) {
    this.#world.cancel(this.#timer);
    this.#openedAt = this.#world.now();
    this.#notBefore = 0;
    const refused = this.#token !== "" && !message.authenticated;
    if (refused) this.#token = "";
    this.#show({ name: "live", user: message.user ?? null, reason: refused ? "The token was refused" : "" });
    this.#ping();
  }

  #ping() {
    const now = this.#world.now();
    if (this.#pingedAt !== null && now - this.#pingedAt > DEAD_MS) {
      this.#lost(1006, "No answer");
      return;
    }
    if (this.#pingedAt === null) {
      this.#pingedAt = now;
      this.send({ type: "ping" });
    }
    this.#timer = this.#world.after(PING_MS, () => this.#ping());
  }

  #answered() {
    if (this.#pingedAt === null) return;
    const latency = this.#world.now() - this.#pingedAt;
    this.#pingedAt = null;
    this.#show({ latency });
  }

  #lost(code, reason) {
    const wasLive = this.state.name === "live";
    this.#drop();
    if (wasLive && this.#world.now() - this.#openedAt >= LIVED_MS) this.#attempts = 0;
    const action = advice(code, reason);
    const gone = { latency: null, user: null, reason: reason || "Connection lost" };
    if (action === "stop" || action === "done") {
      this.#show({ ...gone, name: "stopped", until: 0 });
      return;
    }
    if (action === "new_token") this.#token = "";
    const wait = Math.max(pause(action, this.#attempts, this.#world.random), this.#notBefore);
    this.#attempts += 1;
    this.#notBefore = 0;
    this.#timer = this.#world.after(wait, () => this.start());
    this.#show({ ...gone, name: "waiting", until: this.#world.now() + wait });
  }

  // Leave the socket, whatever it is doing: a dead network takes a minute to say that it closed.
  #drop() {
    this.#world.cancel(this.#timer);
    this.#pingedAt = null;
    if (this.#socket === null) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
