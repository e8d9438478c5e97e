/**
 * The thread of one chat: messages in order, each once, and those of the visitor that are not confirmed yet.
 * Plain data: no network, no drawing, no timers; the hour comes in as an argument.
 * Rule kept: an unconfirmed message is offered again only after the history has shown that it did not arrive.
 */

const FILE_ONLY_TYPES = new Set(["Text", "Structured", undefined]);

/** At most `max` events in any `spanMs`: `waitMs` says how long until the next may pass, `take` records one. */
export class Pace {
  #times = [];
  #max;
  #spanMs;

  constructor(max, spanMs) { this.#max = max; this.#spanMs = spanMs; }

  /** Milliseconds to wait when `spared` places are to stay free for others; 0 = now. */
  waitMs(now, spared = 0) {
    this.#times = this.#times.filter((at) => at > now - this.#spanMs);
    const over = this.#times.length - (this.#max - spared);
    return over < 0 ? 0 : this.#times[over] + this.#spanMs - now;
  }

  take(now) { this.#times.push(now); }
}

/** By their time at Genesys; the visitor's messages that may yet be confirmed last, in the order written. */
function inOrder(a, b) {
  if ((a.time === null) !== (b.time === null)) return a.time === null ? 1 : -1;
  return (a.time ?? 0) - (b.time ?? 0) || a.order - b.order;
}

export class Thread {
  #shown = new Map();
  #outbox = [];
  #order = 0;

  /** All messages to show, oldest first; `key` stays the same when a message is confirmed and gets Genesys' id. */
  get messages() { return [...this.#shown.values()].sort(inOrder); }
  get size() { return this.#shown.size; }
  /** The visitor's messages that are not confirmed, as plain data that survives a reload. */
  get unsent() { return structuredClone(this.#outbox); }
  /** True while a message may have arrived without our knowing. */
  get uncertain() { return this.#outbox.some((item) => item.sentAt && !item.failed); }

  clear() { this.#shown.clear(); this.#outbox = []; }

  /** Put back what a reload interrupted. */
  restore(unsent) { for (const item of unsent) { this.#outbox.push(item); this.#draw(item); } }

  /** Take up a message of the visitor; `id` is a fresh UUID and travels as tracingId and metadata.id. */
  write(id, payload) {
    const item = { id, payload: { ...payload, metadata: { id } }, sentAt: 0, failed: "", resends: 0 };
    this.#outbox.push(item);
    this.#draw(item);
  }

  /** The next message to send, or undefined. */
  next() { return this.#outbox.find((item) => !item.sentAt && !item.failed); }
  sent(item, now) { item.sentAt = now; this.#draw(item); }
  find(id) { return this.#outbox.find((item) => item.id === id); }
  oldestSent() { return this.#outbox.find((item) => item.sentAt && !item.failed); }

  /** It surely did not arrive: back into the queue, at most `most` times. */
  again(item, most) {
    item.resends += 1;
    if (item.resends > most) this.fail(item, "message.refused");
    else { item.sentAt = 0; this.#draw(item); }
  }

  fail(item, reason) { item.failed = reason; this.#draw(item); }
  revive(item) { Object.assign(item, { sentAt: 0, failed: "", resends: 0 }); this.#draw(item); }

  /** After the history was read: what is still unconfirmed did not arrive, and is sent again in its place. */
  settle() {
    for (const item of this.#outbox) if (item.sentAt && !item.failed) { item.sentAt = 0; this.#draw(item); }
  }

  /**
   * Take in a StructuredMessage, live or from the history. Returns the new message when it is a new one from the other
   * side, else null. Events (typing, presence) are not messages and are left to the caller.
   */
  absorb(body, tracingId) {
    if (!FILE_ONLY_TYPES.has(body.type) || (!body.text && !body.content?.length)) return null;
    const mine = body.direction === "Inbound";
    const written = mine ? this.#confirm(body, tracingId) : undefined;
    if (this.#shown.has(body.id)) return null;
    const message = {
      id: body.id, key: written?.id ?? body.id, mine, text: body.text ?? "", content: body.content ?? [],
      time: Date.parse(body.channel?.time ?? "") || 0,
      order: this.#order++, state: "sent", reason: "", from: body.originatingEntity ?? null,
      name: body.channel?.from?.nickname ?? "", image: body.channel?.from?.image ?? "",
    };
    this.#shown.set(message.id, message);
    return mine ? null : message;
  }

  /** Which waiting message is this? Its id stands in one of three places; where there is none, the text tells. */
  #confirm(body, tracingId) {
    const marks = [tracingId, body.metadata?.id, body.metadata?.correlationId];
    const marked = this.#outbox.find((item) => marks.includes(item.id));
    const unmarked = !body.metadata?.id && !tracingId && !this.#shown.has(body.id);
    const sameText = (each) => each.sentAt && (each.payload.text ?? "") === (body.text ?? "");
    const item = marked ?? (unmarked ? this.#outbox.find(sameText) : undefined);
    if (!item) return undefined;
    this.#outbox.splice(this.#outbox.indexOf(item), 1);
    this.#shown.delete(item.id);
    return item;
  }

  #draw(item) {
    const state = item.failed ? "failed" : item.sentAt ? "sending" : "waiting";
    const { text = "", content = [] } = item.payload;
    const order = this.#shown.get(item.id)?.order ?? this.#order++;
    // A failed message keeps the place where it failed; those that may yet go stand below everything.
    const times = [...this.#shown.values()].filter((each) => each.state === "sent").map((each) => each.time);
    const time = item.failed ? this.#shown.get(item.id)?.time ?? Math.max(0, ...times) : null;
    const own = { mine: true, time, from: null, name: "", image: "" };
    this.#shown.set(item.id, { id: item.id, key: item.id, ...own, text, content, order, state, reason: item.failed });
  }
}
