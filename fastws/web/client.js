// The browser client of fastws: one connection to one endpoint, with the streams and tables that are
// followed on it. Owns what happens after a loss (everything is asked for again, from where it was)
// and who gets which message. How to use it is in docs/browser.md; what it says on the wire in docs/wire.md.

import { browser, Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { BadFrame } from "./frames.js";
import { Route } from "./route.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";
import { Tokens } from "./tokens.js";
import { frames } from "./unpack.js";

export { advice } from "./connection.js";
export { BadFrame } from "./frames.js";
export { Decimal, valueOf } from "./portfolio.js";
export { askFlag, FLAG } from "./route.js";
export { OutOfStep, TableCopy } from "./tables.js";

const ANSWER_MS = 15_000;

/** An `error` message of the server, or a request that was not answered. */
export class RequestError extends Error {
  constructor(said) {
    super(said.message);
    this.code = said.code;
    this.said = said;
  }
}

export class Client {
  #world;
  #connection;
  #route;
  #tokens = null;
  #events = new Emitter();
  #followed = new Map(); // channel → Stream or Table
  #byId = new Map(); // channel id → Table
  #asked = new Map(); // message id → { resolve, reject, timer }
  #lastId = 0;
  #returning = null; // the timer of the way back from the older server
  #hidden = false;

  /**
   * `url`: of the endpoint, ws: or wss:. `options`: `auth`: "cookie" (fetch tokens from `tokenUrl`),
   * "none", or a function that resolves to a token; `olderUrl`, `enabled`, `failures`, `returnAfterMs`,
   * `storage` of the flag (route.js). `world` is for tests.
   */
  constructor(url, options = {}, world = {}) {
    const places = { storage: globalThis.localStorage ?? null, ...options };
    this.#world = { ...browser(() => this.#route.target), fetch: (...what) => fetch(...what), document: globalThis.document, ...world };
    this.#route = new Route({ ...places, url, now: this.#world.now });
    if (options.auth === "cookie") this.#tokens = new Tokens(this.#world, options.tokenUrl);
    const credential = this.#tokens ? () => this.#tokens.get() : typeof options.auth === "function" ? options.auth : undefined;
    this.#connection = new Connection(
      { ...this.#world, open: (token) => this.#world.open(token, this.#route.target), credential },
      {
        message: (message, size) => this.#take(message, size),
        binary: (buffer) => this.#takeBinary(buffer),
        lost: (action, wasLive) => this.#lost(action, wasLive),
        state: (state) => this.#events.tell("state", { ...state, older: this.#route.older }),
      },
    );
  }

  // ── the connection ───────────────────────────────────────────────────────────────────────

  /** {name: "connecting" | "live" | "waiting" | "stopped", reason, until, user, latency, older} */
  get state() {
    return { ...this.#connection.state, older: this.#route.older };
  }

  /** Connect, with a token of one's own if there is one ("": without). Again: at once, from where it was. */
  start(token) {
    this.#watch();
    this.#forgetConnection();
    this.#connection.start(token);
    return this;
  }

  /** Close, and stay closed. What is followed is kept for the next `start`. */
  stop() {
    this.#world.document?.removeEventListener("visibilitychange", this.#look);
    this.#tokens?.stop();
    this.#world.cancel(this.#returning);
    this.#forgetConnection();
    this.#connection.stop();
  }

  /** Hear messages by type, or "state", "message" (all of them), "traffic" (bytes). Returns how to stop. */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /** Send one message; lost if there is no live connection. */
  send(message) {
    this.#connection.send(message);
  }

  /** Send a binary message (an ArrayBuffer or a view of one); lost if there is no live connection. */
  sendBinary(buffer) {
    this.#connection.sendBinary(buffer);
  }

  /** Send a message and await its answer. Rejects with RequestError. */
  request(message, { timeoutMs = ANSWER_MS } = {}) {
    if (this.#connection.state.name !== "live") return Promise.reject(new RequestError({ code: "NOT_CONNECTED", message: "There is no connection" }));
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const timer = this.#world.after(timeoutMs, () => this.#answer(id, { type: "error", code: "TIMEOUT", message: "No answer came" }));
      this.#asked.set(id, { resolve, reject, timer });
      this.#connection.send({ ...message, id });
    });
  }

  // ── channels ─────────────────────────────────────────────────────────────────────────────

  /** Follow a stream: `on` = { message, gap, confirmed }. */
  stream(channel, on = {}) {
    return this.#follow(new Stream(channel, on));
  }

  /** Follow a table: options and `on` as in table.js. */
  table(channel, options = {}, on = {}) {
    const world = { now: this.#world.now, send: (message) => this.#ask(message) };
    const table = new Table(channel, options, on, world);
    table.hide(this.#hidden);
    return this.#follow(table);
  }

  /** Follow a channel no more. */
  leave(channel) {
    const one = this.#followed.get(channel);
    if (!one) return;
    this.#followed.delete(channel);
    this.#byId.delete(one.channelId);
    this.send({ type: "unsubscribe", channel });
  }

  #follow(one) {
    if (this.#followed.has(one.channel)) throw new Error(`${one.channel} is followed already`);
    this.#followed.set(one.channel, one);
    this.#ask(one.request(false));
    return one;
  }

  // An older server knows channels and none of our fields.
  #ask(message) {
    if (!this.#followed.has(message.channel)) return;
    if (!this.#route.older) this.send(message);
    else if (message.type === "subscribe") this.send({ type: "subscribe", channel: message.channel });
  }

  // ── what comes ───────────────────────────────────────────────────────────────────────────

  #take(message, size) {
    this.#events.tell("traffic", size);
    if (message.id !== undefined) this.#answer(message.id, message);
    const one = message.channel === undefined ? undefined : this.#followed.get(message.channel);
    if (message.type === "subscription_confirmed") this.#confirmed(one, message);
    else if (message.type === "connection_established") this.#established();
    else if (message.type === "token_expiring") this.#tokens?.hurry((token) => this.#refresh(token));
    else if (message.type === "unsubscribed") this.#ended(one, message);
    else if (message.type === "table") {
      if (one instanceof Table) one.take(message, true);
    } else if (one instanceof Stream) one.take(message);
    this.#events.tell(message.type, message);
    this.#events.tell("message", message);
  }

  #takeBinary(buffer) {
    this.#events.tell("traffic", buffer.byteLength);
    let found;
    try {
      found = frames(buffer);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      // Nobody can say whose it was. What is missing shows in the next frame of its channel.
      this.#events.tell("broken", error.message);
      return;
    }
    for (const { channel, body } of found) this.#byId.get(channel)?.take(body);
  }

  #confirmed(one, said) {
    if (one instanceof Stream) one.confirmed(said);
    if (!(one instanceof Table)) return;
    for (const [id, table] of this.#byId) if (table === one) this.#byId.delete(id);
    if (one.confirmed(said)) this.#byId.set(one.channelId, one);
  }

  #ended(one, said) {
    if (!one) return;
    this.#followed.delete(one.channel);
    this.#byId.delete(one.channelId);
    one.on.ended?.(said);
  }

  #established() {
    this.#route.lived();
    this.#tokens?.keep((token) => this.#refresh(token));
    for (const one of this.#followed.values()) this.#ask(one.request(true));
    const { returnsIn } = this.#route;
    if (returnsIn > 0 && returnsIn < Infinity) this.#returning = this.#world.after(returnsIn, () => this.start());
  }

  #refresh(token) {
    this.send({ type: "refresh", token });
  }

  #lost(action, wasLive) {
    this.#forgetConnection();
    if (action === "fall_back") this.#route.fallBack();
    else if (!wasLive) this.#route.failed();
    if (action === "new_token") this.#tokens?.forget();
  }

  #forgetConnection() {
    this.#world.cancel(this.#returning);
    this.#byId.clear();
    for (const one of this.#followed.values()) if (one instanceof Table) one.disconnected();
    for (const id of [...this.#asked.keys()]) this.#answer(id, { type: "error", code: "NOT_CONNECTED", message: "The connection was lost" });
  }

  #answer(id, message) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    this.#world.cancel(asked.timer);
    if (message.type === "error") asked.reject(new RequestError(message));
    else asked.resolve(message);
  }

  // ── the tab ──────────────────────────────────────────────────────────────────────────────

  #look = () => {
    this.#hidden = this.#world.document.hidden;
    for (const one of this.#followed.values()) if (one instanceof Table) one.hide(this.#hidden);
  };

  #watch() {
    const page = this.#world.document;
    page?.removeEventListener("visibilitychange", this.#look);
    page?.addEventListener("visibilitychange", this.#look);
    if (page) this.#look();
  }
}
