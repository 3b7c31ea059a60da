// A stream that is followed: every message once, in order, or told what is missing. Owns the place in
// the stream (epoch, offset); sends nothing by itself, the client does.

export class Stream {
  epoch = 0;
  offset = null; // of the last message; null before the first confirmation
  recovered = null; // whether the last resume missed nothing; null if there was none

  /** `on`: { message(message), gap({from, to}), confirmed(confirmation) }, each optional. */
  constructor(channel, on = {}) {
    this.channel = channel;
    this.on = on;
  }

  /** The `subscribe` that begins, or goes on from here after a lost connection. */
  request() {
    const fields = { type: "subscribe", channel: this.channel };
    if (this.offset !== null) fields.since = { epoch: this.epoch, offset: this.offset };
    return fields;
  }

  confirmed(said) {
    const resumed = this.offset !== null;
    const before = this.offset;
    this.recovered = resumed ? said.recovered === true : null;
    if (said.epoch !== undefined && (!this.recovered || said.epoch !== this.epoch)) {
      this.epoch = said.epoch;
      this.offset = said.offset ?? 0;
    }
    if (resumed && !this.recovered) this.on.gap?.({ from: before + 1, to: null, epoch: this.epoch });
    this.on.confirmed?.(said);
  }

  /** A message of the channel. One that came before is not handed on again. */
  take(message) {
    if (message.type === "gap") {
      if (message.epoch !== undefined && message.epoch !== this.epoch) {
        this.epoch = message.epoch;
        this.offset = 0;
      } else this.offset = Math.max(this.offset ?? 0, message.to);
      this.on.gap?.({ from: message.from, to: message.to, epoch: this.epoch });
      return;
    }
    const { offset } = message;
    if (offset !== undefined) {
      if (this.offset !== null && offset <= this.offset) return;
      if (this.offset !== null && offset > this.offset + 1) this.on.gap?.({ from: this.offset + 1, to: offset - 1, epoch: this.epoch });
      this.offset = offset;
    }
    this.on.message?.(message);
  }
}
