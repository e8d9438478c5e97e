"""A double of genesys.min.js for tests of mode "messenger": the dispatcher, the plugins' answers, and their events.

It replaces the queueing function and drains the queue as the real script does, remembers every command, and publishes
what the real plugins publish for it. `seen.pub(event, data)` plays an event of its own accord.
"""

GENESYS_DOUBLE = """
(() => {
  const queue = window.Genesys.q ?? [];
  const told = {};
  const seen = window.seen = { config: window.Genesys.c, commands: [], subscribed: {}, published: [], commandsOf: {} };
  seen.pub = (event, data = {}) => { for (const tell of seen.subscribed[event] ?? []) tell({ event, data }); };
  const later = (...args) => queueMicrotask(() => seen.pub(...args));
  const state = { open: false, live: false };
  const plugin = {
    registerCommand: (name, act) => { seen.commandsOf[name] = act; },
    publish: (name, data) => seen.published.push([name, data]),
    ready: () => { seen.pluginReady = true; },
  };
  const commands = {
    'Messenger.open': () => {
      if (state.open) throw 'already open';
      state.open = true;
      later('Messenger.opened');
      if (!state.live) { state.live = true; later('MessagingService.started', {}); }
    },
    'Messenger.close': () => {
      if (!state.open) throw 'already closed';
      state.open = false;
      later('Messenger.closed');
    },
    'MessagingService.sendMessage': ({ message }) => {
      if (!state.live) throw 'no conversation';
      const sent = { id: crypto.randomUUID(), direction: 'Inbound', type: 'Text', text: message };
      later('MessagingService.messagesReceived', { messages: [sent] });
    },
    'MessagingService.clearConversation': () => later('MessagingService.conversationCleared'),
    'Auth.reAuthenticate': () => new Promise((done, failed) => {
      const resolve = (code) => { later('Auth.authenticated', {}); done(code); };
      seen.commandsOf.reAuthenticate({ resolve, reject: failed });
    }),
    'Auth.logout': () => later('Auth.loggedOut', {}),
  };
  const act = {
    command: (name, options, ok, fail) => {
      seen.commands.push([name, options]);
      try { Promise.resolve(commands[name]?.(options)).then(ok, fail); } catch (why) { fail?.(why); }
    },
    subscribe: (name, tell) => {
      (seen.subscribed[name] ??= []).push(tell);
      if (name === 'Messenger.ready') tell({});
    },
    registerPlugin: (name, start) => { seen.plugin = name; start(plugin); },
  };
  window.Genesys = (kind, ...args) => act[kind](...args);
  for (const call of queue) window.Genesys(...call);
})();
"""
