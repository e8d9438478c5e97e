/*
 * The script that a page embeds. It puts `window.gateway` on the page at once, takes calls from the first moment, and
 * then starts the site's chat: our own panel (mode "proxied") or the stock Genesys Messenger (mode "messenger").
 * Rules kept: a guest on somebody's page. Never throws into it, one global, one console line per kind of failure.
 */
(function (settings) {
  "use strict";
  const INSTANCE = Symbol.for("gateway.widget"); // survives `delete window.gateway`: never two chats, never two sockets
  const tag = document.currentScript ?? document.querySelector('script[src*="/widget.js"]');
  const data = { ...tag?.dataset };
  const nonce = tag?.nonce;
  const early = Array.isArray(window.gateway) ? window.gateway : []; // the page's calls so far: [["signIn", fn]]
  const base = settings.base || (tag?.src ?? "").replace(/\/widget\.js.*$/, "");
  const root = base.replace(/\/sites\/[^/]+$/, "");
  const listeners = {};
  const waiting = [];
  const reported = new Set();
  let chat = null; // what is on the page: the same few verbs for panel and Messenger
  let starting = null;
  let consented = data.consent !== "required";

  const quietly = (act) => { try { act(); } catch (fault) { fail({ code: "widget.fault", detail: String(fault) }); } };

  function debug(step, detail) {
    if (!settings.debug && data.debug === undefined) return;
    const secret = /token|jwt|code$|ticket|text|url/i;
    const hide = (key, value) => (value !== undefined && secret.test(key) ? "[hidden]" : value);
    console.debug("gateway:", step, detail === undefined ? "" : JSON.stringify(detail, hide));
  }

  /** Say once what went wrong, to the developer and to the gateway, and tell those who listen. */
  function fail({ code, detail = "", status, requestId }) {
    emit("problem", { code, detail, status, requestId });
    if (reported.has(code)) return;
    reported.add(code);
    const id = requestId ? ` Request id: ${requestId}` : "";
    console.warn(`gateway: ${code}${status ? ` (${status})` : ""}: ${detail}${id}`);
    const told = JSON.stringify({ kind: "failure", name: code });
    try { if (base) navigator.sendBeacon(`${base}/beacon`, told); } catch { /* a page may forbid it */ }
  }

  function emit(event, detail) {
    debug(event, detail);
    // A listener's fault is the page's: it surfaces as such, and does not stop us.
    for (const fn of listeners[event] ?? []) try { fn(detail); } catch (fault) { setTimeout(() => { throw fault; }); }
  }

  /** Do it now, or as soon as the chat is there. Resolves to `{ok}`; never rejects, for the page may not look. */
  function run(act) {
    return new Promise((resolve) => {
      const refuse = ({ code = "widget.fault", message: detail, status, requestId }) => {
        fail({ code, detail, status, requestId });
        resolve({ ok: false, code, detail, status, requestId });
      };
      const go = () => Promise.resolve(chat).then(act).then(() => resolve({ ok: true }), refuse);
      if (chat) go(); else waiting.push({ go, refuse });
    });
  }

  const begin = (act) => { start(); return run(act); };
  const api = {
    open: () => void begin((on) => on.open()),
    close: () => void run((on) => on.close()),
    show: () => void begin((on) => on.show()),
    hide: () => void run((on) => on.hide()),
    signIn: (tokenOrCallback) => begin((on) => on.signIn(tokenOrCallback)),
    signOut: () => run((on) => on.signOut()),
    setContext: (attributes) => run((on) => on.setContext(attributes)),
    on(event, fn) { (listeners[event] ??= new Set()).add(fn); return () => { listeners[event].delete(fn); }; },
    /** For `data-consent="required"`: nothing is loaded or stored before `true`; `false` takes all away again. */
    consent(given) {
      consented = given;
      if (given) { start(); if (chat) api.show(); }
      else if (chat) void run((on) => on.forget());
    },
    push: (...calls) => { for (const [name, ...args] of calls) quietly(() => api[name]?.(...args)); },
  };

  function start() {
    if (!consented || starting) return;
    starting = boot().then((driver) => {
      chat = driver;
      emit("ready");
      for (const { go } of waiting.splice(0)) go();
    }).catch((why) => {
      starting = null; // the next call tries again
      fail({ code: why.code ?? "widget.fault", detail: why.message });
      for (const { refuse } of waiting.splice(0)) refuse(why);
    });
  }

  const problem = (code, detail) => Object.assign(new Error(detail), { code });

  async function boot() {
    const { site } = settings;
    if (!site) throw problem("widget.not_served", "Not served by a gateway; embed its /sites/<site>/widget.js.");
    if (data.site && data.site !== site) throw problem("widget.other_site", `Tag: ${data.site}, address: ${site}.`);
    const parsed = (done) => document.addEventListener("DOMContentLoaded", done, { once: true });
    if (document.readyState === "loading") await new Promise(parsed);
    debug("boot", { site: settings.site, mode: settings.mode });
    const messenger = settings.mode === "messenger";
    for (const name of messenger ? ["messenger"] : ["client", "panel"]) {
      const { url, integrity } = settings.payloads[name];
      // The digest is checked here; `import` then takes the checked module from the page's module map.
      const preload = document.createElement("link");
      Object.assign(preload, { rel: "modulepreload", href: root + url, integrity, crossOrigin: "anonymous" });
      if (nonce) preload.nonce = nonce;
      document.head.append(preload);
    }
    return messenger ? (await load("messenger")).start({ settings, base, nonce, emit, fail, debug }) : bootPanel();
  }

  function load(name) {
    const url = root + settings.payloads[name].url;
    const listed = `Is the origin of this page, ${location.origin}, in the site's list?`;
    const why = `${url} did not load. ${listed} Else it was blocked, changed or not reached.`;
    return import(url).catch(() => { throw problem("payload.unavailable", why); });
  }

  async function bootPanel() {
    const [{ Client }, { mount }] = await Promise.all([load("client"), load("panel")]);
    const client = new Client({ base, site: settings.site, deploymentId: settings.deploymentId, debug });
    const locale = data.locale ?? settings.locale ?? (document.documentElement.lang || navigator.language);
    const panel = mount({ client, locale, theme: settings.theme, texts: settings.texts, emit });
    client.on("problem", (why) => fail({ ...why, detail: why.message }));
    client.on("guest", (guest) => emit("guest", guest));
    return {
      open: () => panel.open(), close: () => panel.close(), show: () => panel.show(), hide: () => panel.hide(),
      signIn: (proof) => client.signIn(proof), signOut: () => client.signOut(),
      setContext: (given) => client.setContext(given),
      again: () => { if (!panel.isConnected) document.body.append(panel); },
      forget: () => { panel.hide(); return client.forget(); },
    };
  }

  const earlier = window[INSTANCE];
  if (earlier) {
    window.gateway = earlier.api;
    earlier.again();
    earlier.api.push(...early);
    return;
  }
  window[INSTANCE] = { api, again: () => { start(); if (chat) quietly(() => chat.again()); } };
  window.gateway = api;
  api.push(...early);
  if (data.lazy === undefined) start();
  else {
    const once = { once: true, passive: true };
    for (const sign of ["pointerdown", "keydown", "scroll"]) window.addEventListener(sign, start, once);
  }
})({} /* site settings */);
