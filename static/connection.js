/**
 * One socket to the gateway, from its ticket to its close: frames both ways, questions with answers, files.
 * It decides nothing about sessions, messages or trying again (client.js does).
 * Rule kept: after `drop` or a close nothing more comes from this socket, and every open question has failed.
 */
import { LIMITS } from "./rules.js";
import { Problem } from "./session.js";
import { Pace } from "./thread.js";

const DROPPED = 4000; // our own code for "left by us"; told to the owner only, never sent

export class Connection {
  #socket;
  #token;
  #answerMs;
  #debug;
  #pace = new Pace(...LIMITS.requests); // counted per connection
  #asked = new Map();
  #uploads = new Map();
  #end = null;
  #openDeadline = 0;

  /** Resolves once, when the socket is done, to `{code, next}`; `next` is what `drop` was given. */
  ended = new Promise((resolve) => { this.#end = resolve; });

  /** `opened()` and `heard(frame)` are called while the socket lives. `token` fills the place of a guest's UUID. */
  constructor({ url, ticket, token, answerMs, opened, heard, debug }) {
    this.#token = token;
    this.#answerMs = answerMs;
    this.#debug = debug;
    this.#socket = new WebSocket(url, ["gateway.v1", `ticket.${ticket}`]);
    this.#openDeadline = setTimeout(() => this.drop(""), answerMs);
    this.#socket.onopen = () => { clearTimeout(this.#openDeadline); opened(); };
    this.#socket.onclose = ({ code }) => this.#finish(code, undefined);
    this.#socket.onmessage = ({ data }) => {
      let frame;
      try { frame = JSON.parse(data); } catch { return; } // not of the Guest API: nothing can be said about it
      frame.body ??= {};
      debug("frame in", { class: frame.class, code: frame.code });
      if (!this.#settle(frame)) heard(frame);
    };
  }

  /** Milliseconds until a request may go out, leaving `spared` of this minute's places to others. */
  waitMs(now, spared = 0) { return this.#pace.waitMs(now, spared); }

  /** Send one request; false when the socket can take none any more. */
  post(action, fields, tracingId = crypto.randomUUID()) {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#debug("frame out", { action });
    this.#pace.take(Date.now());
    this.#socket.send(JSON.stringify({ action, token: this.#token, tracingId, ...fields }));
    return true;
  }

  /** Send a request, resolve to the body of its answer . Rejects with Problem on refusal, silence or loss. */
  async ask(action, fields, answer) {
    const tracingId = crypto.randomUUID();
    let timer;
    try {
      return await new Promise((done, fail) => {
        this.#asked.set(tracingId, { answer, done, fail });
        timer = setTimeout(() => fail(new Problem("socket.no_answer", `No answer to ${action}.`)), this.#answerMs);
        if (!this.post(action, fields, tracingId)) fail(new Problem("socket.closed", "There is no connection now."));
      });
    } finally {
      clearTimeout(timer);
      this.#asked.delete(tracingId);
    }
  }

  /** A refusal came for this request: whoever asked is told. */
  refuse(tracingId, problem) { this.#asked.get(tracingId)?.fail(problem); }

  /** Ask for a place, put the file there, and resolve to its attachment id when Genesys has taken it. */
  async upload(file) {
    const attachmentId = crypto.randomUUID();
    const taken = new Promise((done, fail) => this.#uploads.set(attachmentId, { done, fail }));
    taken.catch(() => {}); // the loss of the socket may reject it before anyone waits for it
    try {
      const about = { attachmentId, fileName: file.name, fileType: file.type, fileSize: file.size, errorsAsJson: true };
      const place = await Promise.race([this.ask("onAttachment", about, "PresignedUrlResponse"), taken]);
      // The URL is a secret of its own and goes straight to the file store; nothing else of ours goes with it.
      const bare = { credentials: "omit", referrerPolicy: "no-referrer" };
      const { ok, status } = await fetch(place.url, { method: "PUT", headers: place.headers, body: file, ...bare });
      if (!ok) throw new Problem("upload.refused", "The file store refused the file.", { status });
      await taken;
      return attachmentId;
    } catch (failure) {
      if (failure instanceof Problem) throw failure;
      throw new Problem("upload.unreachable", "The file store could not be reached.");
    } finally {
      this.#uploads.delete(attachmentId);
    }
  }

  /** Leave at once: on a dead network the socket's own close event may take minutes. */
  drop(next) {
    this.#finish(DROPPED, next);
    this.#socket.close(1000);
  }

  /** True when the frame was an answer that somebody waits for. */
  #settle({ class: kind, body, code, tracingId }) {
    const upload = this.#uploads.get(body.attachmentId);
    if (kind === "UploadSuccessEvent") { upload?.done(); return true; }
    if (kind === "UploadFailureEvent" || kind === "GenerateUrlError") {
      upload?.fail(new Problem(`upload.${body.errorCode ?? code}`, body.errorMessage ?? "The file was refused."));
      return true;
    }
    const byId = this.#asked.get(tracingId);
    const question = byId?.answer === kind ? byId : [...this.#asked.values()].find(({ answer }) => answer === kind);
    question?.done(body);
    return question !== undefined;
  }

  #finish(code, next) {
    clearTimeout(this.#openDeadline);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    const lost = new Problem("socket.closed", "The connection closed before the answer came.");
    for (const { fail } of [...this.#asked.values(), ...this.#uploads.values()]) fail(lost);
    this.#debug("socket closed", { code, next });
    this.#end({ code, next });
  }
}
