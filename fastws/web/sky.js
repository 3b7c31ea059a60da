// Draws the sky on a canvas: its edge, planes, shots, explosions. Owns the camera: a large window shows the
// whole sky, a small one follows a plane. Reads its colours from the style sheet; keeps nothing of a game.

import { flies, HEALTH, HEIGHT, SHIELDED, WIDTH } from "./dogfight.js";

const MARGIN = 40; // u around the sky
const SMALLEST = 0.2; // pixels of a u at which the whole sky can still be played
const CLOSE = 0.5; // pixels of a u where the camera follows
const GRID = 400;
const EXPLODES_MS = 700;
const COLOURS = ["--sky", "--beyond", "--grid", "--edge-of-sky", "--text", "--muted", "--own", "--shot", "--fire", "--good", "--bad"];

/** A colour that is a player's own. */
export const hueOf = (player) => Math.round(player * 137.5 + 200) % 360;

export class Sky {
  #canvas;
  #pen;
  #colours = {};
  #lightness = 60;
  #camera = { x: WIDTH / 2, y: HEIGHT / 2, scale: 1 };
  #places = new Map(); // player → where his plane was drawn last: that is where it explodes
  #width = 0;
  #height = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#readColours(dark.matches));
    this.#readColours(dark.matches);
    new ResizeObserver(() => this.#fit()).observe(canvas);
    this.#fit();
  }

  #readColours(dark) {
    const style = getComputedStyle(this.#canvas);
    for (const name of COLOURS) this.#colours[name] = style.getPropertyValue(name).trim();
    this.#lightness = dark ? 65 : 40;
  }

  #fit() {
    const ratio = globalThis.devicePixelRatio || 1;
    this.#width = this.#canvas.clientWidth;
    this.#height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.#width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    this.#pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  // ── the camera ───────────────────────────────────────────────────────────────────────────

  #aim(own) {
    const whole = Math.min(this.#width / (WIDTH + 2 * MARGIN), this.#height / (HEIGHT + 2 * MARGIN));
    if (whole >= SMALLEST) {
      this.#camera = { x: WIDTH / 2, y: HEIGHT / 2, scale: whole };
      return;
    }
    const scale = own ? CLOSE : whole; // who watches wants to see who flies where
    const aim = (at, size, shown) => {
      const half = shown / scale / 2 - MARGIN;
      return half * 2 >= size ? size / 2 : Math.min(Math.max(at, half), size - half);
    };
    const { x, y } = own ?? this.#camera;
    this.#camera = { x: aim(x, WIDTH, this.#width), y: aim(y, HEIGHT, this.#height), scale };
  }

  #x = (x) => (x - this.#camera.x) * this.#camera.scale + this.#width / 2;
  #y = (y) => (y - this.#camera.y) * this.#camera.scale + this.#height / 2;

  // ── a frame ──────────────────────────────────────────────────────────────────────────────

  /** `scene` as Match.scene makes it. */
  draw(scene, now) {
    this.#aim(scene.own);
    this.#background();
    for (const shot of scene.shots) this.#shot(shot, shot.player === scene.own?.player);
    for (const plane of scene.planes) {
      if (!flies(plane.state)) continue;
      this.#places.set(plane.player, { x: plane.x, y: plane.y });
      this.#plane(plane);
    }
    for (const explosion of scene.explosions) this.#explosion(explosion, now);
  }

  #background() {
    const pen = this.#pen;
    pen.fillStyle = this.#colours["--beyond"];
    pen.fillRect(0, 0, this.#width, this.#height);
    const [left, top, right, bottom] = [this.#x(0), this.#y(0), this.#x(WIDTH), this.#y(HEIGHT)];
    pen.fillStyle = this.#colours["--sky"];
    pen.fillRect(left, top, right - left, bottom - top);
    pen.beginPath();
    for (let x = GRID; x < WIDTH; x += GRID) this.#line(this.#x(x), top, this.#x(x), bottom);
    for (let y = GRID; y < HEIGHT; y += GRID) this.#line(left, this.#y(y), right, this.#y(y));
    pen.lineWidth = 1;
    pen.strokeStyle = this.#colours["--grid"];
    pen.stroke();
    pen.lineWidth = 2;
    pen.strokeStyle = this.#colours["--edge-of-sky"];
    pen.strokeRect(left, top, right - left, bottom - top);
  }

  #line(fromX, fromY, toX, toY) {
    this.#pen.moveTo(fromX, fromY);
    this.#pen.lineTo(toX, toY);
  }

  #shot({ x, y, angle }, own) {
    const pen = this.#pen;
    const length = Math.max(14 * this.#camera.scale, 5);
    const [atX, atY] = [this.#x(x), this.#y(y)];
    pen.beginPath();
    this.#line(atX - Math.cos(angle) * length, atY - Math.sin(angle) * length, atX, atY);
    pen.lineCap = "round";
    pen.lineWidth = Math.max(4 * this.#camera.scale, 2);
    pen.strokeStyle = this.#colours[own ? "--own" : "--shot"];
    pen.stroke();
  }

  #plane(plane) {
    const pen = this.#pen;
    const size = Math.max(18 * this.#camera.scale, 11);
    pen.save();
    pen.translate(this.#x(plane.x), this.#y(plane.y));
    pen.save();
    pen.rotate(plane.angle);
    outline(pen, size);
    pen.fillStyle = plane.own ? this.#colours["--own"] : `hsl(${hueOf(plane.player)} 70% ${this.#lightness}%)`;
    pen.fill();
    if (plane.own) {
      pen.lineWidth = 2;
      pen.strokeStyle = this.#colours["--text"];
      pen.stroke();
    }
    pen.restore();
    if (plane.state === SHIELDED) this.#ring(size * 1.7, this.#colours["--muted"]);
    this.#label(plane, size);
    pen.restore();
  }

  #ring(radius, colour) {
    const pen = this.#pen;
    pen.beginPath();
    pen.arc(0, 0, radius, 0, 2 * Math.PI);
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.strokeStyle = colour;
    pen.stroke();
    pen.setLineDash([]);
  }

  #label({ name, health, own }, size) {
    const pen = this.#pen;
    const [width, top] = [34, -size - 12];
    pen.font = `${own ? 600 : 400} 12px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.fillStyle = this.#colours[own ? "--text" : "--muted"];
    pen.fillText(name, 0, top - 5, 120);
    pen.fillStyle = this.#colours["--grid"];
    pen.fillRect(-width / 2, top, width, 4);
    pen.fillStyle = this.#colours[health > HEALTH * 0.4 ? "--good" : "--bad"];
    pen.fillRect(-width / 2, top, (width * Math.max(0, health)) / HEALTH, 4);
  }

  #explosion(explosion, now) {
    explosion.place ??= this.#places.get(explosion.player) ?? null;
    const part = (now - explosion.at) / EXPLODES_MS;
    if (!explosion.place || part >= 1) return;
    const pen = this.#pen;
    pen.save();
    pen.globalAlpha = 1 - part;
    pen.translate(this.#x(explosion.place.x), this.#y(explosion.place.y));
    pen.beginPath();
    pen.arc(0, 0, Math.max(70 * this.#camera.scale, 24) * Math.sqrt(part), 0, 2 * Math.PI);
    pen.fillStyle = this.#colours["--fire"];
    pen.fill();
    pen.restore();
  }
}

// From above, the nose to the right.
function outline(pen, size) {
  pen.beginPath();
  for (const [x, y] of [[1.2, 0], [0.3, 0.25], [-0.1, 1], [-0.45, 1], [-0.35, 0.25], [-0.75, 0.2], [-0.95, 0.5], [-1.1, 0.5], [-1, 0]]) pen.lineTo(x * size, y * size);
  for (const [x, y] of [[-1.1, -0.5], [-0.95, -0.5], [-0.75, -0.2], [-0.35, -0.25], [-0.45, -1], [-0.1, -1], [0.3, -0.25]]) pen.lineTo(x * size, y * size);
  pen.closePath();
}
