/**
 * The move, visitor by visitor: a stable hash says who gets the new chat and who keeps Zendesk's, and the gateway counts
 * how both fare. Whoever keeps the old one gets Zendesk's own script, and every old call with it.
 * Rule kept: one visitor, one side, on every page and every day; a larger share never takes anybody back.
 */

const KEY = "gateway.visitor";
const ZENDESK_ID = "ze-snippet"; // Zendesk's script finds its own key by this id
const PLACES = 10_000;

/** FNV-1a, 32 bits, with a last mixing; not for secrets: it only has to spread, and to be the same everywhere. */
export function placeOf(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return ((hash ^ (hash >>> 16)) >>> 0) % PLACES;
}

/** Who this is, as far as a split needs to know: the page's own name for the visitor, else a number kept here. */
function visitorOf({ visitor }) {
  if (visitor) return { id: visitor, isNew: false };
  try {
    const known = localStorage.getItem(KEY);
    const id = known ?? crypto.randomUUID();
    localStorage.setItem(KEY, id);
    return { id, isNew: known === null };
  } catch {
    return { id: null, isNew: false }; // nothing can be kept: then nothing must change from page to page
  }
}

function chosen({ share, salt }, { id }) {
  if (id === null) return share >= 100 ? "new" : "old";
  return placeOf(`${salt}\n${id}`) < share * (PLACES / 100) ? "new" : "old";
}

/** Null for a visitor of the new chat; else the old widget behind the verbs of widget.js. */
export async function start(tools) {
  const { settings, data, api, beacon, debug } = tools;
  const visitor = visitorOf(data);
  const arm = data.arm ?? chosen(settings.migration, visitor);
  debug("split", { arm });
  const told = new Set();
  const count = (outcome) => {
    if (told.has(outcome)) return;
    told.add(outcome);
    beacon({ kind: "migration", name: `${arm}.${outcome}` });
  };
  if (visitor.isNew) count("assigned");
  for (const [event, outcome] of [["ready", "loaded"], ["problem", "failed"], ["open", "opened"], ["started", "wrote"]]) {
    api.on(event, () => count(outcome));
  }
  return arm === "new" ? null : oldWidget(tools);
}

function loadZendesk({ settings, nonce, problem }) {
  const url = settings.migration.oldScript;
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { id: ZENDESK_ID, async: true });
    script.onload = done;
    script.onerror = () => failed(problem("migration.old_unavailable", `${url} did not load.`));
    if (nonce) script.nonce = nonce;
    const only = { createScriptURL: (asked) => (asked === url ? asked : null) };
    script.src = window.trustedTypes ? window.trustedTypes.createPolicy("gateway", only).createScriptURL(url) : url;
    document.head.append(script);
  });
}

/** `zE.hide` of ours is `window.zE.hide` of theirs, and `livechat...` stands below `$zopim`. */
function forward(path, args) {
  const steps = path.replace(/^livechat/, "$zopim.livechat").split(".");
  const name = steps.pop();
  const owner = steps.reduce((at, step) => at?.[step], window);
  return typeof owner?.[name] === "function" ? owner[name](...args) : undefined;
}

async function oldWidget(tools) {
  const { old, emit } = tools;
  document.getElementById(ZENDESK_ID)?.removeAttribute("id"); // our tag may carry it, and must not be taken for theirs
  for (const name of ["zE", "zEmbed", "$zopim"]) delete window[name];
  await loadZendesk(tools);
  old.take = forward;
  for (const call of old.calls.splice(0)) if (!call.stopped) call.stop = forward(call.path, call.args);
  const zE = (...args) => forward("zE", args);
  for (const event of ["open", "close"]) zE("messenger:on", event, () => emit(event));
  zE("messenger:on", "unreadMessages", (count) => emit("unread", count));
  zE("messenger:on", "conversationStarted", () => emit("started", {}));
  const nothing = () => {};
  return {
    ...Object.fromEntries(["open", "close", "show", "hide"].map((verb) => [verb, () => zE("messenger", verb)])),
    signIn: (given) => signIn(zE, given), signOut: () => zE("messenger", "logoutUser"),
    forget: () => zE("messenger:set", "cookies", false),
    setContext: nothing, send: (text) => zE("messenger", "sendMessage", text), end: nothing, reset: nothing, restyle: nothing,
    speak: (locale) => zE("messenger:set", "locale", locale), isOpen: () => false, isChatting: () => false, again: nothing,
  };
}

/** A token, a function that returns one, or Zendesk's own form: theirs takes the last. */
function signIn(zE, given) {
  const ask = async (give) => {
    const now = typeof given === "string" ? given : given(give);
    if (now !== undefined) give(await now);
  };
  return new Promise((done, failed) => {
    zE("messenger", "loginUser", ask, (error) => (error ? failed(Object.assign(error, { code: "visitor.refused" })) : done()));
  });
}
