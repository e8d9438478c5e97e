/**
 * What each call of zendesk-table.js does, by the name that its row gives; shim-attributes.js holds what rides along
 * with messages, shim-events.js whom to tell what.
 * Rule kept: an action asks the chat for something that both modes can do; what a page claims is never an identity.
 */
import { Attributes } from "./shim-attributes.js";
import { oldEvents } from "./shim-events.js";

const COLOUR = /^(#[0-9a-f]{3,8}|[a-z]{3,20})$/i;
const ADDRESS = /^[^\s@]+@[^\s@]+$/;
const warned = new Set();

/** Say it once, in the words of the page's developer. */
function once(words) {
  if (warned.has(words)) return;
  warned.add(words);
  console.warn(`gateway: zendesk: ${words}`);
}

const call = (fn, ...args) => { if (typeof fn === "function") fn(...args); };
const words = (given) => given.flat().filter((word) => typeof word === "string");
const pixels = (value) => Math.min(400, Math.max(0, Number.parseInt(value, 10) || 0));

/** Zendesk's error of a failed login: one stored page of their documentation spells the last property with three s. */
function loginError({ code, detail, requestId }) {
  return { type: "LoginFailedError", reason: code, message: detail, messsage: detail, requestId };
}

/** The actions of both modes. `before` collects what is asked before there is a chat; `at` is the call being done. */
export function makeActions({ settings, data, api, begin, run, fail, debug, before, at, act }) {
  const rules = settings.zendesk;
  const keep = (attributes) => run((on) => on.setContext(attributes));
  const attributes = new Attributes({ rules, changed: keep, fail, debug });
  const events = oldEvents({ api, departments: () => departments });
  let departments = Object.keys(rules.departments ?? {}).map((name, id) => ({ id, name, status: "online" }));
  let jwtFn = null;
  let hideOffline = false;
  let offline = false;

  const restyle = (look) => { Object.assign(before, look); void run((on) => on.restyle(look)); };
  const open = () => void begin(async (on) => { await on.show(); await on.open(); });
  const proofOf = (fn) => (give) => { fn(give); };
  const signIn = (fn, done) => api.signIn(proofOf(fn)).then((told) => call(done, told.ok ? null : loginError(told)));
  const say = (text, done) => {
    if (typeof text !== "string" || !text.trim()) return;
    void begin((on) => on.send(text)).then((told) => call(done, told.ok ? null : new Error(told.detail)));
  };
  const forget = (verb) => { attributes.clear(); jwtFn = null; return run((on) => on[verb]()); };
  const connected = (value) => (events.state.connected ? value() : undefined);
  const claim = (given) => attributes.claim(given);
  const listen = (name) => (fn) => void events.on(name, fn);
  api.on("state", (state) => {
    const is = state === "offline" || state === "refused";
    if (hideOffline && is !== offline) (is ? api.hide : api.show)();
    offline = is;
  });

  const actions = {
    nothing: () => undefined,
    callback: (fn) => { fn(); },
    show: () => { before.hidden = false; api.show(); },
    hide: () => { before.hidden = true; api.hide(); },
    open: () => { before.hidden = false; open(); },
    close: () => api.close(),
    toggle: () => (events.state.open ? api.close() : open()),
    embedded: () => { once("there is no embedded mode; the chat opens in its own window."); open(); },
    noVoice: () => { once("there is no voice call; the chat opens instead."); open(); },
    noDelegate: () => once(`${at.id} has no equivalent; its function is never called.`),
    cookies: (value) => api.consent(!/^(false|none)$/.test(value)),
    suppress: (value) => { if (value === true) actions.hide(); },
    hideWhenOffline: (value) => { hideOffline = value !== false; },

    login: (fn, done) => {
      if (typeof fn !== "function") throw new TypeError("loginUser needs a function that is given a function");
      jwtFn = fn;
      void signIn(fn, done);
    },
    logout: () => { attributes.clear(); jwtFn = null; void api.signOut(); },
    reset: (done) => void forget("reset").then(() => call(done)),
    clear: () => attributes.claim({ name: null, email: null, phone: null, organization: null }),
    jwtFn: (fn) => { if (typeof fn === "function") { jwtFn = fn; void signIn(fn); } },
    authenticate: (options) => actions.jwtFn(options?.jwtFn),
    reauthenticate: () => { if (jwtFn) void signIn(jwtFn); },

    say,
    sendMessage: (message, conversation, done) => say(typeof message === "string" ? message : message?.text, done),
    end: () => void run((on) => on.end()),
    newConversation: (options, done) => {
      attributes.metadata(options?.metadata ?? {});
      open();
      const id = events.state.conversation;
      void run(() => {}).then(() => call(done, null, { id }));
    },
    fetchConversations: (offset, done) => {
      const { conversation: id, chatting } = events.state;
      call(typeof offset === "function" ? offset : done, null, { conversations: chatting ? [{ id }] : [], hasMore: false });
    },
    config: (done) => call(done, { mode: settings.mode, locale: before.locale ?? settings.locale }),

    locale: (tag) => {
      if (typeof tag !== "string" || !/^[a-z]{2,3}([-_]\w{2,8})*$/i.test(tag)) return;
      const given = tag.replace("_", "-");
      before.locale = given;
      attributes.set({ zd_locale: given });
      void run((on) => on.speak(given));
    },
    localeOf: (options) => actions.locale(options?.locale),
    zIndex: (value) => { if (Number.isInteger(Number(value)) && value !== null) restyle({ zIndex: String(Number(value)) }); },
    colour: (value) => { if (COLOUR.test(value)) restyle({ colour: value }); },
    colours: (given) => actions.colour(given?.primary),
    position: (value) => { if (/^[bt]?[lr]$|left|right/.test(value)) restyle({ side: /l$|left/.test(value) ? "left" : "right" }); },
    gap: (value) => restyle({ gap: pixels(value) }),
    label: (value) => { if (typeof value === "string") before.texts = { ...before.texts, open: value }; },
    customization: (given) => {
      actions.colour(given?.theme?.primary ?? given?.theme?.primaryColor ?? given?.primaryColor);
      actions.position(given?.position ?? "");
    },

    fields: (list, done) => { attributes.fields(Array.isArray(list) ? list : []); if (typeof done === "function") done(); },
    tags: (...list) => attributes.tags(words(list)),
    addTags: (...list) => attributes.addTags(words(list)),
    removeTags: (...list) => attributes.removeTags(words(list)),
    identify: (given) => claim({ name: given?.name, email: given?.email, organization: given?.organization }),
    prefill: (given) => claim({ name: given?.name?.value, email: given?.email?.value, phone: given?.phone?.value }),
    setVisitor: (given) => {
      claim({ name: given?.name, email: given?.email, phone: given?.phone });
      if (given?.language) actions.locale(given.language);
      if (given?.color) actions.colour(given.color);
    },
    setName: (name) => (typeof name === "string" ? claim({ name }) : once("setName takes text.")),
    setEmail: (email) => (ADDRESS.test(email) ? claim({ email }) : once("setEmail takes an e-mail address.")),
    setPhone: (phone) => (typeof phone === "string" ? claim({ phone }) : once("setPhone takes text.")),
    path: (given) => attributes.path(given),
    department: (name) => attributes.department(name),
    noDepartment: () => attributes.set({ zd_department: null }),
    departmentsEnabled: (names) => {
      if (Array.isArray(names)) departments = departments.filter(({ id, name }) => names.includes(name) || names.includes(id));
    },

    on: (fn) => events.on(at.id, fn),
    onShow: listen("webWidget:on open"),
    onHide: listen("webWidget:on close"),
    onConnected: listen("webWidget:on chat:connected"),
    onChatStart: listen("webWidget:on chat:start"),
    onChatEnd: listen("webWidget:on chat:end"),
    onStatus: listen("webWidget:on chat:status"),
    onUnread: listen("webWidget:on chat:unreadMessages"),
    getDisplay: () => (events.state.open ? "chat" : "hidden"),
    getOpen: () => events.state.open,
    getIsChatting: () => events.state.chatting,
    getDepartments: () => connected(() => departments.map((each) => ({ ...each, status: events.state.status }))),
    getDepartment: (asked) => actions.departmentOf(asked),
    departmentOf: (asked) => connected(() => {
      const found = departments.find(({ id, name }) => id === asked || name === asked);
      return found && { ...found, status: events.state.status };
    }),

    init: (options) => {
      for (const [key, value] of Object.entries(options ?? {})) act(`genesyscloud init ${key}`, [value]);
      api.show();
    },
    explained: () => console.info(`gateway: ${at.id.split(" ").pop()}: ${at.row[3]}`),
    exposed: () => console.error(`gateway: ${at.id.split(" ").pop()}: ${at.row[3]}`),
    debugOn: (value) => { if (value) data.debug = ""; },
    updateSettings: (given) => actions.readSettings(given),
    /** window.zESettings, or what updateSettings brings: each leaf is a call of its own. */
    readSettings: (given) => {
      const leaves = (value, path) => {
        const plain = value !== null && typeof value === "object" && !Array.isArray(value);
        if (plain) for (const [key, below] of Object.entries(value)) leaves(below, path ? `${path}.${key}` : key);
        else act(`zESettings ${path}`, [value]);
      };
      const { webWidget, ...others } = given ?? {};
      leaves({ ...others, ...webWidget }, "");
    },
  };
  return actions;
}
