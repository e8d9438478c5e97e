/**
 * What the events of the stock Messenger mean in the words of widget.js: open, close, unread, message, started, ended.
 * It only listens; messenger.js commands.
 * Rule kept: one event of ours for one happening, however many of theirs tell of it.
 */

// Told as they come, for `debug`: where a sign-in ends when it does not end well.
const LOGIN_STEPS = ["authenticating", "authError", "tokenError", "authProviderError", "signInFailed", "logoutError"];
const isText = ({ type }) => type !== "Event";

/** Subscribe to all of them; returns the state that they leave: `{open, live, chatting, unread}`. */
export function follow(subscribe, emit) {
  const state = { open: false, live: false, chatting: false, unread: 0, whenLive: null };
  const count = (unread) => { if (unread !== state.unread) emit("unread", unread); state.unread = unread; };
  const live = () => {
    if (!state.live) emit("state", "online");
    state.live = true;
    state.whenLive?.();
  };
  const ended = () => { if (state.chatting) emit("ended"); state.chatting = false; };
  const begun = (id) => { if (!state.chatting) emit("started", { id }); state.chatting = true; };
  const lost = (how) => () => { state.live = false; emit("state", how); };

  function messages({ data }) {
    for (const { id, direction, type, originatingEntity: from } of data?.messages ?? []) {
      if (!isText({ type })) continue;
      if (direction === "Inbound") { begun(id); continue; }
      emit("message", { id, from });
      if (!state.open) count(state.unread + 1);
    }
  }

  // https://developer.genesys.cloud/commdigital/digital/webmessaging/messengersdk/SDKCommandsEvents/messagingServicePlugin
  const heard = {
    "Messenger.opened": () => { state.open = true; emit("open"); count(0); },
    "Messenger.closed": () => { state.open = false; emit("close"); },
    "MessagingService.started": live,
    "MessagingService.restored": () => { live(); state.chatting = true; emit("shown"); },
    "MessagingService.oldMessages": () => emit("shown"),
    "MessagingService.messagesReceived": messages,
    "MessagingService.offline": lost("offline"),
    "MessagingService.reconnecting": lost("reconnecting"),
    "MessagingService.reconnected": live,
    "MessagingService.conversationDisconnected": ended,
    "MessagingService.conversationCleared": ended,
    "MessagingService.sessionCleared": () => { ended(); state.live = false; },
    "Auth.authenticated": () => emit("guest", { verified: true }),
    "Auth.loggedOut": () => emit("guest", null),
  };
  for (const [event, act] of Object.entries(heard)) subscribe(event, act);
  for (const step of LOGIN_STEPS) subscribe(`Auth.${step}`, () => emit("login", { step }));
  return state;
}
