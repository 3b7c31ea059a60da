// Others in the past between two states; the server's step from arrivals; shots by arithmetic.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DOWN, FLYING, rulesOf, SHIELDED } from "../../fastws/web/dogfight.js";
import { Interpolation, StepClock } from "../../fastws/web/interpolation.js";
import { Shots } from "../../fastws/web/shots.js";

const HZ = 30;
const MS = 1000 / HZ;
const plane = (x, heading = 0, state = FLYING) => new Map([[0, { x, y: 80, heading, speed: 9, state, name: "Ada" }]]);

function watched(steps, { every = 1, at = (step) => 5000 + step * MS, planes = (step) => plane(step * 10) } = {}) {
  const clock = new StepClock(HZ, every);
  const others = new Interpolation(HZ, clock);
  for (let step = 0; step <= steps; step += every) {
    clock.add(step, at(step));
    others.add(step, planes(step));
  }
  return { clock, others, x: (step) => others.at(step).get(0)?.x };
}

test("a plane is between two states, and held where none came", () => {
  const { x } = watched(60);
  assert.equal(x(50.5), 505);
  assert.equal(x(60), 600);
  assert.equal(x(70), 600);
  assert.equal(new Interpolation(HZ, new StepClock(HZ)).at(5).size, 0);
});

test("others are a tenth of a second in the past, or two frames if those are more", () => {
  const players = watched(90);
  const now = 5000 + 90 * MS;
  assert.equal(players.others.delayMs, 100);
  assert.ok(Math.abs(players.others.viewed(now) - 87) < 0.01);
  const spectators = watched(90, { every: 6 });
  assert.ok(Math.abs(spectators.others.delayMs - 12 * MS) < 0.01);
  assert.ok(Math.abs(spectators.others.viewed(now) - 78) < 0.01);
});

test("headings go the short way round", () => {
  const { others } = watched(1, { planes: (step) => plane(0, step ? 100 : 4000) });
  assert.equal(others.at(0.5).get(0).heading, 2);
});

test("who comes back is not flown to his new place", () => {
  const { others } = watched(2, { planes: (step) => plane(step * 1000, 0, [FLYING, DOWN, SHIELDED][step]) });
  assert.equal(others.at(0.9).get(0).x, 0);
  assert.deepEqual([others.at(1.9).get(0).x, others.at(1.9).get(0).state], [1000, DOWN]);
  assert.equal(others.at(2).get(0).x, 2000);
});

test("rows that are gone are shown until their time, and a state told again replaces itself", () => {
  const { others } = watched(5);
  others.add(6, new Map());
  assert.equal(others.at(5.5).size, 1);
  assert.equal(others.at(6).size, 0);
  others.add(6, plane(7));
  assert.equal(others.at(6).get(0).x, 7);
});

test("a game that begins anew forgets the one before", () => {
  const { others } = watched(60);
  others.add(0, plane(3));
  assert.equal(others.at(30).get(0).x, 3);
});

test("frames that come late do not move the server's step", () => {
  const late = (step) => 5000 + step * MS + (step % 4 === 1 ? 60 : 0);
  const { clock } = watched(120, { at: late });
  assert.ok(Math.abs(clock.now(5000 + 120 * MS) - 120) < 0.05);
  assert.equal(new StepClock(HZ).now(0), null);
});

test("after a standstill the step is right again at once, and a longer way is learned", () => {
  const { clock } = watched(10);
  clock.add(11, 20_000); // the countdown was before this
  assert.ok(Math.abs(clock.now(20_000) - 11) < 0.01);
  for (let step = 12; step < 250; step++) clock.add(step, 20_000 + (step - 11) * MS + 100);
  assert.ok(Math.abs(clock.now(20_000 + 238 * MS + 100) - 249) < 0.5);
});

test("what did not come is a part of what was due", () => {
  assert.equal(watched(60).clock.loss, 0);
  assert.equal(new StepClock(HZ).loss, 0);
  const clock = new StepClock(HZ, 1);
  for (let step = 0; step <= 60; step++) if (step % 4) clock.add(step, step * MS);
  assert.ok(Math.abs(clock.loss - 0.25) < 0.02);
});

test("who does not know how often frames come learns it, so spectators lose nothing", () => {
  const clock = new StepClock(HZ);
  for (let step = 0; step <= 60; step += 3) clock.add(step, step * MS);
  assert.deepEqual([clock.every, clock.loss], [3, 0]);
});

const rules = rulesOf(HZ);
const fired = (seq, state = 1) => ({ x: 8000, y: 8000, heading: 0, seq, state });

test("a shot flies from when it was fired until its time is over", () => {
  const shots = new Shots(rules);
  shots.take(2, 0, fired(10), 10);
  shots.take(2, 0, fired(10), 11);
  const at = (step) => shots.flying(() => step)[0];
  assert.equal(at(9.9), undefined);
  assert.deepEqual(at(10), { player: 2, x: 1000.0625, y: 1000.0625, heading: 8 });
  assert.equal(at(20).x, 1000.0625 + 160);
  assert.equal(at(10 + rules.shotSteps), undefined);
});

test("a shot that hit ends at that step, and those of the past stay until then", () => {
  const shots = new Shots(rules);
  shots.take(2, 0, fired(10), 10);
  shots.take(2, 0, fired(10, 0), 15);
  assert.equal(shots.flying(() => 14.9).length, 1);
  assert.equal(shots.flying(() => 15).length, 0);
  shots.take(2, 0, fired(16), 16);
  assert.equal(shots.flying(() => 14).length, 1, "the first");
  assert.equal(shots.flying(() => 17).length, 1, "the second");
});

test("a slot that never fired has no shot, and each player's shots have his step", () => {
  const shots = new Shots(rules);
  shots.take(0, 0, fired(0, 0), 20);
  assert.equal(shots.flying(() => 1).length, 0);
  shots.take(0, 0, fired(20), 20);
  shots.take(1, 0, fired(20), 20);
  assert.deepEqual(shots.flying((player) => (player ? 19 : 21)).map((one) => one.player), [0]);
  shots.clear();
  assert.equal(shots.flying(() => 21).length, 0);
});
