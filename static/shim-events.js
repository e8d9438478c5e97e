/**
 * Whom to tell what: the listeners that pages registered under Zendesk's names, and the state that its getters read.
 * It hears the events of widget.js only, so that both modes tell the same.
 * Rule kept: a listener's fault is the page's own; it surfaces as such and stops nobody else.
 */

// What was told before a listener came, it is told as well: pages register late, and wait.
const REMEMBERED = ["webWidget:on chat:connected", "webWidget:on chat:status"];

/** `departments()` gives those of the configuration, for their status. */
export function oldEvents({ api, departments }) {
  const listeners = new Map();
  const told = new Map();
  const createdAt = Date.now() / 1000;
  const state = { open: false, chatting: false, connected: false, status: undefined, human: false };
  state.conversation = crypto.randomUUID();

  const tell = (fn, args) => { try { fn(...args); } catch (fault) { setTimeout(() => { throw fault; }); } };
  const fire = (name, ...args) => {
    if (REMEMBERED.includes(name)) told.set(name, args);
    for (const fn of [...(listeners.get(name) ?? [])]) tell(fn, args);
  };
  const event = (type) => ({ id: crypto.randomUUID(), createdAt: Date.now(), type });
  const conversation = (type) => ({ ...event(type), payload: { conversation: { id: state.conversation, createdAt } } });
  const status = (now) => {
    if (state.status === now) return;
    state.status = now;
    fire("webWidget:on chat:status", now);
    for (const { id, name } of departments()) fire("webWidget:on chat:departmentStatus", { id, name, status: now });
  };

  const heard = {
    ready: () => { state.connected = true; fire("webWidget:on chat:connected"); status("online"); },
    open: () => {
      state.open = true;
      fire("messenger:on open", event("open"));
      fire("messenger:on conversationOpened", conversation("conversationOpened"));
      fire("messenger:on unreadMessages", 0);
      fire("webWidget:on open");
      fire("webWidget:on userEvent", { category: "Zendesk Web Widget", action: "Web Widget Opened", properties: {} });
    },
    close: () => {
      state.open = false;
      fire("messenger:on close", event("close"));
      fire("webWidget:on close");
      fire("webWidget:on userEvent", { category: "Zendesk Web Widget", action: "Web Widget Minimised", properties: {} });
    },
    unread: (count) => {
      if (count > 0) fire("messenger:on unreadMessages", count);
      fire("webWidget:on chat:unreadMessages", count);
    },
    state: (now) => status(now === "offline" || now === "refused" ? "offline" : "online"),
    started: ({ id }) => {
      state.chatting = true;
      state.conversation = id ?? state.conversation;
      fire("messenger:on conversationStarted", conversation("conversationStarted"));
      fire("webWidget:on chat:start");
    },
    ended: () => {
      Object.assign(state, { chatting: false, human: false });
      fire("webWidget:on chat:end");
    },
    shown: () => { state.chatting = true; fire("messenger:on messagesShown", conversation("messagesShown")); },
    message: ({ from }) => {
      fire("messenger:on messageReceived", conversation("messageReceived"));
      if (from === "Human" && !state.human) {
        state.human = true;
        fire("messenger:on conversationAgentAssigned", conversation("conversationAgentAssigned"));
      }
    },
  };
  for (const [name, act] of Object.entries(heard)) api.on(name, act);

  return {
    state,
    /** Listen under Zendesk's name; returns the function that stops it, also for names that never fire. */
    on(name, fn) {
      if (typeof fn !== "function") return () => {};
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(fn));
      const missed = told.get(name);
      if (missed) queueMicrotask(() => { if (set.has(fn)) tell(fn, missed); });
      return () => { set.delete(fn); };
    },
  };
}
