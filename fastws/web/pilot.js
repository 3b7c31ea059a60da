// What a pilot's hands do: keys and touches become controls, and controls the 12 bytes of an input.
// Sends nothing: whoever has the clock asks for `take()` once a step.

const CRUISE = 64; // throttle of 127 while no key asks for more or less
const DRAG = 70; // pixels of a finger from the middle to the end of a control

const KEYS = new Map([
  ["KeyW", "faster"], ["ArrowUp", "faster"], ["KeyS", "slower"], ["ArrowDown", "slower"],
  ["KeyA", "left"], ["ArrowLeft", "left"], ["KeyD", "right"], ["ArrowRight", "right"], ["Space", "fire"],
]);

/** An input as it is sent (docs/wire.md, SkyDuel). */
export function encoded(seq, time, { throttle, turn, fire }) {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(0, 0x10);
  view.setUint32(1, seq, true);
  view.setUint32(5, Math.floor(time) >>> 0, true);
  view.setInt8(9, throttle);
  view.setInt8(10, turn);
  view.setUint8(11, fire ? 1 : 0);
  return view.buffer;
}

const limited = (value, least, most) => Math.round(Math.min(Math.max(value, least), most));

export class Pilot {
  #held = new Set(); // keys that are down, by code
  #steering = null; // { id, x, y, dx, dy } of the finger on the left half
  #firing = new Set(); // fingers that fire
  #fired = false; // since the last `take`: a click between two steps is a shot
  #heard = [];
  active = false; // while flying; keys are the page's otherwise

  /** `keys`: where keys are pressed (the window); `sky`: the element that is touched; `button`: one that fires. */
  constructor(keys, sky, button = null) {
    this.#hear(keys, "keydown", (event) => this.#key(event, true));
    this.#hear(keys, "keyup", (event) => this.#key(event, false));
    this.#hear(keys, "blur", () => this.release());
    this.#hear(sky, "pointerdown", (event) => this.#touch(event, sky));
    if (button) this.#hear(button, "pointerdown", (event) => this.#fire(event));
    this.#hear(keys, "pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.#hear(keys, end, (event) => this.#lift(event));
  }

  #hear(target, type, listener) {
    target.addEventListener(type, listener);
    this.#heard.push(() => target.removeEventListener(type, listener));
  }

  /** Hear nothing more. */
  stop() {
    for (const end of this.#heard.splice(0)) end();
  }

  /** Let go of everything: the window is not looked at any more. */
  release() {
    this.#held.clear();
    this.#firing.clear();
    this.#steering = null;
    this.#fired = false;
  }

  #key(event, down) {
    const action = KEYS.get(event.code);
    if (!action) return;
    if (!down) this.#held.delete(event.code);
    const typing = event.target?.closest?.("input, textarea, select, [contenteditable]");
    if (!this.active || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // else arrows scroll the page, and the space bar presses a button
    if (!down || event.repeat) return;
    this.#held.add(event.code);
    if (action === "fire") this.#fired = true;
  }

  #touch(event, sky) {
    if (!this.active || event.pointerType === "mouse") return;
    const box = sky.getBoundingClientRect();
    if (event.clientX - box.left >= box.width / 2) this.#fire(event);
    else this.#steering ??= { id: event.pointerId, x: event.clientX, y: event.clientY, dx: 0, dy: 0 };
  }

  #fire(event) {
    if (!this.active) return;
    this.#firing.add(event.pointerId);
    this.#fired = true;
  }

  #drag(event) {
    const finger = this.#steering;
    if (event.pointerId !== finger?.id) return;
    finger.dx = event.clientX - finger.x;
    finger.dy = event.clientY - finger.y;
  }

  #lift(event) {
    this.#firing.delete(event.pointerId);
    if (event.pointerId === this.#steering?.id) this.#steering = null;
  }

  #does(action) {
    for (const code of this.#held) if (KEYS.get(code) === action) return true;
    return false;
  }

  /** The controls of a step: throttle 0 to 127, turn -127 to 127, fire. */
  take() {
    const fire = this.#fired || this.#firing.size > 0 || this.#does("fire");
    this.#fired = false;
    const finger = this.#steering;
    if (finger) {
      const turn = limited((127 * finger.dx) / DRAG, -127, 127);
      return { throttle: limited(CRUISE - (CRUISE * finger.dy) / DRAG, 0, 127), turn, fire };
    }
    const turn = 127 * (this.#does("right") - this.#does("left"));
    const throttle = this.#does("slower") ? 0 : this.#does("faster") ? 127 : CRUISE;
    return { throttle, turn, fire };
  }
}
