// One's own plane ahead of the server: what is played again, what a correction is, how it melts away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DOWN, FLYING, fromCells, rulesOf, SHIELDED, steered } from "../../fastws/web/dogfight.js";
import { Prediction } from "../../fastws/web/prediction.js";

const HZ = 30;
const STEP_MS = 1000 / HZ;
const rules = rulesOf(HZ);
const START = { x: 1_600_000, y: 1_000_000, heading: 8000, speed: rules.slowest };
const cellsOf = ({ x, y, heading, speed }, seq, state = FLYING) => ({ x: x >> 7, y: y >> 7, heading: heading >> 4, speed: speed >> 4, seq, state });

/** A server that flies what it is sent `late` inputs later. */
function flown(prediction, steps, { late = 4, controls = () => ({ throttle: 100, turn: 40 }), on = () => {} } = {}) {
  let plane = START;
  const sent = [];
  let now = 0;
  for (let seq = 1; seq <= steps; seq++) {
    now = seq * STEP_MS;
    sent.push(controls(seq));
    prediction.input(sent.at(-1), seq, now);
    if (seq > late) {
      plane = steered(rules, plane, sent[seq - late - 1]);
      prediction.take(cellsOf(plane, seq - late), now);
      on(seq, now);
    }
  }
  return { plane, sent, now };
}

function begun() {
  const prediction = new Prediction(rules);
  prediction.take(cellsOf(START, 0), 0);
  return prediction;
}

test("before the first state there is nothing to show, and inputs move nothing", () => {
  const prediction = new Prediction(rules);
  prediction.input({ throttle: 127, turn: 0 }, 1, 0);
  assert.equal(prediction.shown(0), null);
  assert.equal(prediction.ahead, 0);
});

test("inputs the server has not named are played again from its state", () => {
  const prediction = begun();
  const { plane, sent } = flown(prediction, 100);
  assert.equal(prediction.ahead, 4);
  let expected = plane;
  for (const controls of sent.slice(-4)) expected = steered(rules, expected, controls);
  assert.ok(Math.hypot(prediction.plane.x - expected.x, prediction.plane.y - expected.y) < 1024 / 4);
});

test("what both compute alike is corrected by less than a cell", () => {
  const prediction = begun();
  let worst = 0;
  flown(prediction, 400, { controls: (seq) => ({ throttle: seq % 128, turn: (seq % 90) - 45 }), on: () => (worst = Math.max(worst, prediction.correction)) });
  assert.ok(worst < 0.25, `${worst} u`);
});

/** The worst correction where inputs come `late` by turns, so that a step gets none or two of them. */
function jittered(by) {
  const prediction = begun();
  const controls = (seq) => ({ throttle: 127, turn: seq % 60 < 30 ? 90 : 0 });
  let plane = START;
  let worst = 0;
  for (let seq = 1; seq <= 300; seq++) {
    const now = seq * STEP_MS;
    prediction.input(controls(seq), seq, now);
    const named = seq - 3 + by(seq);
    if (named < 1) continue;
    plane = steered(rules, plane, controls(named));
    prediction.take(cellsOf(plane, named), now, seq);
    if (seq > 30) worst = Math.max(worst, prediction.correction);
  }
  return { worst, prediction };
}

test("steps that get no input or two do not shake the plane", () => {
  // By unnamed inputs alone it were six u, each time.
  assert.ok(jittered((seq) => seq % 2).worst < 2);
  assert.ok(jittered((seq) => (seq % 7 === 0 ? -1 : 0)).worst < 2);
});

test("inputs that stay later than they were are played again all the same, after one correction", () => {
  const { prediction } = jittered((seq) => (seq > 150 ? -2 : 0));
  assert.equal(prediction.ahead, 5);
});

test("an edge of the sky is met before the server says so", () => {
  const prediction = new Prediction(rules);
  const near = { x: rules.width - 3000, y: 1_000_000, heading: 0, speed: rules.fastest };
  prediction.take(cellsOf(near, 0), 0);
  prediction.input({ throttle: 127, turn: 0 }, 1, STEP_MS);
  assert.deepEqual([prediction.plane.x, prediction.plane.speed], [rules.width - 1, rules.slowest]);
});

test("a correction is not seen at once, and is gone after a tenth of a second", () => {
  const prediction = begun();
  const { plane, now } = flown(prediction, 60);
  const before = prediction.shown(now);
  const aside = { ...plane, y: plane.y + 20 * 1024 };
  prediction.take(cellsOf(aside, 56), now);
  assert.ok(Math.abs(prediction.correction - 20) < 0.5);
  const after = prediction.shown(now);
  assert.ok(Math.hypot(after.x - before.x, after.y - before.y) < 0.01, "nothing jumps");
  const half = prediction.shown(now + 33).y - before.y;
  const late = prediction.shown(now + 150).y;
  assert.ok(half > 8, "it is on its way");
  assert.ok(Math.abs(late - prediction.plane.y / 1024) < 0.5, "it is there");
});

test("a correction of the heading goes the short way round", () => {
  const prediction = new Prediction(rules);
  prediction.take(cellsOf({ ...START, heading: 65500 }, 0), 0);
  prediction.take(cellsOf({ ...START, heading: 100 }, 0), 1);
  const { heading } = prediction.shown(1);
  assert.ok(heading > 65400 || heading < 100, `${heading}`);
  assert.ok(Math.abs(prediction.shown(1000).heading - 104) < 10);
});

test("between two steps it is between their places", () => {
  const prediction = begun();
  prediction.input({ throttle: 127, turn: 0 }, 1, 100);
  const [from, half, to, later] = [100, 100 + STEP_MS / 2, 100 + STEP_MS, 900].map((now) => prediction.shown(now).x);
  assert.ok(Math.abs(half - (from + to) / 2) < 0.001);
  assert.notEqual(from, to);
  assert.equal(later, to);
});

test("who is down does not move; who comes back is there at once", () => {
  const prediction = begun();
  const { plane, now } = flown(prediction, 30);
  prediction.take(cellsOf(plane, 27, DOWN), now);
  assert.equal(prediction.ahead, 0);
  const lies = prediction.shown(now);
  prediction.input({ throttle: 127, turn: 0 }, 31, now);
  assert.deepEqual(prediction.shown(now + 50), lies);
  const place = { ...START, x: 400_000 };
  prediction.take(cellsOf(place, 31, SHIELDED), now + 60);
  assert.equal(prediction.shown(now + 60).x, fromCells(cellsOf(place, 31)).x / 1024);
  assert.equal(prediction.correction, 0);
});

test("another place than one could have flown to is a jump", () => {
  const prediction = begun();
  prediction.take(cellsOf({ ...START, x: START.x + 300 * 1024 }, 0), 10);
  assert.equal(Math.round(prediction.correction), 300);
  assert.ok(Math.abs(prediction.shown(10).x - START.x / 1024 - 300) < 0.2);
});

test("inputs that nobody will name are not kept for ever", () => {
  const prediction = begun();
  for (let seq = 1; seq <= 500; seq++) prediction.input({ throttle: 0, turn: 127 }, seq, seq * STEP_MS);
  assert.equal(prediction.ahead, HZ);
  prediction.forget();
  assert.equal(prediction.ahead, 0);
});
