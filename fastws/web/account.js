// The corner of a page that people log in on: besides tokens there is the login of development, which
// leaves a cookie, with which the browser connects by itself.

import { $, Corner } from "./corner.js";

export class Account extends Corner {
  constructor(client, notice) {
    super(client, notice);
    $("enter").addEventListener("click", () => this.#developer());
  }

  submitted(text) {
    if (!text && $("secret").value) this.#developer();
    else if (this.take(text)) $("who").open = false;
  }

  async #developer() {
    const body = JSON.stringify({ wallet_address: $("wallet").value.trim(), secret: $("secret").value.trim() });
    $("secret").value = "";
    const answer = await fetch("/api/auth/dev-login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) {
      this.notice(answer.status === 404 ? "This server has no development login" : ((await answer.json()).error ?? `HTTP ${answer.status}`));
      return;
    }
    super.logout(); // with the cookie now
  }

  // The cookie, too: without it the browser is a guest.
  async logout() {
    await fetch("/api/auth/logout", { method: "POST" });
    super.logout();
  }
}
