// Planes of others, shown a little in the past, between two states that are known; and what step the
// server is at now. States come late by turns: the fastest of the last seconds say when a step was.

import { flies, shortWay } from "./dogfight.js";

const DELAY_MS = 100;
const FRAMES = 2; // never less than so many frames behind
const WINDOW_MS = 3000; // of arrivals that count
const LATE_MS = 500; // a state later than that: the game stood still, or the way is another
const KEPT_MS = 2000; // of states
const WIRE_TURN = 4096;

/** The server's step, from the steps of states and when they came. */
export class StepClock {
  last = null; // the newest step a state came of
  #stepMs;
  #every; // steps between two frames, if that is known
  #arrivals = []; // { at, step, base }: base is when step 0 would have been
  #base = null; // eased: a clock that jumps makes planes jump

  /** `every`: steps from one frame to the next; left out: what is usual. */
  constructor(hz, every = null) {
    this.#stepMs = 1000 / hz;
    this.#every = every;
  }

  /** A frame that leads to `step` came. */
  add(step, at) {
    if (this.last !== null && step === this.last) return;
    const base = at - step * this.#stepMs;
    const again = this.last !== null && step < this.last;
    if (this.#base === null || again || base - this.#base > LATE_MS) this.#begin(base);
    this.last = step;
    this.#arrivals = this.#arrivals.filter((one) => at - one.at <= WINDOW_MS);
    this.#arrivals.push({ at, step, base });
    const fastest = Math.min(...this.#arrivals.map((one) => one.base));
    this.#base += (fastest - this.#base) * 0.1;
  }

  #begin(base) {
    this.#arrivals = [];
    this.#base = base;
  }

  /** The step that would come in now, with a part; null before the first. */
  now(at) {
    return this.#base === null ? null : (at - this.#base) / this.#stepMs;
  }

  /** Steps between two frames. */
  get every() {
    if (this.#every !== null) return this.#every;
    const gaps = this.#arrivals.slice(1).map((one, before) => one.step - this.#arrivals[before].step);
    return gaps.length ? gaps.sort((a, b) => a - b)[gaps.length >> 1] : 1;
  }

  /** Which part of the frames that were due did not come, 0 to 1. */
  get loss() {
    const [first] = this.#arrivals;
    if (!first || this.last === first.step) return 0;
    const due = (this.last - first.step) / this.every;
    return Math.max(0, 1 - (this.#arrivals.length - 1) / due);
  }

  /** Milliseconds from one frame to the next. */
  get frameMs() {
    return this.every * this.#stepMs;
  }
}

export class Interpolation {
  #clock;
  #delayMs;
  #stepMs;
  #states = []; // { step, planes: Map }, by step

  /** `clock`: a StepClock of the same states, told of each before this is. */
  constructor(hz, clock, { delayMs = DELAY_MS } = {}) {
    this.#stepMs = 1000 / hz;
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** How far in the past others are shown. */
  get delayMs() {
    return Math.max(this.#delayMs, FRAMES * this.#clock.frameMs);
  }

  /** A state: `planes` is a Map from player to { x, y, heading, state, … }, cells as they came. */
  add(step, planes) {
    const last = this.#states.at(-1);
    if (last && step < last.step) this.#states = [];
    if (last && step === last.step) this.#states.pop();
    this.#states.push({ step, planes });
    const oldest = step - KEPT_MS / this.#stepMs;
    while (this.#states.length > 2 && this.#states[1].step < oldest) this.#states.shift();
  }

  /** The step that is shown now, with a part; null before the first state. */
  viewed(now) {
    const step = this.#clock.now(now);
    return step === null ? null : step - this.delayMs / this.#stepMs;
  }

  /** The planes at a step: a Map from player to the plane, with `x`, `y`, `heading` between two states. */
  at(step) {
    const states = this.#states;
    if (!states.length) return new Map();
    let after = states.findIndex((one) => one.step > step);
    if (after === -1) after = states.length; // nothing newer came: hold
    const from = states[Math.max(0, after - 1)];
    const to = states[Math.min(after, states.length - 1)];
    const part = to.step > from.step ? Math.min(1, Math.max(0, (step - from.step) / (to.step - from.step))) : 0;
    const shown = new Map();
    for (const [player, plane] of from.planes) shown.set(player, between(plane, to.planes.get(player), part));
    return shown;
  }
}

// Who was down and flies again is at another place: there is no way between the two.
function between(from, to, part) {
  if (!to || flies(from.state) !== flies(to.state)) return from;
  const heading = from.heading + shortWay(from.heading, to.heading, WIRE_TURN) * part;
  return {
    ...from,
    x: from.x + (to.x - from.x) * part,
    y: from.y + (to.y - from.y) * part,
    heading: (heading + WIRE_TURN) % WIRE_TURN,
  };
}
