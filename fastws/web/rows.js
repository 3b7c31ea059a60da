// The rows in view: thousands of tokens, of which the table holds those a window shows. Owns the
// elements of the table's body. Everything from the server becomes text, never markup.

import * as format from "./format.js";
import { sparkline, visible } from "./market.js";

const SPARK = { width: 72, height: 22 };
const SVG = "http://www.w3.org/2000/svg";

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

export class Rows {
  #body;
  #market;
  #above = space();
  #below = space();
  #drawn = new Map(); // address → cells
  #list = [];
  #height = 0; // pixels of a row, as the style has it

  #choose;

  /** `choose(address)` is called when somebody wants to see a token from near. */
  constructor(body, market, choose) {
    this.#body = body;
    this.#market = market;
    this.#choose = choose;
    body.append(this.#above.row, this.#below.row);
  }

  /** Show these tokens in this order. Returns the addresses in view. */
  show(list) {
    this.#list = list;
    return this.scroll();
  }

  /** Draw the rows that are in view now, and drop the others. Returns their addresses. */
  scroll() {
    this.#height ||= parseFloat(getComputedStyle(this.#body).getPropertyValue("--row")) || 48;
    const top = this.#body.getBoundingClientRect().top;
    const { first, end } = visible(this.#list.length, this.#height, Math.max(0, -top), innerHeight - Math.max(0, top));
    const window = this.#list.slice(first, end);
    const kept = new Set(window.map((token) => token.address));
    for (const [address, cells] of this.#drawn) {
      if (kept.has(address)) continue;
      cells.row.remove();
      this.#drawn.delete(address);
    }
    let next = this.#above.row.nextSibling;
    window.forEach((token, at) => {
      const cells = this.#drawn.get(token.address) ?? this.#make(token);
      if (cells.row === next) next = next.nextSibling;
      else this.#body.insertBefore(cells.row, next);
      cells.row.setAttribute("aria-rowindex", String(first + at + 2)); // the heading is row 1
      this.#fill(cells, this.#market.get(token.address) ?? token);
    });
    this.#above.set(first * this.#height);
    this.#below.set((this.#list.length - end) * this.#height);
    return [...kept];
  }

  /** Draw one token again, if it is in view. */
  refresh(address) {
    const cells = this.#drawn.get(address);
    const token = this.#market.get(address);
    if (cells && token) this.#fill(cells, token);
  }

  #make(token) {
    const row = element("tr");
    row.dataset.address = token.address;
    const cell = (className, name = "td") => row.appendChild(element(name, className));
    const label = cell("token", "th");
    label.scope = "row";
    const mark = element("i", "mark", [...token.symbol.replace(/^\$/, "")][0]?.toUpperCase() ?? "?");
    mark.style.setProperty("--hue", format.hue(token.address));
    mark.ariaHidden = "true";
    const names = element("button", "names");
    names.type = "button";
    names.addEventListener("click", () => this.#choose(token.address));
    names.append(element("b", "", token.symbol), element("small", "", token.name));
    label.append(mark, names);
    label.title = token.address;
    const line = document.createElementNS(SVG, "polyline");
    const spark = document.createElementNS(SVG, "svg");
    spark.setAttribute("viewBox", `0 -1 ${SPARK.width} ${SPARK.height + 2}`);
    spark.setAttribute("aria-hidden", "true");
    spark.append(line);
    cell("trend").append(spark);
    const cells = { row, line, price: cell("n price"), change: cell("n change"), shown: null, turn: 0 };
    for (const name of ["volume", "liquidity", "cap"]) cells[name] = cell("n wide");
    this.#drawn.set(token.address, cells);
    return cells;
  }

  #fill(cells, token) {
    if (cells.shown !== token.price) {
      if (cells.shown !== null) {
        // Two names for the same animation: changing the name starts it again.
        cells.turn ^= 1;
        cells.price.dataset.flash = `${token.price > cells.shown ? "up" : "down"}-${cells.turn}`;
      }
      cells.shown = token.price;
      cells.price.textContent = format.price(token.price);
      cells.price.title = format.wholePrice(token.price);
      cells.price.setAttribute("aria-label", cells.price.title);
    }
    const trail = this.#market.trail(token.address);
    cells.line.setAttribute("points", sparkline(trail, SPARK.width, SPARK.height));
    cells.line.setAttribute("class", direction(trail.at(-1) - trail[0]));
    cells.change.textContent = format.percent(token.change_24h);
    cells.change.className = `n change ${direction(token.change_24h)}`;
    cells.volume.textContent = format.money(token.volume_24h);
    cells.liquidity.textContent = format.money(token.liquidity);
    cells.cap.textContent = format.money(token.market_cap);
  }
}

const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "still");

// A row as high as the rows that are not there, so that the page scrolls as if they were.
function space() {
  const row = element("tr", "space");
  const cell = row.appendChild(element("td"));
  row.ariaHidden = "true";
  return {
    row,
    set(pixels) {
      row.hidden = pixels === 0;
      cell.style.height = `${pixels}px`;
    },
  };
}
