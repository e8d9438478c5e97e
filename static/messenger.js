/**
 * The stock Genesys Messenger on the page: their bootstrap as documented, their script from their host, our sign-in.
 * widget.js loads this file in mode "messenger" only, and speaks to it in the same verbs as to our own panel.
 * Rule kept: nothing of Genesys is re-hosted, and a Messenger that stays silent is reported with its likely cause.
 */

// Their bootstrap publishes no event when the page's host is not allowed: the queue is simply never read.
const SILENCE_MS = 30_000;
const SILENT =
  "Genesys Messenger did not start: is this host among the deployment's allowed domains, and is the deployment active?";
const RELAYED = {
  "Messenger.opened": "open",
  "Messenger.closed": "close",
  "MessagingService.messagesReceived": "message",
  "Auth.authenticated": "guest",
};

const problem = (code, detail, more = {}) => Object.assign(new Error(detail), { code, ...more });
// Looked up at each call: their script replaces the queueing function by its own.
const genesys = (...args) => window.Genesys(...args);
const command = (name, options = {}) => new Promise((done, failed) => genesys("command", name, options, done, failed));

// https://developer.genesys.cloud/commdigital/digital/webmessaging/messengersdk/genesysgf
/** The queue and the options, under the names that their script looks for. */
function queueCalls({ environment, deploymentId, debug }) {
  window._genesysJs = "Genesys";
  window.Genesys ??= function () { (window.Genesys.q ??= []).push(arguments); };
  window.Genesys.t = Date.now();
  window.Genesys.c = { environment, deploymentId, debug };
}

function loadTheirScript(url, nonce, failed) {
  const script = document.createElement("script");
  Object.assign(script, { async: true, charset: "utf-8" });
  const lost = problem("messenger.unavailable", `${url} could not be loaded; does the page's CSP allow it?`);
  script.onerror = () => failed(lost);
  if (nonce) script.nonce = nonce;
  // A page that requires Trusted Types must list the policy: `trusted-types gateway` lets this one address through.
  const only = { createScriptURL: (asked) => (asked === url ? asked : null) };
  script.src = window.trustedTypes ? window.trustedTypes.createPolicy("gateway", only).createScriptURL(url) : url;
  document.head.append(script);
}

// https://developer.genesys.cloud/commdigital/digital/webmessaging/messengersdk/SDKCommandsEvents/authProviderPlugin
/** The plugin through which Genesys asks for the visitor's code, again and again: each answer is a fresh one. */
function provideSignIn({ base, fail }) {
  const state = { proof: null, plugin: null };
  state.authCode = async () => {
    if (!state.proof) throw problem("visitor.not_signed_in", "No visitor is signed in on this page.");
    const body = JSON.stringify({ visitor_token: await state.proof() });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${base}/auth-code`, { method: "POST", headers, credentials: "omit", body })
      .catch(() => { throw problem("gateway.unreachable", "The gateway could not be reached."); });
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    const more = { status: answer.status, requestId: told.request_id };
    throw problem(told.code ?? `http.${answer.status}`, told.detail ?? "", more);
  };
  const give = (request) => state.authCode().then((code) => request.resolve(code), (why) => {
    if (state.proof) fail({ ...why, detail: why.message });
    request.reject(why.code);
  });
  genesys("registerPlugin", "AuthProvider", (plugin) => {
    state.plugin = plugin;
    for (const name of ["getAuthCode", "reAuthenticate"]) plugin.registerCommand(name, give);
    plugin.ready();
  });
  return state;
}

/** A token, a function that returns one, or Zendesk's `(give) => give(jwt)`, as one kind of function. */
function asProof(given) {
  if (typeof given === "string") return () => given;
  return () => new Promise((done) => { const now = given(done); if (now !== undefined) done(now); });
}

/** Start Messenger; resolves, once it is there, to the verbs that widget.js uses. Rejects with `{code, message}`. */
export function start({ settings, base, nonce, emit, fail, debug }) {
  queueCalls(settings);
  const login = settings.signIn ? provideSignIn({ base, fail }) : null;
  for (const [theirs, ours] of Object.entries(RELAYED)) genesys("subscribe", theirs, () => emit(ours, {}));
  // "Already open" and the like are refusals to Genesys, and nothing to a page.
  const lenient = (name) => command(name).catch(() => debug("no effect", { name }));
  const verbs = {
    open: () => lenient("Messenger.open"),
    close: () => lenient("Messenger.close"),
    show: () => lenient("Launcher.show"),
    hide: () => lenient("Messenger.close").then(() => lenient("Launcher.hide")),
    async signIn(given) {
      if (!login) throw problem("visitor.sign_in_off", "This site has no sign-in set up at the gateway.");
      const before = login.proof;
      login.proof = asProof(given);
      const code = await login.authCode().catch((why) => { login.proof = before; throw why; });
      login.plugin?.publish("signedIn", code);
      await lenient("Auth.getTokens");
    },
    signOut: () => { if (login) login.proof = null; return lenient("Auth.logout"); },
    setContext: (customAttributes) => command("Database.set", { messaging: { customAttributes } }),
    again: () => {},
    forget: () => lenient("Messenger.clear"),
  };
  return new Promise((done, failed) => {
    const deadline = setTimeout(() => failed(problem("messenger.silent", SILENT)), SILENCE_MS);
    genesys("subscribe", "Messenger.ready", () => { clearTimeout(deadline); done(verbs); });
    loadTheirScript(settings.scriptUrl, nonce, failed);
  });
}
