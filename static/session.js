/**
 * The guest session at the gateway: open, renew, prove, end, and every HTTP call made with its handle.
 * It knows nothing of sockets or messages (client.js, thread.js). What it holds works at this gateway only.
 * Rule kept: a verified visitor is never lowered to an anonymous one unless the page or the visitor asks for it.
 */

const CALL_TIMEOUT_MS = 15_000;
const PROOF_TIMEOUT_MS = 30_000;
const RENEWAL_MARGIN_S = 60;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A refusal or failure with its stable code, and the request id to quote to the owner of the site. */
export class Problem extends Error {
  constructor(code, detail, { status = 0, requestId = "", retryAfterS = 0 } = {}) {
    super(detail);
    Object.assign(this, { name: "Problem", code, status, requestId, retryAfterS });
  }

  /** True when the same call may succeed later: no network, a time-out, a limit, a fault of the server. */
  get passing() { return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500; }
}

/** One JSON record per site in sessionStorage, so each tab has its own; in memory where the browser forbids storage. */
export class Keep {
  #key;
  #record = {};
  #closed = false;

  constructor(site) {
    this.#key = `gateway.${site}`;
    try { this.#record = JSON.parse(window.sessionStorage.getItem(this.#key)) ?? {}; } catch { this.#record = {}; }
  }

  get(name) { return this.#record[name]; }

  put(change) {
    this.#record = { ...this.#record, ...change };
    if (this.#closed) return;
    // Storage may be denied (SecurityError) or full (QuotaExceededError); the copy in memory then serves until reload.
    try { window.sessionStorage.setItem(this.#key, JSON.stringify(this.#record)); } catch { /* kept in memory */ }
  }

  open() { this.#closed = false; }

  /** Take everything out of the storage and put nothing in until `open`. */
  close() {
    this.#closed = true;
    this.#record = {};
    try { window.sessionStorage.removeItem(this.#key); } catch { /* there was nothing */ }
  }
}

/** The visitor's proof as a function: from a token, a function returning one, or Zendesk's `(give) => give(jwt)`. */
function asProof(tokenOrCallback) {
  if (typeof tokenOrCallback === "string") return async () => tokenOrCallback;
  return () => new Promise((resolve, reject) => {
    const refuse = (why) => {
      clearTimeout(timer);
      reject(new Problem("visitor.no_token", `The page's sign-in function ${why}.`));
    };
    const timer = setTimeout(refuse, PROOF_TIMEOUT_MS, "gave no token within 30 s");
    const give = (token) => { clearTimeout(timer); resolve(token); };
    const fail = () => refuse("failed");
    try {
      const answer = tokenOrCallback(give);
      if (answer !== undefined) Promise.resolve(answer).then(give, fail);
    } catch { fail(); }
  });
}

async function problemFrom(answer) {
  // A proxy in front may answer with a page instead of a problem; then the status is all there is.
  const body = await answer.json().catch(() => ({}));
  const detail = body.detail ?? body.title ?? "The gateway refused the request.";
  return new Problem(body.code ?? `http.${answer.status}`, detail, {
    status: answer.status,
    requestId: body.request_id ?? answer.headers.get("x-request-id") ?? "",
    retryAfterS: Number(body.retry_after ?? answer.headers.get("retry-after")) || 0,
  });
}

export class Session {
  #base;
  #keep;
  #changed;
  #grant = null;
  #proof = null;
  #opening = null;
  #turn = Promise.resolve();
  #timer = 0;
  #possession;

  /**
   * `changed(guest, due)` is called with the new guest or null; `due` is true when the time to renew has come.
   * `possession` proves the browser's key with each call, where the site asks for it.
   */
  constructor({ base, keep, changed, possession = null }) {
    this.#base = base;
    this.#possession = possession;
    this.#keep = keep;
    this.#changed = changed;
    this.#grant = keep.get("grant") ?? null;
    if (this.#grant) this.#schedule();
  }

  get guest() { return this.#grant?.guest ?? null; }
  get due() { return this.#grant === null || Date.now() >= this.#grant.renewAt; }

  /** Call the gateway; resolves to the JSON answer or null. Rejects with Problem only. */
  async call(method, path, { bearer, body } = {}) {
    const headers = {};
    if (bearer) headers.authorization = `${this.#possession ? "DPoP" : "Bearer"} ${bearer}`;
    if (this.#possession) headers.dpop = await this.#possession.proof(method, this.#base + path, bearer);
    if (body) headers["content-type"] = "application/json";
    let answer;
    try {
      answer = await fetch(this.#base + path, {
        method, headers, body: body && JSON.stringify(body), mode: "cors", credentials: "omit", cache: "no-store",
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
    } catch {
      throw await this.#whyUnreachable();
    }
    if (!answer.ok) throw await problemFrom(answer);
    return answer.status === 204 ? null : answer.json();
  }

  /** No answer that could be read. A page of an unlisted origin gets none; one address tells it so. */
  async #whyUnreachable() {
    const answer = await fetch(`${this.#base}/origin`, { credentials: "omit" }).catch(() => null);
    if (answer?.status === 403) return problemFrom(answer);
    return new Problem("gateway.unreachable", "The gateway could not be reached.");
  }

  /** The handle to use now: the one held, a renewed one, or a new session's. One caller at a time does the work. */
  async handle() {
    if (!this.due) return this.#grant.token;
    this.#opening ??= this.#inTurn(() => (this.due ? this.#open() : this.#grant.token))
      .finally(() => { this.#opening = null; });
    return this.#opening;
  }

  /** Opening, renewing and proving follow one another: of two at once the slower would undo what the other brought. */
  #inTurn(work) {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {}); // whoever asked hears of it
    return turn;
  }

  /** The next `handle` renews, whatever the clock says: the gateway has just refused the handle. */
  distrust() { if (this.#grant) this.#grant.renewAt = 0; }

  /** Drop the handle without a word to the gateway: the session behind it is gone. */
  lose() { this.#hold(null); }

  /** Prove who the visitor is, in the same session. Rejects with Problem, and then nothing has changed. */
  async signIn(tokenOrCallback) {
    return this.#inTurn(() => this.#prove(asProof(tokenOrCallback)));
  }

  async #prove(proof) {
    const ask = async (bearer) => this.call("POST", "/session", { bearer, body: { visitor_token: await proof() } });
    const answer = await ask(this.#grant?.token).catch((problem) => {
      // 401: the handle may have ended; 409: it is another person's. Once more, without it and with a fresh proof.
      if (this.#grant && (problem.status === 401 || problem.status === 409)) return ask(undefined);
      throw problem;
    });
    this.#proof = proof;
    this.#hold(answer);
  }

  /** End the session here and at the gateway, and forget the proof. */
  async end() {
    const bearer = this.#grant?.token;
    this.#proof = null;
    this.#keep.put({ verified: false });
    this.#hold(null);
    if (bearer) await this.call("DELETE", "/session", { bearer });
  }

  /** Leave nothing in the browser's storage, and nothing there from now on until the keep is opened again. */
  forget() {
    this.#keep.close();
    this.#possession?.forget();
  }

  async #open() {
    const verified = this.#keep.get("verified");
    // A handle that is over opens nobody's session but an anonymous one: whoever can be proved anew is, at once.
    const over = Date.now() >= (this.#grant?.endsAt ?? Infinity) && verified && this.#proof;
    const renewed = this.#grant && !over && (await this.#renewed());
    if (renewed && (renewed.guest.verified || !verified)) return this.#hold(renewed);
    // In the place of a session that ended a gateway may open an anonymous one: that is not who the visitor is.
    if (renewed) await this.call("DELETE", "/session", { bearer: renewed.session_token });
    if (this.#grant) this.#hold(null);
    if (!this.#proof && verified) {
      throw new Problem("session.sign_in_needed", "The signed-in session has ended; the visitor must sign in again.");
    }
    const body = this.#proof ? { visitor_token: await this.#proof() } : {};
    return this.#hold(await this.call("POST", "/session", { body }));
  }

  /** The answer to a renewal, or null when the handle is not taken any more. */
  async #renewed() {
    try {
      return await this.call("POST", "/session", { bearer: this.#grant.token, body: {} });
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      return null;
    }
  }

  #hold(answer) {
    clearTimeout(this.#timer);
    this.#grant = null;
    if (answer) {
      const heldS = answer.expires_in - Math.min(RENEWAL_MARGIN_S, answer.expires_in / 4);
      const now = Date.now();
      const [renewAt, endsAt] = [now + heldS * 1000, now + answer.expires_in * 1000];
      this.#grant = { token: answer.session_token, renewAt, endsAt, guest: answer.guest };
      this.#keep.put({ verified: answer.guest.verified });
      this.#schedule();
    }
    this.#keep.put({ grant: this.#grant });
    this.#changed(this.guest, false);
    return this.#grant?.token;
  }

  #schedule() {
    const delay = Math.min(Math.max(0, this.#grant.renewAt - Date.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#changed(this.guest, this.due), delay);
  }
}
