// The corner of a page: how the connection is, who one is, a token of one's own. A token that is pasted
// stays in memory.

import * as format from "./format.js";

const NAMES = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", stopped: "Stopped" };
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export const $ = (id) => document.getElementById(id);

export class Corner {
  /** `notice(text)`: tell the reader something. */
  constructor(client, notice) {
    this.client = client;
    this.notice = notice;
    $("login").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = $("token").value.trim();
      $("token").value = "";
      this.submitted(text);
    });
    $("logout").addEventListener("click", () => this.logout());
    $("again").addEventListener("click", () => client.start());
    addEventListener("online", () => client.state.name === "waiting" && client.start());
    setInterval(() => this.#countdown(), 1000);
  }

  /** The state of the client; whether it is another than before. */
  show(state) {
    const before = $("link").dataset.state;
    $("link").dataset.state = state.name;
    $("again").hidden = state.name !== "waiting" && state.name !== "stopped";
    $("latency").textContent = state.latency === null ? "" : format.milliseconds(state.latency);
    $("whose").textContent = state.user ? `${format.short(state.user.wallet_address)} · ${state.user.role}` : "Not signed in";
    $("logout").hidden = state.user === null;
    if (state.name === before) return false;
    $("state").textContent = NAMES[state.name];
    this.notice(state.reason);
    return true;
  }

  #countdown() {
    const { name, until } = this.client.state;
    if (name === "waiting") $("latency").textContent = `in ${Math.max(1, Math.ceil((until - performance.now()) / 1000))} s`;
  }

  /** What was pasted. */
  submitted(text) {
    $("who").open = false;
    this.take(text);
  }

  /** Connect with a token; whether it was one. */
  take(text) {
    if (TOKEN.test(text)) this.client.start(text);
    else this.notice("That is not a token: three parts with dots between them");
    return TOKEN.test(text);
  }

  /** Connect without a token. */
  logout() {
    $("who").open = false;
    this.client.start("");
  }
}
