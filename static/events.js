/**
 * Who listens to what: named events of one object.
 * It knows no event by name; client.d.ts lists those of the client.
 * Rule kept: a listener's fault is the page's own; it surfaces as such and stops neither us nor the other listeners.
 */
export class Events {
  #listeners = new Map();

  /** Listen; returns the function that stops listening. */
  on(event, listener) {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener));
    return () => { set.delete(listener); };
  }

  emit(event, detail) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try { listener(detail); } catch (fault) { queueMicrotask(() => { throw fault; }); }
    }
  }
}
