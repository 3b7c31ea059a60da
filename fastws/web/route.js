// Which server to talk to: this one, or the older one it replaces (`use_websocket_v2`). Owns when to
// fall back and when to come back; knows no sockets. Storage and clock are given to it.

export const FLAG = "use_websocket_v2";

export class Route {
  #now;
  #flag;
  #failures = 0;
  #olderUntil = 0;

  /**
   * `url`, `olderUrl` ("" for none); `enabled`: the flag as an option; `storage`: where a tester may
   * set the flag to "true" or "false", which wins; `failures`: attempts in a row that never became
   * live before the older URL is taken (or given up); `returnAfterMs`: how long it is kept once it is live.
   */
  constructor({ url, olderUrl = "", enabled = true, storage = null, failures = 4, returnAfterMs = 300_000, now }) {
    this.url = url;
    this.olderUrl = olderUrl;
    this.enabled = enabled;
    this.limit = failures;
    this.returnAfterMs = returnAfterMs;
    this.#now = now;
    this.#flag = () => stored(storage);
  }

  /** Whether the older server is the one to talk to now. */
  get older() {
    if (!this.olderUrl) return false;
    return !(this.#flag() ?? this.enabled) || this.#now() < this.#olderUntil;
  }

  /** Milliseconds until this server is tried again; Infinity if the flag is off, 0 if it is in use. */
  get returnsIn() {
    if (!this.older) return 0;
    return (this.#flag() ?? this.enabled) ? this.#olderUntil - this.#now() : Infinity;
  }

  get target() {
    return this.older ? this.olderUrl : this.url;
  }

  /** An attempt that never became live. An older server that does not answer is left again. */
  failed() {
    this.#failures += 1;
    if (this.#failures < this.limit) return;
    if (!this.older) this.fallBack();
    else {
      this.#failures = 0;
      this.#olderUntil = 0;
    }
  }

  /** A connection is live: on the older server its time begins, however long the way to it took. */
  lived() {
    this.#failures = 0;
    if (this.older) this.#olderUntil = this.#now() + this.returnAfterMs;
  }

  /** The server said that the endpoint is switched off (4503). */
  fallBack() {
    this.#failures = 0;
    this.#olderUntil = Infinity; // until it is live
  }
}

function stored(storage) {
  try {
    const text = storage?.getItem(FLAG);
    return text === "true" ? true : text === "false" ? false : undefined;
  } catch {
    return undefined; // a browser that forbids storage has no say
  }
}

/** What `/api/v69/flags` (or an older `{use_websocket_v2}`) says of the flag; else `otherwise`. */
export async function askFlag(fetch, url, otherwise = true) {
  try {
    const answer = await fetch(url, { cache: "no-store" });
    const said = answer.ok ? await answer.json() : {};
    const flag = (said.flags ?? said)[FLAG];
    return typeof flag === "boolean" ? flag : otherwise;
  } catch {
    return otherwise;
  }
}
