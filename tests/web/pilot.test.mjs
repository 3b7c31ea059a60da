// Keys and fingers become controls, controls the twelve bytes of an input.

import assert from "node:assert/strict";
import { test } from "node:test";

import { encoded, Pilot } from "../../fastws/web/pilot.js";

function seated() {
  const keys = new EventTarget();
  const sky = new EventTarget();
  sky.getBoundingClientRect = () => ({ left: 100, width: 800 });
  const button = new EventTarget();
  const pilot = new Pilot(keys, sky, button);
  pilot.active = true;
  const tell = (target, type, fields) => {
    const event = Object.assign(new Event(type, { cancelable: true }), fields);
    target.dispatchEvent(event);
    return event;
  };
  return {
    pilot,
    press: (code, fields = {}) => tell(keys, "keydown", { code, ...fields }),
    lift: (code) => tell(keys, "keyup", { code }),
    blur: () => tell(keys, "blur", {}),
    touch: (clientX, pointerId = 1, fields = {}) => tell(sky, "pointerdown", { clientX, clientY: 300, pointerId, pointerType: "touch", ...fields }),
    drag: (clientX, clientY, pointerId = 1) => tell(keys, "pointermove", { clientX, clientY, pointerId }),
    raise: (pointerId = 1) => tell(keys, "pointerup", { pointerId }),
    push: (pointerId = 5) => tell(button, "pointerdown", { pointerId }),
  };
}

test("an input is twelve bytes, lowest first", () => {
  const bytes = new Uint8Array(encoded(0x01020304, 0x1_05060708 + 0.9, { throttle: 127, turn: -127, fire: true }));
  assert.deepEqual([...bytes], [0x10, 4, 3, 2, 1, 8, 7, 6, 5, 127, 129, 1]);
  assert.deepEqual([...new Uint8Array(encoded(1, 0, { throttle: 0, turn: 0, fire: false })).subarray(9)], [0, 0, 0]);
});

test("without keys it cruises straight on", () => {
  assert.deepEqual(seated().pilot.take(), { throttle: 64, turn: 0, fire: false });
});

test("letters and arrows steer alike, and opposite keys are none", () => {
  for (const [left, right, up, down] of [["KeyA", "KeyD", "KeyW", "KeyS"], ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]]) {
    const { pilot, press, lift } = seated();
    press(left);
    assert.equal(pilot.take().turn, -127);
    press(right);
    assert.equal(pilot.take().turn, 0);
    lift(left);
    assert.equal(pilot.take().turn, 127);
    press(up);
    assert.equal(pilot.take().throttle, 127);
    press(down);
    assert.equal(pilot.take().throttle, 0);
  }
});

test("a key that is pressed and let go between two steps is a shot, once", () => {
  const { pilot, press, lift } = seated();
  press("Space");
  lift("Space");
  assert.deepEqual([pilot.take().fire, pilot.take().fire], [true, false]);
  press("Space");
  assert.deepEqual([pilot.take().fire, pilot.take().fire], [true, true]);
});

test("game keys are taken from the page only while flying, and never from who types", () => {
  const { pilot, press } = seated();
  assert.ok(press("Space").defaultPrevented);
  assert.ok(!press("KeyX").defaultPrevented);
  assert.ok(!press("KeyA", { ctrlKey: true }).defaultPrevented);
  pilot.active = false;
  pilot.release();
  assert.ok(!press("Space").defaultPrevented);
  assert.equal(pilot.take().fire, false);
});

test("who leaves the window lets go of everything", () => {
  const { pilot, press, push, blur } = seated();
  press("KeyA");
  press("Space");
  push();
  blur();
  assert.deepEqual(pilot.take(), { throttle: 64, turn: 0, fire: false });
});

test("a finger on the left half turns and throttles by how far it is dragged", () => {
  const { pilot, touch, drag, raise } = seated();
  touch(200);
  assert.deepEqual(pilot.take(), { throttle: 64, turn: 0, fire: false });
  drag(235, 265);
  assert.deepEqual(pilot.take(), { throttle: 96, turn: 64, fire: false });
  drag(-900, 900);
  assert.deepEqual(pilot.take(), { throttle: 0, turn: -127, fire: false });
  drag(900, -900);
  assert.deepEqual(pilot.take(), { throttle: 127, turn: 127, fire: false });
  raise();
  assert.equal(pilot.take().turn, 0);
});

test("a finger on the right half or on the button fires while it is there", () => {
  const { pilot, touch, drag, raise, push } = seated();
  touch(200, 1);
  touch(700, 2);
  drag(270, 300, 1);
  assert.deepEqual(pilot.take(), { throttle: 64, turn: 127, fire: true });
  raise(2);
  assert.equal(pilot.take().fire, false);
  push();
  raise(5);
  assert.deepEqual([pilot.take().fire, pilot.take().fire], [true, false]);
});

test("a mouse over the sky does not steer, and nothing is heard after the end", () => {
  const { pilot, touch, press } = seated();
  touch(700, 1, { pointerType: "mouse" });
  assert.equal(pilot.take().fire, false);
  pilot.stop();
  press("KeyA");
  assert.equal(pilot.take().turn, 0);
});
