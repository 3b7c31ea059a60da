// One match that is followed: its tables and its events become what there is to draw, and a pilot's
// controls become inputs. Owns the way from rows to planes; knows no elements. The clock is given.

import { CELL, COUNTDOWN, FINISHED, flies, FLYING, GONE, LIVE, LOBBY, rulesOf, TURN, UNIT } from "./dogfight.js";
import { Interpolation, StepClock } from "./interpolation.js";
import { encoded } from "./pilot.js";
import { Prediction } from "./prediction.js";
import { Shots } from "./shots.js";

const NAMES = ["lobby", "countdown", "live", "finished"];
const USUAL_HZ = 30;
const RATES = [20, 25, 30, 40, 50, 60];
const ROW = /^p(\d+)(?:\.(\d+))?$/;
const U = UNIT / CELL.position; // cells of a u
const radians = (heading, turn) => (heading * 2 * Math.PI) / turn;
const STARTS_MS = 2000; // a countdown that is over for so long was broken off
const NUDGE_MS = 500; // not more often is the moment of inputs moved

export class Match {
  state = 0; // of the row `game`
  step = 0;
  frames = 0;
  planes = new Map(); // player → { x, y, heading, speed, seq, state, health, score, deaths, name }, cells
  connected = new Map(); // player → whether his connection is there; who was not spoken of, is
  readiness = new Map(); // player → whether he may begin
  startsAt = null; // ms, by `Date.now` of this machine
  result = null;
  abandoned = "";
  nudge = false; // inputs come where steps are made: send them a little later
  #client;
  #on;
  #now;
  #own = null;
  #clock;
  #others;
  #shots;
  #explosions = []; // { player, at }
  #seq = 0;
  #named = null; // { seq, step } that the last state named
  #nudgedAt = -Infinity;

  /**
   * `told`: a match as the server says it, at least its `match_id`; `seat`: one's number, or null for who
   * watches. `on`: { event(said), ended(said) }. `now`: the clock of frames, that of `scene` and `send`.
   */
  constructor(client, told, seat, on = {}, now = () => performance.now()) {
    this.id = told.match_id;
    this.seat = seat;
    this.#client = client;
    this.#on = on;
    this.#now = now;
    this.#begin(told.hz ?? USUAL_HZ);
    this.update(told);
    const options = { format: "binary", hidden: "same" };
    client.table(this.channel, options, {
      rows: (_, copy) => this.#take(copy, now()),
      confirmed: ({ limits }) => told.hz === undefined && limits?.flush_ms && this.#begin(rateOf(limits.flush_ms)),
      ended: (said) => on.ended?.(said),
    });
    if (seat !== null) this.#own = client.table(`${this.channel}.own`, options);
    client.stream(`${this.channel}.events`, { message: (said) => this.#hear(said) });
  }

  #begin(hz) {
    if (hz === this.hz) return;
    this.hz = hz;
    const rules = rulesOf(hz);
    this.#clock = new StepClock(hz, this.seat === null ? null : 1);
    this.#others = new Interpolation(hz, this.#clock);
    this.#shots = new Shots(rules);
    this.prediction = this.seat === null ? null : new Prediction(rules);
  }

  get channel() {
    return `match.${this.id}`;
  }

  /** "lobby", "countdown", "live", "finished" or "abandoned". */
  get status() {
    if (this.abandoned) return "abandoned";
    // The countdown is an event first; the row may say it with its next change only.
    const counts = this.state === LOBBY && this.startsAt !== null && Date.now() < this.startsAt + STARTS_MS;
    return NAMES[counts ? COUNTDOWN : this.state];
  }

  /** Whether it has ended, one way or the other. */
  get over() {
    return this.abandoned !== "" || this.state === FINISHED;
  }

  /** What the server says of the match besides its rows. */
  update(told) {
    this.told = { ...this.told, ...told };
    for (const one of told.players ?? []) {
      this.connected.set(one.player, one.connected !== false);
      this.readiness.set(one.player, one.ready === true);
    }
    if (told.starts_at) this.#startsAt(told.starts_at, told.timestamp);
  }

  /** Follow it no more. */
  close() {
    for (const end of ["", ".own", ".events"]) this.#client.leave(this.channel + end);
  }

  /** The connection is gone. */
  lost() {
    this.prediction?.forget();
    this.#named = null;
  }

  // ── what comes ───────────────────────────────────────────────────────────────────────────

  // All rows are read, not those that changed only: after a snapshot some may be gone unsaid.
  #take(copy, now) {
    const column = Object.fromEntries(copy.names.map((name, at) => [name, at]));
    const cells = (id) => {
      const from = id * copy.width;
      const found = { name: copy.texts[from + column.name] ?? "" };
      for (const name of ["x", "y", "heading", "speed", "seq", "state", "health", "score", "deaths"]) found[name] = copy.numbers[from + column[name]] ?? 0;
      return found;
    };
    const game = copy.ids.get("game");
    if (game === undefined) return;
    const { seq, state } = cells(game);
    if (seq < this.step) this.#shots.clear();
    this.step = seq;
    this.state = this.result ? FINISHED : state;
    this.frames += 1;
    const planes = new Map();
    for (const [id, key] of copy.keys) {
      const [, player, slot] = ROW.exec(key) ?? [];
      if (player === undefined) continue;
      if (slot === undefined) planes.set(Number(player), cells(id));
      else this.#shots.take(Number(player), Number(slot), cells(id), seq);
    }
    this.planes = planes;
    if (this.state === LIVE) this.#clock.add(seq, now);
    this.#others.add(seq, planes);
    this.#takeOwn(planes.get(this.seat), now);
  }

  #takeOwn(cells, now) {
    if (!cells || !this.prediction) return;
    this.prediction.take(cells, now, this.step);
    // Another connection may have had the seat before this one: our numbers go on from its.
    this.#seq = Math.max(this.#seq, cells.seq);
    if (this.#named !== null && this.step > this.#named.step && flies(cells.state)) this.#meet(cells.seq - this.#named.seq, this.step - this.#named.step, now);
    this.#named = { seq: cells.seq, step: this.step };
  }

  // A step that got no input, or two, was made at about the moment when ours arrive. Where it falls then
  // is chance, and each time the plane is a step from where it was expected.
  #meet(inputs, steps, now) {
    if (inputs === steps || now - this.#nudgedAt < NUDGE_MS) return;
    this.#nudgedAt = now;
    this.nudge = true;
  }

  #hear(said) {
    const { type, player } = said;
    if (type === "down") this.#explosions.push({ player, at: this.#now() + (player === this.seat ? 0 : this.#others.delayMs) });
    else if (type === "joined" || type === "returned") this.connected.set(player, true);
    else if (type === "dropped") this.connected.set(player, false);
    else if (type === "ready") this.readiness.set(player, said.ready);
    else if (type === "countdown") this.#startsAt(said.starts_at, said.timestamp);
    else if (type === "result") [this.result, this.state] = [said, FINISHED]; // the last row may not have come
    else if (type === "abandoned") this.abandoned = said.reason || "It was given up";
    if (type === "left" || (type === "ready" && !said.ready)) this.startsAt = null; // until it is said again
    if (type === "left") for (const known of [this.connected, this.readiness]) known.delete(player);
    this.#on.event?.(said);
  }

  // The server's clock may be another: what counts is how long after its message it begins.
  #startsAt(at, said) {
    const ms = typeof at === "string" ? Date.parse(at) : at * 1000;
    this.startsAt = Date.now() + ms - (Date.parse(said) || Date.now());
  }

  // ── what is sent ─────────────────────────────────────────────────────────────────────────

  /** Whether controls move anything now. */
  get flying() {
    return this.seat !== null && this.state === LIVE && flies(this.planes.get(this.seat)?.state);
  }

  /** A step of the pilot's: send his controls and fly with them. */
  send(controls, now) {
    if (!this.flying || this.#named === null || this.#client.state.name !== "live") return;
    this.#seq += 1;
    this.#client.sendBinary(encoded(this.#seq, now, controls));
    this.prediction.input(controls, this.#seq, now);
  }

  // ── what is seen ─────────────────────────────────────────────────────────────────────────

  /** Frames that did not come, 0 to 1. */
  get loss() {
    return this.#clock.loss;
  }

  /** { ammo, ready_at, full_at } of one's own plane, as far as it is known. */
  get gun() {
    const value = (column) => this.#own?.value(`p${this.seat}`, column);
    return { ammo: value("ammo"), ready_at: value("ready_at"), full_at: value("full_at") };
  }

  /** What to draw: places in u, angles in radians, others in the past and oneself ahead. */
  scene(now) {
    const viewed = this.#others.viewed(now) ?? this.step;
    const planes = [];
    for (const [player, cells] of this.#others.at(viewed)) {
      if (player !== this.seat) planes.push(planeOf(player, cells));
    }
    const own = this.#ownPlane(now);
    if (own) planes.push(own);
    const ahead = (this.#clock.now(now) ?? this.step) + Math.max(0, (this.prediction?.ahead ?? 0) - 1);
    const shots = this.#shots.flying((player) => (player === this.seat ? ahead : viewed));
    for (const shot of shots) shot.angle = radians(shot.heading, TURN);
    this.#explosions = this.#explosions.filter((one) => now - one.at < 1000);
    return { planes, own, shots: this.state === LIVE ? shots : [], explosions: this.#explosions.filter((one) => one.at <= now) };
  }

  #ownPlane(now) {
    const cells = this.planes.get(this.seat);
    const shown = this.prediction?.shown(now);
    if (!cells || !shown || cells.state === GONE) return null;
    return { ...planeOf(this.seat, cells), x: shown.x, y: shown.y, angle: radians(shown.heading, TURN), own: true };
  }

  /** Pilots by score: [{ player, name, score, deaths, health, state, own, connected, ready }]. */
  get scores() {
    const seated = [...this.planes].filter(([, one]) => one.name || one.state >= FLYING);
    const list = seated.map(([player, { name, score, deaths, health, state }]) => ({
      player, name: name || `Pilot ${player + 1}`, score, deaths, health, state,
      own: player === this.seat, connected: this.connected.get(player) ?? true, ready: this.readiness.get(player) ?? false,
    }));
    return list.sort((a, b) => b.score - a.score || a.deaths - b.deaths || a.player - b.player);
  }
}

// Steps a second, of a table that is told so often: guests are not told the match, and the milliseconds are rounded.
function rateOf(flushMs) {
  const off = (hz) => Math.abs(1000 / hz - flushMs);
  return RATES.reduce((best, hz) => (off(hz) < off(best) ? hz : best));
}

function planeOf(player, cells) {
  const { state, health, name } = cells;
  return { player, name, state, health, x: cells.x / U, y: cells.y / U, angle: radians(cells.heading, TURN / CELL.heading), own: false };
}
