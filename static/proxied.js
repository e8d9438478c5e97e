/**
 * Mode "proxied": our own client and panel on the page, behind the verbs that widget.js and shim.js use.
 * widget.js checks this file's digest and this file those of its parts, so that all of what runs is what was rendered.
 * Rule kept: the same verbs and events as messenger.js; what a page asks means the same in both modes.
 */

const PARTS = {} /* parts */; // of every module imported below, at any depth: address and digest

// Zendesk counts a conversation as begun with the visitor's first word in it.
function watch(client, emit) {
  const life = { begun: false };
  client.on("thread", () => {
    const own = client.messages.some(({ mine, state }) => mine && state === "sent");
    if (own && !life.begun && client.state === "online") emit("started", { id: client.guest?.id });
    life.begun = own;
  });
  client.on("state", (state) => {
    if (state === "online" && life.begun) emit("shown");
    if (state === "ended" || (state === "idle" && life.begun)) { life.begun = false; emit("ended"); }
  });
  return life;
}

/** Put the chat on the page. `before` is what was asked before there was a chat: hidden, locale, look, texts. */
export async function start({ settings, base, data, preload, emit, fail, debug, lost, before = {} }) {
  preload(PARTS);
  const parts = Promise.all([import("./client.js"), import("./panel.js")]);
  const [{ Client }, { mount }] = await parts.catch(() => { throw lost("a part of the chat"); });
  const client = new Client({
    base, site: settings.site, deploymentId: settings.deploymentId, dpop: settings.dpop, debug,
  });
  const own = { locale: settings.locale ?? (document.documentElement.lang || navigator.language) };
  const life = watch(client, emit);
  const place = (locale, look) => {
    const texts = { ...settings.texts, ...look.texts };
    const panel = mount({ client, locale, theme: settings.theme, texts, hidden: look.hidden, emit });
    panel.restyle(look);
    return panel;
  };
  let look = before;
  let panel = place(before.locale ?? data.locale ?? own.locale, look);
  client.on("problem", (why) => fail({ ...why, detail: why.message }));
  client.on("guest", (guest) => emit("guest", guest));
  return {
    open: () => panel.open(), close: () => panel.close(), show: () => panel.show(), hide: () => panel.hide(),
    signIn: (proof) => { emit("login", { step: "proof" }); return client.signIn(proof); },
    signOut: () => client.signOut(),
    setContext: (given) => client.setContext(given),
    send: (text) => { client.send(text); },
    end: () => client.end(),
    reset: () => client.signOut(),
    isOpen: () => panel.isOpen,
    isChatting: () => life.begun && client.state === "online",
    /** Colour, place, label: what Zendesk's settings ask and our panel can do. */
    restyle: (asked) => { look = { ...look, ...asked }; panel.restyle(asked); },
    /** The panel says everything anew, in another language; the thread stays. */
    speak: (locale) => {
      const wasOpen = panel.isOpen;
      look.hidden = panel.hidden;
      panel.dispose();
      panel = place(locale, look);
      if (wasOpen) panel.open();
    },
    again: () => { if (!panel.isConnected) document.body.append(panel); },
    forget: () => { panel.hide(); return client.forget(); },
  };
}
