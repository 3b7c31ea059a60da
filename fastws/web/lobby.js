// The list of public matches: a row for each, cells by the columns that the server names. Rows are kept
// and changed in place, because a button that is made anew under a finger is not pressed.

const SHOWN = 100;
const ORDER = ["lobby", "countdown", "live", "finished", "abandoned"];

/** A name of a column as people read it. */
const spoken = (name) => name.replaceAll("_", " ");

export class Lobby {
  #head;
  #body;
  #on;
  #rows = new Map(); // key → { element, cells, join, watch }
  #columns = [];

  /** `table`: the element; `on`: { join(id), watch(id) }. */
  constructor(table, on) {
    this.#head = table.tHead.rows[0];
    this.#body = table.tBodies[0];
    this.#on = on;
  }

  get size() {
    return this.#rows.size;
  }

  /** What is held now, all of it. `mayJoin`: whether there is somebody who could. */
  show(copy, mayJoin) {
    this.#named(copy.names);
    const keys = [...copy.ids.keys()].sort((a, b) => before(copy, a, b)).slice(0, SHOWN);
    for (const [key, row] of this.#rows) if (!keys.includes(key)) this.#forget(key, row);
    keys.forEach((key, place) => this.#show(copy, key, place, mayJoin));
  }

  #named(names) {
    if (names.join() === this.#columns.join()) return;
    this.#columns = [...names];
    for (const [key, row] of this.#rows) this.#forget(key, row);
    this.#head.replaceChildren(...["match", ...names, ""].map((name) => made("th", spoken(name), { scope: "col", class: name })));
  }

  #forget(key, row) {
    row.element.remove();
    this.#rows.delete(key);
  }

  #show(copy, key, place, mayJoin) {
    let row = this.#rows.get(key);
    if (!row) this.#rows.set(key, (row = this.#make(key)));
    const id = copy.ids.get(key);
    const value = (name) => String(copy.value(id, name) ?? "");
    this.#columns.forEach((name, at) => written(row.cells[at], value(name)));
    const { status } = row.element.dataset;
    if (status !== value("status")) row.element.dataset.status = value("status");
    const open = ["lobby", "countdown"].includes(value("status")) && Number(value("players")) < Number(value("max_players"));
    row.join.hidden = !mayJoin || !open;
    row.watch.hidden = ["finished", "abandoned"].includes(value("status"));
    if (this.#body.rows[place] !== row.element) this.#body.insertBefore(row.element, this.#body.rows[place] ?? null);
  }

  #make(key) {
    const element = made("tr", "");
    element.dataset.match = key;
    const cells = this.#columns.map((name) => Object.assign(made("td", ""), { className: name }));
    const join = made("button", "Join", { type: "button" });
    const watch = made("button", "Watch", { type: "button" });
    join.addEventListener("click", () => this.#on.join(key));
    watch.addEventListener("click", () => this.#on.watch(key));
    const buttons = made("td", "");
    buttons.append(join, " ", watch);
    element.append(made("th", key, { scope: "row", class: "match" }), ...cells, buttons);
    return { element, cells, join, watch };
  }
}

/** An element with a text. */
export function made(name, text, attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

/** Write a text where another one was. */
export function written(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Open ones first, then those that are played; the newest first.
function before(copy, a, b) {
  const rank = (key) => ORDER.indexOf(copy.value(copy.ids.get(key), "status"));
  return rank(a) - rank(b) || Number(b) - Number(a);
}
