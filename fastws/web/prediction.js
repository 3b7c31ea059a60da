// One's own plane, shown where the server will see it. Inputs that the server has not named yet are played
// again from each state, a step each; what that corrects is not jumped, it melts away. The clock is given.
//
// A step of the server may get no input in time, and the next one two: for a moment one more or one less
// is unnamed than steps will be made. So how many are played again is counted by steps, and follows the
// number of unnamed inputs only when the two stay apart.

import { flies, fromCells, shortWay, steered, TURN, UNIT } from "./dogfight.js";

const SMOOTH_MS = 100; // until a correction is no longer seen (a twentieth of it is left)
const JUMP = 60 * UNIT; // a correction beyond this is another place, not an error
const KEPT_SECONDS = 1; // of inputs: what the server has not named for so long is not coming back
const APART = 0.75; // steps, on the average of some states
const WEIGHT = 0.15; // of a state in that average

export class Prediction {
  plane = null; // as kept, after the last input; null before the first state
  state = 0;
  seq = 0; // the last input that was given
  correction = 0; // size of the last one, in u
  #rules;
  #smoothMs;
  #before = null; // the plane a step ago: drawings are made between the two
  #steppedAt = 0;
  #inputs = []; // { seq, throttle, turn }, the last ones
  #ahead = 0;
  #apart = 0;
  #step = null; // of the last state
  #error = { x: 0, y: 0, heading: 0 }; // of what is shown, at #errorAt
  #errorAt = 0;

  constructor(rules, { smoothMs = SMOOTH_MS } = {}) {
    this.#rules = rules;
    this.#smoothMs = smoothMs;
  }

  /** How many steps what is shown is ahead of the last state. */
  get ahead() {
    return this.#ahead;
  }

  /** An input that is sent now; `seq` is larger than the one before. A step is flown with it. */
  input(controls, seq, now) {
    this.seq = seq;
    if (!this.plane || !flies(this.state)) return;
    const { throttle, turn } = controls;
    this.#inputs.push({ seq, throttle, turn });
    if (this.#inputs.length > KEPT_SECONDS * this.#rules.hz) this.#inputs.shift();
    this.#ahead = Math.min(this.#ahead + 1, this.#inputs.length);
    this.#before = this.plane;
    this.#steppedAt = now;
    this.plane = steered(this.#rules, this.plane, controls);
  }

  /** One's own row of a state: { x, y, heading, speed, seq, state }, cells as they came; `step`: of the state. */
  take(cells, now, step = null) {
    const goesOn = this.plane !== null && flies(this.state) && flies(cells.state);
    this.state = cells.state;
    if (!goesOn) this.forget();
    const unnamed = this.#inputs.filter((input) => input.seq > cells.seq).length;
    this.#ahead = this.#steps(unnamed, step);
    let plane = fromCells(cells);
    for (const input of this.#inputs.slice(this.#inputs.length - this.#ahead)) plane = steered(this.#rules, plane, input);
    if (goesOn) this.#correct(plane, now);
    else this.#jump(plane, 0, now);
  }

  /** The connection is gone: what was sent is not going to be named. */
  forget() {
    this.#inputs = [];
    this.#ahead = 0;
    this.#step = null;
  }

  // How many steps are to be played again.
  #steps(unnamed, step) {
    const made = this.#step === null || step === null ? null : step - this.#step;
    this.#step = step;
    const left = this.#ahead - made;
    this.#apart += (unnamed - left - this.#apart) * WEIGHT;
    if (made !== null && left >= 0 && Math.abs(this.#apart) <= APART) return left;
    this.#apart = 0;
    return unnamed;
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
