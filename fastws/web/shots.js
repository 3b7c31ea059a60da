// Shots in the sky: each is told once, when it is fired, and flies by arithmetic. A slot is used again
// while the past still shows its last shot, so both are kept until their time is over.

import { fromCells, shotAt, UNIT } from "./dogfight.js";

export class Shots {
  #rules;
  #bySlot = new Map(); // "player.slot" → shots, the newest last

  constructor(rules) {
    this.#rules = rules;
  }

  /** The row of a slot at a step; `cells` { x, y, heading, seq, state }: where, and the step it was fired at. */
  take(player, slot, cells, step) {
    const key = `${player}.${slot}`;
    const known = this.#bySlot.get(key);
    const last = known?.at(-1);
    if (last && last.fired === cells.seq) {
      if (cells.state === 0) last.ended ??= step;
      return;
    }
    if (cells.state === 0) return;
    const { x, y, heading } = fromCells({ ...cells, speed: 0 });
    const kept = (known ?? []).filter((shot) => step - shot.fired < 2 * this.#rules.shotSteps && shot.fired < cells.seq);
    this.#bySlot.set(key, [...kept, { player, x, y, heading, fired: cells.seq, ended: null }]);
  }

  clear() {
    this.#bySlot.clear();
  }

  /** Shots that are in the air, { player, x, y, heading }; `stepOf(player)`: the step at which his are shown. */
  flying(stepOf) {
    const found = [];
    for (const shots of this.#bySlot.values()) {
      for (const shot of shots) {
        const step = stepOf(shot.player);
        if (shot.ended !== null && step >= shot.ended) continue;
        const at = shotAt(this.#rules, shot, step);
        if (at) found.push({ player: shot.player, x: at.x / UNIT, y: at.y / UNIT, heading: shot.heading });
      }
    }
    return found;
  }
}
