/**
 * What Genesys and the gateway demand of a client, as tables: limits, times, and what each code means for us.
 * Nothing here acts. A code that is not listed: try again with backoff (a close), that message failed (a refusal).
 */

// https://developer.genesys.cloud/organization/organization/limits : [how many, in how many milliseconds]
export const LIMITS = { requests: [60, 60_000], messages: [5, 1_000], history: [10, 60_000], typing: [1, 5_000] };
export const SPARED_BY_TYPING = 20; // requests per minute that typing leaves to messages
export const MAX_TEXT_BYTES = 4096;
export const MAX_CONTEXT_BYTES = 2048;
export const MOST_RESENDS = 3;

export const TIMING = {
  backoffBaseMs: 500, backoffCapMs: 30_000, // full jitter between nothing and the doubled base, at most the cap
  answerMs: 15_000, // how long an answer on the socket may take
  confirmMs: 20_000, // how long a message may stay unconfirmed before the connection is held to be dead
  renewAgainMs: 5_000, // after a renewal that failed for the moment; up to twice that
  settledMs: 10_000, // a connection that lasted so long starts the backoff afresh
  longAbsenceMs: 60_000, // a page that was away so long asks whether its socket still lives
};

// A closed socket, by its close code (RFC 6455 section 7.4 and Genesys' own 4xxx).
export const AFTER_CLOSE = {
  1003: "reject", 1008: "renew", 1009: "reject", 4006: "fresh", 4007: "fresh", 4017: "fresh",
};

// A connection that Genesys closed, by its reason. Without one, a fourth connection has pushed out this, the oldest.
export const AFTER_REMOVAL = { signedIn: "now" };

// A refused frame, by the code in it: HTTP-like or Genesys' own.
export const AFTER_REFUSAL = {
  401: "renew", 408: "again", 409: "ended", 429: "hush",
  4006: "fresh", 4007: "fresh", 4017: "fresh", 4029: "hush", 5000: "again",
};
export const STATUS_AFTER = { hush: 429, again: 503 }; // as Problem sees it: these two pass, the others stand

/** Outcomes after which the client rests until the visitor or the page wants it back. */
export const RESTING = new Set(["signin", "refused", "elsewhere", "ended"]);

export const bytesOf = (text) => new TextEncoder().encode(text).length;
