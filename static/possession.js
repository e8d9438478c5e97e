/**
 * Proof that this browser holds the key which its session is bound to (DPoP, RFC 9449): one fresh proof per call.
 * session.js sends it; it knows nothing of sessions. The key is made by WebCrypto, cannot be read out by any script,
 * and lies in IndexedDB, so that it outlives a reload.
 * Rule kept: a stolen session_token is worth nothing without this very browser.
 */

const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGN = { name: "ECDSA", hash: "SHA-256" };
const DATABASE = "gateway";
const STORE = "keys";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const encode = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));

/** One request of IndexedDB as a promise. */
const answered = (request) => new Promise((done, failed) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
});

async function keptPair(name) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await answered(opening);
  try {
    const kept = await answered(database.transaction(STORE).objectStore(STORE).get(name));
    if (kept) return kept;
    const pair = await crypto.subtle.generateKey(KEY, false, ["sign"]);
    // `add`, not `put`: of two tabs that begin at once the first one's key is everybody's.
    const adding = database.transaction(STORE, "readwrite").objectStore(STORE).add(pair, name);
    return await answered(adding).then(() => pair, () => answered(
      database.transaction(STORE).objectStore(STORE).get(name)));
  } finally {
    database.close();
  }
}

export class Possession {
  #name;
  #pair = null;

  constructor(site) { this.#name = `possession.${site}`; }

  /** Make another key next time, and keep none: the session that was bound to this one has ended. */
  forget() {
    this.#pair = null;
    try { indexedDB.deleteDatabase(DATABASE); } catch { /* where nothing may be kept, nothing is */ }
  }

  /** The DPoP header for one call. `handle` is the session_token that goes along, or undefined. */
  async proof(method, url, handle) {
    // A browser that forbids IndexedDB keeps the key in memory: the session then lasts until the page is left.
    this.#pair ??= keptPair(this.#name).catch(() => crypto.subtle.generateKey(KEY, false, ["sign"]));
    const { privateKey, publicKey } = await this.#pair;
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
    const { origin, pathname } = new URL(url);
    const claims = { jti: crypto.randomUUID(), htm: method, htu: origin + pathname, iat: Math.floor(Date.now() / 1000) };
    if (handle) claims.ath = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(handle)));
    const signed = `${encode({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } })}.${encode(claims)}`;
    return `${signed}.${base64url(await crypto.subtle.sign(SIGN, privateKey, new TextEncoder().encode(signed)))}`;
  }
}
