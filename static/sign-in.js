/**
 * The visitor's sign-in at the stock Messenger: the AuthProvider plugin behind which a session at the gateway stands.
 * messenger.js registers it; session.js keeps the handle. Genesys' own tokens are the Messenger's business, not ours.
 * Rule kept: each question for a code gets a fresh one, and a sign-in is renewed before it lapses, also after sleep.
 */
import { Possession } from "./possession.js";
import { Keep, Problem, Session } from "./session.js";

const REFRESH_MARGIN_S = 60;
const SHORTEST_MS = 5_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** When a JWT ends, in milliseconds since the epoch; 0 when it does not say. Read, not believed: it sets a timer only. */
function endOf(jwt) {
  try {
    const part = jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return (JSON.parse(atob(part)).exp ?? 0) * 1000;
  } catch { return 0; }
}

/** Renews Genesys' sign-in early: with a short-lived one their client asks the visitor instead of refreshing. */
function keepFresh({ genesys, command, debug }) {
  // https://community.genesys.com/discussion/authenticated-web-messaging-javascript-sdk-genesys-jwt
  let due = Infinity;
  let timer = 0;
  const plan = (at) => {
    due = at;
    clearTimeout(timer);
    if (at < Infinity) timer = setTimeout(renew, Math.min(Math.max(at - Date.now(), SHORTEST_MS), LONGEST_TIMER_MS));
  };
  function renew() {
    if (Date.now() < due) { plan(due); return; }
    plan(Infinity);
    command("Auth.refreshToken").catch(() => command("Auth.reAuthenticate")).catch(() => debug("sign-in lapsed"));
  }
  genesys("subscribe", "Auth.authenticated", ({ data }) => {
    const end = endOf(data?.jwt ?? "");
    const left = end - Date.now();
    plan(end ? end - Math.min(REFRESH_MARGIN_S * 1000, left / 4) : Infinity);
  });
  genesys("subscribe", "Auth.loggedOut", () => plan(Infinity));
  // Timers do not run while a device sleeps; what is overdue is done when the page is seen again.
  const awake = () => { if (document.visibilityState === "visible" && Date.now() >= due) renew(); };
  document.addEventListener("visibilitychange", awake);
  for (const event of ["pageshow", "online", "focus"]) window.addEventListener(event, awake);
}

/** Register the plugin. Returns what messenger.js asks of a sign-in: `signIn(proof, live)`, `signOut()`. */
export function provideSignIn({ base, site, dpop, fail, genesys, command, debug }) {
  // https://developer.genesys.cloud/commdigital/digital/webmessaging/messengersdk/SDKCommandsEvents/authProviderPlugin
  let plugin = null;
  let proof = null;
  const changed = (guest, due) => { if (due && guest?.verified) session.handle().catch(() => {}); };
  const keep = new Keep(site);
  const session = new Session({ base, keep, changed, possession: dpop ? new Possession(site) : null });
  const signedIn = () => session.guest?.verified === true;

  async function authCode() {
    if (!signedIn() && !proof) throw new Problem("visitor.not_signed_in", "No visitor is signed in on this page.");
    const ask = async () => session.call("POST", "/auth-code", { bearer: await session.handle(), body: {} });
    return ask().catch((problem) => {
      // The session may have ended without a word to this page: once more, with a proof made anew.
      if (problem.status !== 401 && problem.code !== "oauth.not_signed_in") throw problem;
      session.distrust();
      return proof ? session.signIn(proof).then(ask) : ask();
    });
  }

  const told = (why) => { if (why.code !== "visitor.not_signed_in") fail({ ...why, detail: why.message }); };
  const step = (name) => debug("login", { step: name });
  const giving = (request) => authCode().then((code) => { step("code given"); request.resolve(code); }, (why) => {
    told(why);
    request.reject(why.code);
  });
  // Code and refresh token are both dead: what can be done without the visitor is a new proof from the page.
  const again = (request) => (proof ? session.signIn(proof) : session.handle())
    .then(() => request.resolve(), (why) => { told(why); request.reject(why.code); });
  const stepUp = (request) => authCode().then((code) => {
    step("stepped up");
    plugin.publish("signedIn", code);
    request.resolve(code);
  }, (why) => {
    told(why);
    plugin.publish("signInFailed", { code: why.code });
    request.reject(why.code);
  });

  genesys("registerPlugin", "AuthProvider", (given) => {
    plugin = given;
    plugin.registerCommand("getAuthCode", giving);
    plugin.registerCommand("reAuthenticate", again);
    plugin.registerCommand("signIn", stepUp);
    plugin.ready();
  });
  keepFresh({ genesys, command, debug });

  /** End it at Genesys, then here; a refresh that comes later finds nobody. */
  async function signOut() {
    proof = null;
    await command("Auth.logout").catch(() => debug("no effect", { name: "Auth.logout" }));
    await session.end().catch(told);
  }

  return {
    /** Prove who the visitor is. `live`: an anonymous conversation goes on, and becomes this visitor's. */
    async signIn(given, live) {
      step("proof");
      keep.open();
      await session.signIn(given);
      step("session");
      proof = given;
      const name = live ? "MessagingService.stepUpConversation" : "Auth.reAuthenticate";
      await command(name).catch((why) => debug("no effect", { name, why: String(why?.message ?? why) }));
    },
    signOut,
    /** Sign out, and leave nothing in the browser's storage until the next sign-in. */
    async forget() {
      await signOut();
      session.forget();
    },
  };
}
