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

/** Milliseconds to wait: any part of a step that doubles with each attempt ("full jitter"). */
export function pause(action, attempts, random) {
  const first = action === "reconnect_later" || action === "fall_back" ? LATER_MS : FIRST_MS;
  return Math.min(LONGEST_MS, first * 2 ** Math.min(attempts, 16)) * random();
}

/**
 * The world it lives in, replaced as a whole by tests. `open(token)` makes a WebSocket; `credential`,
 * if there is one, resolves to the token to come with ("" for none); times are in milliseconds.
 */
export const browser = (url) => ({
  // An offered protocol that is not the token is what the server echoes.
  open: (token) => {
    const target = typeof url === "function" ? url() : url;
    return token ? new WebSocket(target, ["fastws", token]) : new WebSocket(target);
  },
  now: () => performance.now(),
  random: Math.random,
  after: (ms, call) => setTimeout(call, ms),
  cancel: (timer) => clearTimeout(timer),
});

/**
 * Calls `on.message(message, size)` for each JSON message, `on.binary(buffer)` for each binary one,
 * `on.lost(action, wasLive)` when a connection ends, and `on.state(state)` whenever it changes:
 * {name: "connecting" | "live" | "waiting" | "stopped", reason, until, user, latency}
 */
export class Connection {
  #world;
  #on;
  #token = "";
  #offered = ""; // the token of the connection at hand
  #socket = null;
  #timer = null; // the next attempt, the end of this one, or the next ping
  #attempts = 0;
  #openedAt = 0;
  #pingedAt = null;
  #notBefore = 0; // ms of the wait a drain message asked for
  #turn = 0; // which attempt it is: a token that comes late belongs to none
  #anonymous = false; // the token was left out on purpose
  state = { name: "connecting", reason: "", until: 0, user: null, latency: null };

  constructor(world, on) {
    this.#world = world;
    this.#on = on;
  }

  /** Connect now, with another token if one is given ("" for none). */
  start(token) {
    if (token !== undefined) this.#token = token;
    this.#anonymous = token === "";
    this.#begin();
  }

  /** Connect no more, until `start`. */
  stop(reason = "") {
    this.#drop();
    this.#show({ name: "stopped", reason, user: null, latency: null, until: 0 });
  }

  /** Leave this connection and come back at once, as after a loss. */
  restart() {
    this.#drop();
    this.#begin();
  }

  #begin() {
    this.#drop();
    const turn = this.#turn;
    this.#show({ name: "connecting", latency: null, until: 0 });
    this.#timer = this.#world.after(DEAD_MS, () => this.#lost(1006, "No answer"));
    if (this.#token || this.#anonymous || !this.#world.credential) this.#open(this.#token);
    else {
      this.#world.credential().then(
        (token) => turn === this.#turn && this.#open(token),
        () => turn === this.#turn && this.#lost(1006, "The server cannot be reached"),
      );
    }
  }

  #open(token) {
    this.#offered = token;
    const socket = (this.#socket = this.#world.open(token));
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
  }

  send(message) {
    if (this.state.name === "live") this.#socket.send(JSON.stringify(message));
  }

  sendBinary(buffer) {
    if (this.state.name === "live") this.#socket.send(buffer);
  }

  #show(change) {
    this.state = { ...this.state, ...change };
    this.#on.state(this.state);
  }

  #take(data) {
    if (typeof data !== "string") {
      this.#on.binary?.(data);
      return;
    }
    const said = JSON.parse(data);
    const socket = this.#socket;
    for (const message of Array.isArray(said) ? said : [said]) {
      if (message.type === "connection_established") this.#established(message);
      else if (message.type === "pong") this.#answered();
      else if (message.type === "drain") this.#notBefore = message.reconnect_after_ms;
      this.#on.message(message, data.length);
      if (socket !== this.#socket) return; // a listener left this connection
    }
  }

  #established(message) {
    this.#world.cancel(this.#timer);
    this.#openedAt = this.#world.now();
    this.#notBefore = 0;
    const refused = this.#offered !== "" && !message.authenticated;
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
    this.#on.lost?.(action, wasLive);
    // Without any token to come with, "come with a token" is the end.
    const nothingToCome = action === "new_token" && code === 4001 && this.#offered === "";
    if (action === "stop" || action === "done" || nothingToCome) {
      this.#show({ ...gone, name: "stopped", until: 0 });
      return;
    }
    if (action === "new_token") this.#token = "";
    const wait = Math.max(pause(action, this.#attempts, this.#world.random), this.#notBefore);
    this.#attempts += 1;
    this.#notBefore = 0;
    this.#timer = this.#world.after(wait, () => this.#begin());
    this.#show({ ...gone, name: "waiting", until: this.#world.now() + wait });
  }

  // Leave the socket, whatever it is doing: a dead network takes a minute to say that it closed.
  #drop() {
    this.#world.cancel(this.#timer);
    this.#turn += 1;
    this.#pingedAt = null;
    if (this.#socket === null) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
