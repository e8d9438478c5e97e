/*
 * The script that a page embeds: `window.gateway` at once (and Zendesk's old names), then the chat of the site's mode.
 * Rules kept: a guest on somebody's page. Never throws into it, one global of its own, one console line per failure.
 */
(function (settings) {
  "use strict";
  const INSTANCE = Symbol.for("gateway.widget"); // survives `delete window.gateway`: never two chats
  const tag = document.currentScript ?? document.querySelector('script[src*="/widget.js"]');
  const data = { ...tag?.dataset };
  const nonce = tag?.nonce;
  const early = Array.isArray(window.gateway) ? window.gateway : []; // the page's calls so far: [["signIn", fn]]
  const base = settings.base || (tag?.src ?? "").replace(/\/widget\.js.*$/, "");
  const root = base.replace(/\/sites\/[^/]+$/, "");
  const listeners = {};
  const waiting = [];
  const reported = new Set();
  const old = { calls: [], take: null }; // calls to Zendesk's names; `take(path, args)` is set once shim.js is there
  let chat = null; // what is on the page: the same few verbs for panel and Messenger
  let starting = null;
  let consented = data.consent !== "required";

  const quietly = (act) => { try { act(); } catch (fault) { fail({ code: "widget.fault", detail: String(fault) }); } };
  const problem = (code, detail, more) => Object.assign(new Error(detail), { code, ...more });
  const lost = (url) => problem("payload.unavailable", `${url} did not load: blocked, changed on the way, or not reached.`);

  function debug(step, detail) {
    if (!settings.debug && data.debug === undefined) return;
    const secret = /token|jwt|code$|ticket|text|url/i;
    const hide = (key, value) => (value?.length && secret.test(key) ? "[hidden]" : value);
    console.debug("gateway:", step, detail === undefined ? "" : JSON.stringify(detail, hide));
  }

  /** To be counted at the gateway, and not kept. */
  function beacon(told) {
    try { if (base) navigator.sendBeacon(`${base}/beacon`, JSON.stringify(told)); } catch { /* a page may forbid it */ }
  }

  /** All that any part of the chat keeps in the browser. */
  function erase() {
    try {
      sessionStorage.removeItem(`gateway.${settings.site}`);
      localStorage.removeItem("gateway.visitor");
      indexedDB.deleteDatabase("gateway");
    } catch { /* a page may forbid it */ }
  }

  /** Say once what went wrong, and tell those who listen. */
  function fail({ code, detail = "", status, requestId, kind = "failure" }) {
    emit("problem", { code, detail, status, requestId });
    if (reported.has(code)) return;
    reported.add(code);
    const id = requestId ? ` Request id: ${requestId}` : "";
    console.warn(`gateway: ${code}${status ? ` (${status})` : ""}: ${detail}${id}`);
    beacon({ kind, name: code });
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
    /** Nothing is loaded or stored before `true` where consent is required; `false` takes all away. */
    consent(given) {
      if (consented === given) return;
      consented = given;
      if (given) { start(); if (chat) api.show(); }
      else void Promise.resolve(chat && run((on) => on.forget())).then(erase);
    },
    push: (...calls) => { for (const [name, ...args] of calls) quietly(() => api[name]?.(...args)); },
  };

  /** A function that hands its calls to the shim, now or later. `:on` gives back how to stop listening. */
  const keep = (path) => (...args) => {
    if (old.take) return old.take(path, args);
    const call = { path, args };
    old.calls.push(call);
    const [group, name, value] = args;
    if (name === "cookies") api.consent(!/^(false|none)$/.test(value));
    if (/open|toggle|activate|login|newC|send|say|init/.test(`${path} ${group} ${name}`)) start();
    if (/:on$/.test(group)) return () => { call.stopped = true; call.stop?.(); };
    return { display: "hidden", "chat:isChatting": false }[name];
  };
  /** `livechat.window.show` and all of that tree, by any name that a page may call. */
  const tree = (path) => new Proxy(keep(path), {
    get: (fn, key) => (key in fn || key === "then" || key.description ? fn[key] : (fn[key] = tree(`${path}.${key}`))),
  });

  function makeOldNames() {
    const zE = keep("zE");
    for (const name of "identify,hide,show,activate,setLocale,setHelpCenterSuggestions,logout".split(",")) {
      zE[name] = keep(`zE.${name}`);
    }
    const [livechat, init] = [tree("livechat"), keep("genesyscloud.init")];
    const zopim = Object.assign(keep("$zopim"), { _: [], set: Object.assign(keep("livechat.set"), { _: [] }) });
    return () => {
      const theirs = window.zE;
      if (theirs === undefined || theirs.q) {
        window.zE = window.zEmbed = zE;
        for (const call of theirs?.q ?? []) zE(...call);
      } else if (theirs !== zE) fail({ code: "zendesk.other_script", detail: "window.zE is somebody else's: left alone." });
      (window.$zopim ??= zopim).livechat ??= livechat;
      ((window.genesyscloud ??= {}).widget ??= {}).init ??= init;
    };
  }

  function start() {
    if (!consented || starting) return;
    starting = boot().then((driver) => {
      if (!driver) { starting = null; erase(); return; } // consent was withdrawn meanwhile
      chat = driver;
      emit("ready");
      for (const { go } of waiting.splice(0)) go();
    }).catch((why) => {
      starting = null; // the next call tries again
      fail({ ...why, code: why.code ?? "widget.fault", detail: why.message });
      for (const { refuse } of waiting.splice(0)) refuse(why);
    });
  }

  async function boot() {
    const { site, mode } = settings;
    if (!site) throw problem("widget.not_served", "Not served by a gateway; embed its /sites/<site>/widget.js.");
    if (data.site && data.site !== site) throw problem("widget.other_site", `Tag: ${data.site}, address: ${site}.`);
    const parsed = (done) => document.addEventListener("DOMContentLoaded", done, { once: true });
    if (document.readyState === "loading") await new Promise(parsed);
    if (!consented) return null;
    debug("boot", { site, mode, region: settings.environment });
    const origin = askOrigin();
    origin.catch(() => {}); // awaited below, once there is something to show
    const page = { settings, base, root, nonce, data, old, preload };
    const tools = { ...page, api, begin, run, emit, fail, debug, beacon, problem, lost };
    const other = settings.migration && (await (await load("split")).start(tools)); // the old widget, for its share
    if (other) return other;
    const shim = settings.zendesk && (await (await load("shim")).start(tools));
    const module = await load(mode);
    await origin;
    return consented ? module.start({ ...tools, before: shim?.before }) : null;
  }

  /** May this page talk to the gateway at all? Told before anything is shown that could not work. */
  async function askOrigin() {
    const answer = await fetch(`${base}/origin`, { credentials: "omit" }).catch(() => null);
    if (answer?.status !== 403) return; // not reached: what comes next tells more
    const { code, detail, request_id: requestId } = await answer.json();
    throw problem(code, `${location.origin}: ${detail}`, { status: 403, requestId });
  }

  /** The digests are checked here; `import` then takes the checked modules from the page's module map. */
  function preload(parts) {
    for (const [href, integrity] of Object.entries(parts)) {
      const link = document.createElement("link");
      Object.assign(link, { rel: "modulepreload", href: root + href, integrity, crossOrigin: "anonymous" });
      if (nonce) link.nonce = nonce;
      document.head.append(link);
    }
  }

  function load(name) {
    const { url, integrity } = settings.payloads[name];
    preload({ [url]: integrity });
    return import(root + url).catch(() => { throw lost(root + url); });
  }

  const earlier = window[INSTANCE];
  if (earlier) {
    window.gateway = earlier.api;
    earlier.again();
    earlier.api.push(...early);
    return;
  }
  const oldNames = settings.zendesk ? makeOldNames() : () => {};
  window[INSTANCE] = { api, again: () => { oldNames(); start(); if (chat) quietly(() => chat.again()); } };
  window.gateway = api;
  quietly(oldNames);
  api.push(...early);
  document.addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
    if (!root || !blockedURI.startsWith(root.replace(/^https?/, ""), blockedURI.indexOf(":"))) return;
    const cure = `This page's Content-Security-Policy (${effectiveDirective}) blocks ${blockedURI}. See: gateway csp`;
    fail({ code: "page.csp", detail: cure, kind: "csp" });
  });
  if (data.lazy === undefined) start();
  else {
    const once = { once: true, passive: true };
    for (const sign of ["pointerdown", "keydown", "scroll"]) window.addEventListener(sign, start, once);
  }
})({} /* site settings */);
