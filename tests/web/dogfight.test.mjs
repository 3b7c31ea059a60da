// The arithmetic of the game against flights and shots of the rules' twin, bit for bit.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { flies, fromCells, rulesOf, shortWay, shotAt, SINE, steered } from "../../fastws/web/dogfight.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/dogfight.json", import.meta.url), "utf8"));
const planeOf = ([x, y, heading, speed]) => ({ x, y, heading, speed });

test("the sine is that of the rules", () => {
  assert.deepEqual([...SINE.subarray(0, 1025)], vectors.sine);
  assert.equal(SINE.reduce((sum, value, angle) => sum + angle * value, 0), vectors.sine_sum);
});

test("the rules at every rate are those of the rules", () => {
  for (const rules of vectors.rules) assert.deepEqual(rulesOf(rules.hz), rules);
});

for (const { where, hz, controls, states, shots } of vectors.flights) {
  test(`a flight from ${where}, ${hz} steps a second`, () => {
    const rules = rulesOf(hz);
    let plane = planeOf(states[0]);
    let step = 0;
    for (const [steps, throttle, turn] of controls) {
      for (let left = steps; left > 0; left--) {
        plane = steered(rules, plane, { throttle, turn });
        assert.deepEqual(plane, planeOf(states[++step]), `step ${step}`);
      }
    }
    assert.equal(step, states.length - 1);
  });

  test(`shots from ${where}, ${hz} steps a second`, () => {
    const rules = rulesOf(hz);
    assert.ok(shots.length > 8);
    for (const shot of shots) {
      assert.equal(shotAt(rules, shot, shot.fired - 1), null);
      assert.deepEqual(shotAt(rules, shot, shot.fired), { x: shot.x, y: shot.y });
      for (const [step, x, y] of [shot.near, shot.last]) assert.deepEqual(shotAt(rules, shot, step), { x, y });
      if (shot.ended) assert.equal(shotAt(rules, shot, shot.ended), null);
    }
  });
}

test("the flights meet every edge, and shots end in the sky and beyond it", () => {
  const { width, height, shotSteps } = rulesOf(30);
  const flights = vectors.flights.filter(({ hz }) => hz === 30);
  const met = (axis, value) => flights.some(({ states }) => states.some((state) => state[axis] === value));
  assert.ok(met(0, 0) && met(0, width - 1) && met(1, 0) && met(1, height - 1));
  const ends = flights.flatMap(({ shots }) => shots.map(({ fired, ended }) => ended - fired));
  assert.ok(ends.includes(shotSteps) && ends.some((flown) => flown > 0 && flown < shotSteps));
});

test("controls beyond their range are the end of it", () => {
  const rules = rulesOf(30);
  const plane = planeOf(vectors.flights[0].states[0]);
  const most = steered(rules, plane, { throttle: 127, turn: -127 });
  assert.deepEqual(steered(rules, plane, { throttle: 999, turn: -999 }), most);
});

test("cells mean the middle of what they can mean", () => {
  const [x, y, heading, speed] = vectors.flights[0].states[50];
  const kept = fromCells({ x: x >> 7, y: y >> 7, heading: heading >> 4, speed: speed >> 4 });
  assert.ok(Math.abs(kept.x - x) <= 64 && Math.abs(kept.y - y) <= 64);
  assert.ok(Math.abs(kept.heading - heading) <= 8 && Math.abs(kept.speed - speed) <= 8);
});

test("a heading goes the short way, over zero too", () => {
  assert.equal(shortWay(4000, 100, 4096), 196);
  assert.equal(shortWay(100, 4000, 4096), -196);
  assert.equal(shortWay(7, 7, 4096), 0);
});

test("who flies is who is not gone and not down", () => {
  assert.deepEqual([0, 1, 2, 3].map(flies), [false, true, false, true]);
});
