// The rules of SkyDuel for one plane and one shot, to the last bit (docs/skyduel.md): whole numbers only.
// `>>` of the rules is a floor here, because JavaScript's own has 32 bits. Owns arithmetic; no clock, no page.

export const WIDTH = 3200; // of the sky, in u
export const HEIGHT = 2000;
export const UNIT = 1024; // parts of a u, in which positions and speeds are kept
export const TURN = 65536; // of headings as they are kept
export const CELL = { position: 128, heading: 16, speed: 16 }; // what one of the wire is in kept units
export const SLOTS = 8; // shots of one plane in the air at once
export const HEALTH = 100;
export const MAGAZINE = 24;

/** States of a plane. */
export const [GONE, FLYING, DOWN, SHIELDED] = [0, 1, 2, 3];
/** States of a game. */
export const [LOBBY, COUNTDOWN, LIVE, FINISHED] = [0, 1, 2, 3];

/** By 4096 to a turn, times 16384. */
export const SINE = Int32Array.from({ length: 4096 }, (_, angle) => Math.round(Math.sin((angle * 2 * Math.PI) / 4096) * 16384));

const shifted = (product, bits) => Math.floor(product / 2 ** bits);
const between = (least, value, most) => Math.min(Math.max(value, least), most);
const cosineOf = (heading) => SINE[((heading >> 4) + 1024) & 4095];
const sineOf = (heading) => SINE[(heading >> 4) & 4095];

/** What the rules are at so many steps a second. */
export function rulesOf(hz) {
  return {
    hz,
    width: WIDTH * UNIT,
    height: HEIGHT * UNIT,
    slowest: Math.floor((60 * UNIT) / hz),
    fastest: Math.floor((180 * UNIT) / hz),
    pickup: Math.floor((90 * UNIT) / (hz * hz)),
    turn: Math.floor((150 * TURN) / (360 * hz)),
    shotSpeed: Math.floor((480 * UNIT) / hz),
    shotSteps: Math.floor(1.2 * hz),
    cooldown: Math.floor(0.2 * hz),
    reload: 2 * hz,
    down: 3 * hz,
    shield: Math.floor(1.5 * hz),
  };
}

/** Whether a plane in this state moves. */
export const flies = (state) => state === FLYING || state === SHIELDED;

/** A plane a step later: `plane` { x, y, heading, speed } as kept, `controls` { throttle 0..127, turn -127..127 }. */
export function steered(rules, plane, controls) {
  const throttle = between(0, controls.throttle, 127);
  const turn = between(-127, controls.turn, 127);
  const target = rules.slowest + shifted((rules.fastest - rules.slowest) * throttle, 7);
  let speed = plane.speed + between(-rules.pickup, target - plane.speed, rules.pickup);
  const heading = (plane.heading + shifted(rules.turn * turn, 7)) & (TURN - 1);
  const freeX = plane.x + shifted(speed * cosineOf(heading), 14);
  const freeY = plane.y + shifted(speed * sineOf(heading), 14);
  const x = between(0, freeX, rules.width - 1);
  const y = between(0, freeY, rules.height - 1);
  if (x !== freeX || y !== freeY) speed = rules.slowest;
  return { x, y, heading, speed };
}

/** How far a shot goes in a step, from its heading as kept. */
export function velocityOf(rules, heading) {
  return { x: shifted(rules.shotSpeed * cosineOf(heading), 14), y: shifted(rules.shotSpeed * sineOf(heading), 14) };
}

/**
 * Where a shot is at a step, or null: not fired yet, its time is over, or it left the sky. `shot`
 * { x, y, heading, fired }, as kept. A step may have a part: a drawing is made between two.
 */
export function shotAt(rules, shot, step) {
  const flown = step - shot.fired;
  if (flown < 0 || flown >= rules.shotSteps) return null;
  const by = velocityOf(rules, shot.heading);
  const x = shot.x + by.x * flown;
  const y = shot.y + by.y * flown;
  return x >= 0 && y >= 0 && x < rules.width && y < rules.height ? { x, y } : null;
}

/** A plane as it is kept, from the cells of its row: the middle of what they can mean. */
export function fromCells(cells) {
  return {
    x: cells.x * CELL.position + CELL.position / 2,
    y: cells.y * CELL.position + CELL.position / 2,
    heading: cells.heading * CELL.heading + CELL.heading / 2,
    speed: cells.speed * CELL.speed + CELL.speed / 2,
  };
}

/** From one heading to another the short way round, of so many to a turn: -turn/2 to turn/2. */
export function shortWay(from, to, turn) {
  return ((((to - from) % turn) + turn * 1.5) % turn) - turn / 2;
}
