/**
 * The stock Genesys Messenger on the page: their bootstrap as documented, their script from their host, our sign-in.
 * widget.js loads this file in mode "messenger" only; messenger-events.js says what their events mean, sign-in.js
 * who the visitor is.
 * Rule kept: nothing of Genesys is re-hosted, and a Messenger that stays silent is reported with its likely cause.
 */

const PARTS = {} /* parts */; // of every module imported below: address and digest

// Their bootstrap publishes no event when the page's host is not allowed: the queue is simply never read.
const SILENCE_MS = 30_000;
const BEGIN_MS = 15_000;
const MAX_CONTEXT_BYTES = 2048;
const SILENT =
  "Genesys Messenger did not start: is this host among the deployment's allowed domains, and is the deployment active?";
// The containers that their script puts on the page, for the one thing that Zendesk let pages set: who lies on top.
const THEIR_FRAMES = "#genesys-messenger, .genesys-app, #genesys-mxg-frame, #genesys-mxg-container-frame";

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

/** What rides on the next message; Genesys refuses the message when it is too much. */
function contextOf() {
  let context = {};
  return (given) => {
    const all = Object.entries({ ...context, ...given }).filter(([, value]) => value != null);
    const next = Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
    const bytes = new TextEncoder().encode(Object.entries(next).flat().join("")).length;
    if (bytes > MAX_CONTEXT_BYTES) throw problem("context.too_large", `${bytes} bytes; 2048 may be.`);
    context = next;
    // `set` replaces what stands under `messaging`; `update` would keep what the page has taken away.
    return command("Database.set", { messaging: { customAttributes: context } });
  };
}

/** Put their frames above or below what the page says; the only thing of their look that a page may touch. */
function restyle({ zIndex }) {
  if (!zIndex) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${THEIR_FRAMES} { z-index: ${Number(zIndex)} !important; }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

function verbsOf({ login, state, debug }) {
  // "Already open" and the like are refusals to Genesys, and nothing to a page.
  const lenient = (name) => command(name).catch(() => debug("no effect", { name }));
  // Messaging begins at Genesys when their window opens; before that there is nobody to send to.
  const begun = async () => {
    if (state.live) return;
    const live = new Promise((done, failed) => {
      state.whenLive = done;
      setTimeout(() => failed(problem("messenger.not_connected", "Messenger did not connect.")), BEGIN_MS);
    });
    await lenient("Messenger.open");
    await live;
  };
  return {
    open: () => lenient("Messenger.open"),
    close: () => lenient("Messenger.close"),
    show: () => lenient("Launcher.show"),
    hide: () => lenient("Messenger.close").then(() => lenient("Launcher.hide")),
    async signIn(given) {
      if (!login) throw problem("visitor.sign_in_off", "This site has no sign-in set up at the gateway.");
      await login.signIn(given, state.live);
    },
    signOut: () => (login ? login.signOut() : lenient("Auth.logout")),
    setContext: contextOf(),
    send: (text) => begun().then(() => command("MessagingService.sendMessage", { message: text })),
    end: () => command("MessagingService.clearConversation").catch(() => lenient("Messenger.close")),
    async reset() {
      await (login ? login.signOut() : lenient("Auth.logout"));
      await lenient("MessagingService.clearConversation");
    },
    isOpen: () => state.open,
    isChatting: () => state.live && state.chatting,
    restyle,
    speak: () => debug("no effect", { name: "language: set in the deployment" }),
    again: () => {},
    forget: async () => {
      await login?.forget();
      await lenient("Messenger.clear");
    },
  };
}

/** Start Messenger; resolves, once it is there, to the verbs that widget.js uses. Rejects with `{code, message}`. */
export async function start({ settings, base, nonce, preload, emit, fail, debug, lost, before = {} }) {
  preload(PARTS);
  const parts = Promise.all([import("./messenger-events.js"), import("./sign-in.js")]);
  const [{ follow }, { provideSignIn }] = await parts.catch(() => { throw lost("a part of the chat"); });
  queueCalls(settings);
  const { site, dpop } = settings;
  const login = settings.signIn ? provideSignIn({ base, site, dpop, fail, genesys, command, debug }) : null;
  const state = follow((event, heard) => genesys("subscribe", event, heard), emit);
  const verbs = verbsOf({ login, state, debug });
  restyle(before);
  return new Promise((done, failed) => {
    const deadline = setTimeout(() => failed(problem("messenger.silent", SILENT)), SILENCE_MS);
    genesys("subscribe", "Messenger.ready", () => {
      clearTimeout(deadline);
      done(before.hidden ? verbs.hide().then(() => verbs) : verbs);
    });
    loadTheirScript(settings.scriptUrl, nonce, failed);
  });
}
