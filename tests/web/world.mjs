// A clock, timers, random numbers and sockets of a test's own.

export class World {
  time = 0;
  chance = 1; // the longest wait
  sockets = [];
  timers = [];

  open(token, url) {
    const socket = { token, url, sent: [], closed: false, send: (data) => socket.sent.push(typeof data === "string" ? JSON.parse(data) : data), close: () => (socket.closed = true) };
    this.sockets.push(socket);
    return socket;
  }
  now = () => this.time;
  random = () => this.chance;
  after(ms, call) {
    const timer = { at: this.time + ms, call };
    this.timers.push(timer);
    return timer;
  }
  cancel(timer) {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  /** Let time pass, and what is due happen in its order. */
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      this.timers.sort((a, b) => a.at - b.at);
      if (!this.timers.length || this.timers[0].at > end) break;
      const timer = this.timers.shift();
      this.time = timer.at;
      timer.call();
    }
    this.time = end;
  }
  get socket() {
    return this.sockets.at(-1);
  }
  hear(message) {
    this.socket.onmessage({ data: message instanceof Uint8Array ? message.buffer : JSON.stringify(message) });
  }
  /** Messages of one type that the present socket was sent. */
  sent(type) {
    return this.socket.sent.filter((message) => message.type === type);
  }
  establish(fields = {}) {
    this.hear({ type: "connection_established", authenticated: false, user: null, ...fields });
  }
  close(code, reason = "") {
    this.socket.onclose({ code, reason });
  }
}
