// Tokens of a session: fetched with the page's cookie, kept in memory only, renewed on the open socket
// well before they end. Knows no socket; `fetch`, timers and the clock are given to it.

const EARLY_MS = 120_000; // a renewal this long before the end; the server warns at 60 s
const LEAST_MS = 5000;

export class Tokens {
  #world;
  #url;
  #token = "";
  #endsAt = 0; // by the world's clock, ms
  #timer = null;

  /** `world`: { fetch, now, after, cancel }. */
  constructor(world, url = "/api/auth/token") {
    this.#world = world;
    this.#url = url;
  }

  /** A token that is good for a while; "" if nobody is signed in. Rejects if the server cannot be asked. */
  async get() {
    if (this.#token && this.#endsAt - this.#world.now() > LEAST_MS) return this.#token;
    return this.renew();
  }

  /** Another token, whatever is left of the one at hand. */
  async renew() {
    this.#token = "";
    const answer = await this.#world.fetch(this.#url, { credentials: "include", cache: "no-store" });
    if (answer.status === 401) return "";
    if (!answer.ok) throw new Error(`HTTP ${answer.status} for a token`);
    const { token, expiresIn } = await answer.json();
    this.#endsAt = this.#world.now() + expiresIn * 1000;
    this.#token = token;
    return token;
  }

  /** The token at hand is no longer good. */
  forget() {
    this.#token = "";
    this.stop();
  }

  /** Renew in time and hand each new token to `use`, until `stop`. */
  keep(use) {
    this.stop();
    if (!this.#token) return;
    const left = this.#endsAt - this.#world.now();
    const wait = Math.max(LEAST_MS, left > 2 * EARLY_MS ? left - EARLY_MS : left / 2);
    this.#timer = this.#world.after(wait, () => this.#again(use));
  }

  /** Renew now and hand the token to `use`, if there is one. A failure is tried again. */
  async #again(use) {
    this.#timer = null;
    const kept = this.#token;
    try {
      const token = await this.renew();
      if (token) use(token);
    } catch {
      this.#token = kept; // the server could not be asked: what we have is still good
    }
    this.keep(use);
  }

  /** The server says that the token is about to end. */
  hurry(use) {
    this.stop();
    return this.#again(use);
  }

  stop() {
    if (this.#timer !== null) this.#world.cancel(this.#timer);
    this.#timer = null;
  }
}
