// One's own plane, shown where the server will see it. Inputs that the server has not named yet are kept
// and played again from each state; what that corrects is not jumped, it melts away. The clock is given.

import { flies, fromCells, shortWay, steered, TURN, UNIT } from "./dogfight.js";

const SMOOTH_MS = 100; // until a correction is no longer seen (a twentieth of it is left)
const JUMP = 60 * UNIT; // a correction beyond this is another place, not an error
const WAITING_SECONDS = 2; // inputs the server has not named for so long are not coming back

export class Prediction {
  plane = null; // as kept, after the last input; null before the first state
  state = 0;
  seq = 0; // the last input that was given
  correction = 0; // size of the last one, in u
  #rules;
  #smoothMs;
  #before = null; // the plane a step ago: drawings are made between the two
  #steppedAt = 0;
  #waiting = []; // { seq, throttle, turn }
  #error = { x: 0, y: 0, heading: 0 }; // of what is shown, at #errorAt
  #errorAt = 0;

  constructor(rules, { smoothMs = SMOOTH_MS } = {}) {
    this.#rules = rules;
    this.#smoothMs = smoothMs;
  }

  /** How many steps what is shown is ahead of the last state. */
  get ahead() {
    return this.#waiting.length;
  }

  /** An input that is sent now; `seq` is larger than the one before. A step is flown with it. */
  input(controls, seq, now) {
    this.seq = seq;
    if (!this.plane || !flies(this.state)) return;
    const { throttle, turn } = controls;
    this.#waiting.push({ seq, throttle, turn });
    if (this.#waiting.length > WAITING_SECONDS * this.#rules.hz) this.#waiting.shift();
    this.#before = this.plane;
    this.#steppedAt = now;
    this.plane = steered(this.#rules, this.plane, controls);
  }

  /** One's own row of a state: { x, y, heading, speed, seq, state }, cells as they came. */
  take(cells, now) {
    this.#waiting = this.#waiting.filter((input) => input.seq > cells.seq);
    const flew = this.plane !== null && flies(this.state);
    this.state = cells.state;
    if (!flies(cells.state)) this.#waiting = [];
    let plane = fromCells(cells);
    for (const input of this.#waiting) plane = steered(this.#rules, plane, input);
    if (flew && flies(cells.state)) this.#correct(plane, now);
    else this.#jump(plane, 0, now);
  }

  /** The connection is gone: what was sent is not going to be named. */
  forget() {
    this.#waiting = [];
  }

  #correct(plane, now) {
    const by = { x: this.plane.x - plane.x, y: this.plane.y - plane.y, heading: shortWay(plane.heading, this.plane.heading, TURN) };
    const size = Math.hypot(by.x, by.y);
    if (size > JUMP) {
      this.#jump(plane, size / UNIT, now);
      return;
    }
    const left = this.#left(now);
    for (const axis of ["x", "y", "heading"]) this.#error[axis] = this.#error[axis] * left + by[axis];
    this.#errorAt = now;
    this.#before = { ...this.#before, x: this.#before.x - by.x, y: this.#before.y - by.y, heading: this.#before.heading - by.heading };
    this.plane = plane;
    this.correction = size / UNIT;
  }

  #jump(plane, size, now) {
    this.plane = this.#before = plane;
    this.#steppedAt = now;
    this.#error = { x: 0, y: 0, heading: 0 };
    this.correction = size;
  }

  // Which part of the error is still shown.
  #left(now) {
    return Math.exp((-3 * (now - this.#errorAt)) / this.#smoothMs);
  }

  /** Where to draw it: { x, y } in u, `heading` 65536 to a turn; null before the first state. */
  shown(now) {
    if (!this.plane) return null;
    const { plane } = this;
    const before = this.#before;
    const part = Math.min(1, Math.max(0, ((now - this.#steppedAt) * this.#rules.hz) / 1000));
    const left = this.#left(now);
    const at = (axis) => before[axis] + (plane[axis] - before[axis]) * part + this.#error[axis] * left;
    const heading = before.heading + shortWay(before.heading, plane.heading, TURN) * part + this.#error.heading * left;
    return { x: at("x") / UNIT, y: at("y") / UNIT, heading: ((heading % TURN) + TURN) % TURN };
  }
}
