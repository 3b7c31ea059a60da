// Who wants to hear what. Owns listeners by name; a listener that throws does not keep others from
// hearing, and is reported as an uncaught error.

export class Emitter {
  #listeners = new Map(); // name → Set of functions

  /** Call `listener` for each `name`; returns a function that ends it. */
  on(name, listener) {
    let known = this.#listeners.get(name);
    if (!known) this.#listeners.set(name, (known = new Set()));
    known.add(listener);
    return () => known.delete(listener);
  }

  /** Tell those who listen to `name`. */
  tell(name, ...what) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(...what);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
