// Who one is, and how the connection is: the corner of a page. A token that is pasted stays in memory; the
// login of development leaves a cookie, with which the browser connects by itself.

import * as format from "./format.js";

const NAMES = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", stopped: "Stopped" };
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const $ = (id) => document.getElementById(id);

export class Account {
  #client;
  #notice;

  /** `notice(text)`: tell the reader something. */
  constructor(client, notice) {
    this.#client = client;
    this.#notice = notice;
    $("login").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#withToken();
    });
    $("logout").addEventListener("click", () => this.#logout());
    $("enter").addEventListener("click", () => this.#developer());
    $("again").addEventListener("click", () => client.start());
    addEventListener("online", () => client.state.name === "waiting" && client.start());
    setInterval(() => this.#countdown(), 1000);
  }

  /** The state of the client. */
  show(state) {
    const before = $("link").dataset.state;
    $("link").dataset.state = state.name;
    $("again").hidden = state.name !== "waiting" && state.name !== "stopped";
    $("latency").textContent = state.latency === null ? "" : format.milliseconds(state.latency);
    $("whose").textContent = state.user ? `${format.short(state.user.wallet_address)} · ${state.user.role}` : "Not signed in";
    $("logout").hidden = state.user === null;
    if (state.name === before) return;
    $("state").textContent = NAMES[state.name];
    this.#notice(state.reason);
  }

  #countdown() {
    const { name, until } = this.#client.state;
    if (name === "waiting") $("latency").textContent = `in ${Math.max(1, Math.ceil((until - performance.now()) / 1000))} s`;
  }

  #withToken() {
    const token = $("token").value.trim();
    $("token").value = "";
    if (!token && $("secret").value) {
      this.#developer();
      return;
    }
    if (!TOKEN.test(token)) {
      this.#notice("That is not a token: three parts with dots between them");
      return;
    }
    $("who").open = false;
    this.#client.start(token);
  }

  async #developer() {
    const body = JSON.stringify({ wallet_address: $("wallet").value.trim(), secret: $("secret").value.trim() });
    $("secret").value = "";
    const answer = await fetch("/api/auth/dev-login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) {
      this.#notice(answer.status === 404 ? "This server has no development login" : ((await answer.json()).error ?? `HTTP ${answer.status}`));
      return;
    }
    $("who").open = false;
    this.#client.start("");
  }

  // The cookie, too: without it the browser is a guest.
  async #logout() {
    await fetch("/api/auth/logout", { method: "POST" });
    $("who").open = false;
    this.#client.start("");
  }
}
