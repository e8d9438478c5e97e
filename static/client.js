/**
 * The guest's end of the Guest API, spoken through the gateway: stays connected, sends what waits, takes in what comes.
 * It draws nothing (panel.js does); session.js holds the handle, connection.js one socket, thread.js the messages.
 * Rule kept: what the visitor wrote is sent once, or is shown as not sent; it is never lost in silence.
 */
import { Connection } from "./connection.js";
import { Events } from "./events.js";
import { watchPage } from "./page.js";
import { Possession } from "./possession.js";
import * as rules from "./rules.js";
import { Keep, Problem, Session } from "./session.js";
import { Pace, Thread } from "./thread.js";

export { Problem };

export class Client {
  #base; #deploymentId; #timing; #random; #debug;
  #keep; #session; #thread = new Thread(); #events = new Events(); #context = {};
  #token = crypto.randomUUID(); // fills the place of Genesys' guest token, which the gateway alone knows
  #paces = Object.fromEntries(Object.entries(rules.LIMITS).map(([name, limit]) => [name, new Pace(...limit)]));
  #wanted = false; #running = null; #wake = null; // the loop that keeps the connection
  #connection = null; #ready = false; #startNew = false; #timers = {}; #hushUntil = 0; // the connection there is
  #uploading = Promise.resolve();

  /** `idle`, `connecting`, `online`, `reconnecting`, `offline`, `refused`, `signin`, `elsewhere` or `ended`. */
  state = "idle";
  /** True when there are older messages at Genesys than the thread shows. */
  more = false;
  /** What may be attached, as Genesys said: `{types, maxBytes, blocked}`, or null before the first connection. */
  files = null;

  /** `base` is the address of the site at the gateway; `timing` and `random` replace the defaults in tests. */
  constructor({ base, site, deploymentId, dpop = false, timing = {}, random = Math.random, debug = () => {} }) {
    this.#base = base;
    this.#deploymentId = deploymentId;
    this.#timing = { ...rules.TIMING, ...timing };
    this.#random = random;
    this.#debug = debug;
    this.#keep = new Keep(site);
    const changed = (guest, due) => this.#guestChanged(guest, due);
    this.#session = new Session({ base, keep: this.#keep, changed, possession: dpop ? new Possession(site) : null });
    this.#watchPage();
  }

  get guest() { return this.#session.guest; } get messages() { return this.#thread.messages; }
  get draft() { return this.#keep.get("draft") ?? ""; }
  set draft(text) { this.#keep.put({ draft: text }); }

  /** Listen to state, thread, message, typing, guest, left or problem; returns the function that stops listening. */
  on(event, listener) { return this.#events.on(event, listener); }

  /** Be connected from now on: open or resume the session, and reconnect for as long as this is wanted. */
  connect() {
    if (this.state === "ended") { this.#startNew = true; this.#clear(); }
    this.#wanted = true; this.#keep.open();
    this.#wake?.();
    this.#running ??= this.#run().finally(() => { this.#running = null; });
  }

  /** Queue a text or the answer to a quick reply or button, and return its id. Throws Problem when it is too long. */
  send(text, { reply = null, attachmentId = null } = {}) {
    const bytes = rules.bytesOf(text);
    if (bytes > rules.MAX_TEXT_BYTES) throw new Problem("message.too_long", `${bytes} bytes; 4096 may be.`);
    const content = [];
    const buttonResponse = reply && { type: reply.type, text, payload: reply.payload };
    if (reply) content.push({ contentType: "ButtonResponse", buttonResponse });
    if (attachmentId) content.push({ contentType: "Attachment", attachment: { id: attachmentId } });
    const id = crypto.randomUUID();
    this.connect(); // first: after the end of a chat this clears the old thread
    const type = reply ? "Structured" : "Text";
    this.#thread.write(id, { type, ...(text && { text }), ...(content.length && { content }) });
    this.#emit("thread");
    this.#flush();
    return id;
  }

  /** Offer a message that failed once more. */
  retry(id) {
    const item = this.state !== "ended" && this.#thread.find(id);
    if (!item) return;
    this.#thread.revive(item);
    this.#emit("thread");
    this.connect();
    this.#flush();
  }

  /** Say that the visitor is typing: at most once in five seconds, and never at the cost of a message. */
  typing() {
    const now = Date.now();
    if (!this.#ready || now < this.#hushUntil) return;
    if (this.#paces.typing.waitMs(now) || this.#connection.waitMs(now, rules.SPARED_BY_TYPING)) return;
    this.#paces.typing.take(now);
    const events = [{ eventType: "Typing", typing: { type: "On" } }];
    this.#connection.post("onMessage", { message: { type: "Event", events } });
  }

  /** Read a page of the history into the thread, newest page first; resolves to true when there are older ones. */
  async history(pageNumber = 1) {
    await this.#pause(this.#paces.history.waitMs(Date.now()), false);
    this.#paces.history.take(Date.now());
    if (!this.#connection) throw new Problem("socket.closed", "There is no connection now.");
    const { jwt } = await this.#connection.ask("getJwt", {}, "JwtResponse");
    const path = `/api/v2/webmessaging/messages?pageSize=25&pageNumber=${pageNumber}`;
    const page = await this.#session.call("GET", path, { bearer: jwt });
    for (const entity of [...page.entities].reverse()) this.#thread.absorb(entity);
    this.more = pageNumber < (page.pageCount ?? 0);
    this.#emit("thread");
    return this.more;
  }

  /** Upload one file, others waiting their turn, and send it with `text`. Rejects with Problem when it is refused. */
  attach(file, text = "") {
    const upload = async () => { await this.#untilOnline(); return this.#connection.upload(file); };
    const turn = this.#uploading.then(upload).then((attachmentId) => this.send(text, { attachmentId }));
    this.#uploading = turn.catch(() => {});
    return turn;
  }

  /** A fresh address of a file in the thread: the one that came with it was signed for a short time. */
  async fileAddress(attachmentId) {
    await this.#untilOnline();
    return (await this.#connection.ask("getAttachment", { attachmentId }, "PresignedUrlResponse")).url;
  }

  /** Attributes that ride on the next messages; null takes one away. Throws Problem over 2048 bytes: refused there. */
  setContext(attributes) {
    const all = Object.entries({ ...this.#context, ...attributes }).filter(([, value]) => value != null);
    const context = Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
    const bytes = rules.bytesOf(Object.entries(context).flat().join(""));
    if (bytes > rules.MAX_CONTEXT_BYTES) throw new Problem("context.too_large", `${bytes} bytes; 2048 may be.`);
    this.#context = context;
  }

  /** Prove who the visitor is; the thread goes on. Rejects with Problem, and then nothing has changed. */
  async signIn(tokenOrCallback) {
    const before = this.guest;
    await this.#session.signIn(tokenOrCallback);
    if (before?.verified && before.id !== this.guest.id) this.#clear();
    // A site may refuse who is not signed in: whoever was turned away then comes in now.
    if (this.#running || this.state === "signin" || this.state === "refused") { this.#drop("now"); this.connect(); }
  }

  /** Forget the visitor: the session ends here and at the gateway, and the thread is gone from this page. */
  async signOut() { await this.#finish("idle"); }
  /** End the chat for good; `connect` afterwards starts a new one. */
  async end() { await this.#finish("ended"); }
  /** Sign out, and leave nothing in the browser's storage until `connect` is called again. */
  async forget() { await this.signOut(); this.#session.forget(); }

  async #finish(state) {
    this.#connection?.post("closeSession", { closeAllConnections: true });
    this.#wanted = false;
    this.#drop("");
    this.#wake?.();
    this.#clear();
    this.#become(state);
    await this.#session.end().catch((problem) => this.#report(problem));
  }

  async #run() {
    let tries = 0;
    while (this.#wanted) {
      const startedAt = Date.now();
      let [next, floorMs] = ["", 0];
      if (navigator.onLine === false) { this.#become("offline"); await this.#pause(Infinity); continue; }
      this.#become(tries || this.#thread.size ? "reconnecting" : "connecting");
      try {
        const bearer = await this.#session.handle();
        const { ticket } = await this.#session.call("POST", "/ticket", { bearer, body: {} });
        if (this.#wanted) next = await this.#live(ticket);
      } catch (problem) {
        floorMs = problem.retryAfterS * 1000;
        next = this.#weigh(problem);
      }
      this.#act(next);
      if (!this.#wanted) return;
      if (next === "now") { tries = 0; continue; }
      tries = Date.now() - startedAt > this.#timing.settledMs ? 0 : tries + 1;
      this.#become("reconnecting");
      // Full jitter: a thousand pages that lost the same gateway must not come back in the same second.
      const jitterMs = this.#random() * Math.min(this.#timing.backoffCapMs, this.#timing.backoffBaseMs * 2 ** tries);
      await this.#pause(Math.max(floorMs, this.#hushUntil - Date.now(), 0), false);
      await this.#pause(jitterMs);
    }
  }

  #weigh(problem) {
    if (problem.status === 401 && this.guest) return "renew";
    if (problem.code === "session.sign_in_needed") return "signin";
    this.#report(problem);
    return problem.passing ? "" : "refused";
  }

  #act(next) {
    if (next === "fresh") this.#session.lose();
    if (next === "renew") this.#session.distrust();
    const item = next === "reject" && this.#thread.oldestSent();
    if (item) { this.#thread.fail(item, "message.refused"); this.#emit("thread"); }
    if (rules.RESTING.has(next)) { this.#wanted = false; this.#become(next); }
  }

  /** One connection, from ticket to close; resolves to what its end means. */
  async #live(ticket) {
    const query = new URLSearchParams({ deploymentId: this.#deploymentId, application: "gateway" });
    const connection = new Connection({
      url: `${this.#base.replace(/^http/, "ws")}/v1?${query}`, ticket, token: this.#token,
      answerMs: this.#timing.answerMs, debug: this.#debug,
      opened: () => this.#configure().catch((problem) => connection.drop(problem.passing ? "" : "refused")),
      heard: (frame) => this.#hear(frame),
    });
    this.#connection = connection;
    const { code, next } = await connection.ended;
    this.#connection = null;
    this.#ready = false;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#emit("typing", false);
    return next ?? rules.AFTER_CLOSE[code] ?? "";
  }

  #drop(next) { this.#ready = false; this.#connection?.drop(next); }

  async #configure() {
    const connection = this.#connection;
    const fields = { deploymentId: this.#deploymentId, ...(this.#startNew && { startNew: true }) };
    const body = await connection.ask("configureSession", fields, "SessionResponse");
    this.#startNew = false;
    this.#readFileRules(body);
    if (!body.newSession || this.#thread.uncertain) await this.#catchUp();
    if (connection !== this.#connection) return; // left meanwhile
    if (body.readOnly) { this.#drop("ended"); return; }
    this.#thread.settle();
    this.#emit("thread");
    this.#ready = true;
    this.#become("online");
    this.#flush();
  }

  #readFileRules({ allowedMedia, blockedExtensions: blocked = [] }) {
    const inbound = allowedMedia?.inbound;
    const types = (inbound?.fileTypes ?? []).map(({ type }) => type);
    this.files = types.length ? { types, maxBytes: (inbound.maxFileSizeKB ?? 0) * 1024, blocked } : null;
  }

  /** What was sent before the connection broke may have arrived: the history tells, before anything is sent again. */
  async #catchUp() {
    try {
      await this.history();
    } catch (problem) {
      if (this.#thread.uncertain && problem.passing) throw problem;
      this.#report(problem);
      // No history to ask: the visitor, who sees the message marked, decides whether it goes again.
      for (let item; (item = this.#thread.oldestSent()); ) this.#thread.fail(item, "message.unconfirmed");
    }
  }

  #hear({ class: kind, body, code, tracingId }) {
    switch (kind) {
      case "StructuredMessage": this.#hearMessage(body, tracingId); break;
      case "TooManyRequestsErrorMessage": this.#refuse(429, body.retryAfter, tracingId); break;
      case "SessionExpiredEvent": case "SessionClearedEvent": case "LogoutEvent": this.#drop("fresh"); break;
      // Not fought for: coming back by itself, this tab would push out another one in turn.
      case "ConnectionClosedEvent":
        this.#drop(rules.AFTER_REMOVAL[body.reason ?? body.reasonCode] ?? "elsewhere");
        break;
      case "ErrorMessage": this.#refuse(body.errorCode, 0, tracingId); break;
      // Errors also come as a bare string, with the code on the frame.
      case "string": if (code !== 200) this.#refuse(code, 0, tracingId); break;
      default: // classes of later versions mean nothing to this client
    }
  }

  #hearMessage(body, tracingId) {
    for (const { eventType, typing, presence } of body.events ?? []) {
      if (eventType === "Typing" && body.direction === "Outbound") {
        this.#emit("typing", true);
        this.#later("typing", typing?.duration ?? typing?.durationMs ?? 5000, () => this.#emit("typing", false));
      }
      if (eventType === "Presence" && presence?.type === "Disconnect") {
        if (String(body.metadata?.readOnly) === "true") { this.#drop("ended"); return; }
        this.#emit("left");
      }
    }
    const heard = this.#thread.absorb(body, tracingId);
    this.#emit("thread");
    if (heard) { this.#emit("typing", false); this.#emit("message", heard); }
  }

  #refuse(code, retryAfterS, tracingId) {
    const next = rules.AFTER_REFUSAL[code] ?? "fail";
    const more = { status: rules.STATUS_AFTER[next] ?? 400, retryAfterS };
    const problem = new Problem(`genesys.${code}`, "A request was refused.", more);
    this.#report(problem);
    this.#connection.refuse(tracingId, problem);
    const item = this.#thread.find(tracingId);
    if (next === "hush") this.#hushUntil = Date.now() + (retryAfterS || 10) * 1000;
    if (item && (next === "hush" || next === "again")) this.#thread.again(item, rules.MOST_RESENDS);
    else if (item && (next === "fail" || next === "ended")) this.#thread.fail(item, problem.code);
    else if (!tracingId && this.#thread.uncertain) { this.#drop(""); return; } // which message? the history will tell
    this.#emit("thread");
    if (next === "fresh" || next === "renew" || next === "ended") this.#drop(next);
    else this.#flush();
  }

  /** Send what waits, as fast as the limits allow and not while the session itself is due. */
  #flush() {
    for (let item; this.#ready && (item = this.#thread.next()); ) {
      if (this.#session.due) { this.#renew(); return; }
      const now = Date.now();
      const waitMs = Math.max(this.#paces.messages.waitMs(now), this.#connection.waitMs(now), this.#hushUntil - now);
      if (waitMs > 0) { this.#later("flush", waitMs, () => this.#flush()); return; }
      // Inside `message`: the place beside it is ignored by Genesys since June 2026.
      const context = { channel: { metadata: { customAttributes: this.#context } } };
      const message = Object.keys(this.#context).length ? { ...item.payload, ...context } : item.payload;
      if (!this.#connection.post("onMessage", { message }, item.id)) return;
      this.#paces.messages.take(now);
      this.#thread.sent(item, now);
      this.#emit("thread");
      this.#later("confirm", this.#timing.confirmMs, () => this.#checkConfirmed());
    }
  }

  #checkConfirmed() {
    const item = this.#thread.oldestSent();
    if (!item) return;
    const restMs = item.sentAt + this.#timing.confirmMs - Date.now();
    if (restMs <= 0) this.#drop("");
    else this.#later("confirm", restMs, () => this.#checkConfirmed());
  }

  #untilOnline() {
    if (this.#ready) return undefined;
    this.connect();
    return new Promise((resolve) => {
      const stop = this.on("state", (state) => { if (state === "online") { stop(); resolve(); } });
    });
  }

  async #renew() {
    const before = this.guest;
    try {
      await this.#session.handle();
    } catch (problem) {
      const againMs = this.#timing.renewAgainMs * (1 + this.#random());
      if (this.#connection && problem.passing) this.#later("renew", againMs, () => this.#renew());
      else this.#drop("renew");
      return;
    }
    if (this.#ready && before?.id !== this.guest.id) this.#drop("now");
    this.#flush();
  }

  #guestChanged(guest, due) {
    if (!due) this.#emit("guest", guest);
    else if (this.#running) this.#renew();
  }

  #watchPage() {
    // Unsent messages lie in storage only while the page is away, so that a duplicated tab does not send them again.
    const takeBack = () => this.#keep.put({ unsent: [] });
    this.#thread.restore(this.#keep.get("unsent") ?? []);
    if (document.visibilityState === "visible") takeBack();
    watchPage({
      away: () => this.#keep.put({ unsent: this.#thread.unsent }),
      back: (absentMs) => { takeBack(); if (absentMs > this.#timing.longAbsenceMs) this.#recover(); },
      online: () => this.#recover(),
      offline: () => { this.#drop(""); this.#wake?.(); },
    });
    if (this.guest || this.#thread.size) queueMicrotask(() => this.connect());
  }

  /** After sleep or a change of network a socket may be dead without having said so: one question tells. */
  #recover() {
    this.#wake?.();
    if (!this.#ready) return;
    if (this.#session.due) this.#renew();
    this.#connection.ask("getJwt", {}, "JwtResponse").catch(() => this.#drop(""));
  }

  #pause(ms, wakeable = true) {
    if (!(ms > 0)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => { clearTimeout(timer); this.#wake = null; resolve(); };
      const timer = ms === Infinity ? 0 : setTimeout(done, ms);
      if (wakeable) this.#wake = done;
    });
  }

  #later(name, ms, then) { clearTimeout(this.#timers[name]); this.#timers[name] = setTimeout(then, ms); }
  #clear() { this.#thread.clear(); this.more = false; this.#emit("thread"); }
  /** A closed socket is no news by itself: the loop that opens the next one meets the cause, if it lasts. */
  #report(problem) { if (problem.code !== "socket.closed") this.#emit("problem", problem); }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", state);
  }

  #emit(event, detail) { this.#events.emit(event, detail); }
}
