/**
 * <gateway-chat>: the launcher and the chat window, in a shadow root. It shows what client.js holds and passes on
 * what the visitor does; bubbles.js draws messages, look.js dresses, languages.js speaks.
 * Rule kept: everything works by keyboard and is told to screen readers, and nothing here needs inline style or script.
 */
import { bubble, icon, make, refresh } from "./bubbles.js";
import { wordsFor } from "./languages.js";
import { look } from "./look.js";

const FULL_SCREEN = "(max-width: 480px)"; // as in look.js
const NEAR_END_PX = 80;
const SAME_SPEAKER_MS = 300_000;
const PATIENCE_MS = 700; // a shorter loss of connection is not worth a banner

// What each state of the client says, and what the visitor can do about it. States not listed say nothing.
const BANNERS = {
  reconnecting: { words: "reconnecting" },
  offline: { words: "offline" },
  refused: { words: "refused", alert: true, action: "tryAgain", act: (client) => client.connect() },
  signin: {
    words: "signin", alert: true, action: "asGuest", act: (client) => client.signOut().then(() => client.connect()),
  },
  elsewhere: { words: "elsewhere", action: "useHere", act: (client) => client.connect() },
};
const RESTING = new Set(["refused", "signin", "elsewhere", "ended"]);

class GatewayChat extends HTMLElement {
  #client;
  #say;
  #emit;
  #parts = {};
  #drawn = new Map();
  #hands;
  #unread = 0;
  #page = 1;
  #typing = false;
  #bannerTimer = 0;
  #problem = null;
  #stops = [];
  #disposed = false;

  /** Wire the element to a client; called once, by `mount`. */
  begin({ client, locale, theme, texts, hidden = false, emit }) {
    const { lang, dir, say } = wordsFor(locale, texts);
    Object.assign(this, { lang, dir, hidden });
    this.#client = client;
    this.#say = say;
    this.#emit = emit;
    this.#hands = {
      say, lang, clock: (time) => new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" }).format(time),
      choose: (reply) => this.#send(reply.text, { reply }), retry: (id) => client.retry(id),
      address: (id) => client.fileAddress(id),
    };
    this.#dress(theme ?? {});
    this.#build();
    this.#listen();
    this.#showThread();
    this.#showState(client.state);
  }

  get isOpen() { return !this.#parts.panel.hidden; }

  /** Show the window and move the focus into it. */
  open() {
    this.hidden = false;
    if (this.isOpen) return;
    const { panel, launcher, input } = this.#parts;
    panel.hidden = false;
    panel.setAttribute("aria-modal", String(matchMedia(FULL_SCREEN).matches));
    launcher.setAttribute("aria-expanded", "true");
    this.#countUnread(0);
    if (!RESTING.has(this.#client.state)) this.#client.connect();
    this.#toEnd();
    (input.disabled ? panel : input).focus();
    this.#emit("open");
  }

  /** Hide the window and give the focus back to the launcher, if it was in the window. */
  close() {
    if (!this.isOpen) return;
    const focused = this.shadowRoot.activeElement !== null;
    this.#parts.panel.hidden = true;
    this.#parts.launcher.setAttribute("aria-expanded", "false");
    if (focused) this.#parts.launcher.focus();
    this.#emit("close");
  }

  show() { this.hidden = false; }
  hide() { this.close(); this.hidden = true; }

  /** Change what a page may change later: `colour`, `zIndex`, `side` (left or right), `gap` in pixels. */
  restyle({ colour, zIndex, side, gap }) {
    const wanted = { accent: colour, z: zIndex, gap: gap && `${gap}px` };
    for (const [name, value] of Object.entries(wanted)) if (value) this.style.setProperty(`--gateway-${name}`, value);
    if (side) this.setAttribute("side", side);
  }

  /** An application that draws its page anew takes the chat away unawares; it comes back. Away for good: `hide`. */
  disconnectedCallback() {
    setTimeout(() => { if (!this.#disposed && !this.isConnected) document.body.append(this); });
  }

  /** Take the element from the page and stop listening; the client lives on. */
  dispose() {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#bannerTimer);
    this.#disposed = true;
    this.remove();
  }

  #dress({ scheme = "light", ...properties }) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(look);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.setAttribute("scheme", scheme);
    for (const [name, value] of Object.entries(properties)) this.style.setProperty(`--gateway-${name}`, value);
  }

  #build() {
    const say = this.#say;
    const button = (className, label, name, onclick) =>
      make("button", { type: "button", className, "aria-label": say(label), title: say(label), onclick }, icon(name));
    const parts = this.#parts;
    parts.badge = make("span", { className: "badge", hidden: true, "aria-hidden": "true" });
    parts.launcher = button("launcher", "open", "chat", () => (this.isOpen ? this.close() : this.open()));
    parts.launcher.setAttribute("aria-expanded", "false");
    parts.launcher.setAttribute("aria-haspopup", "dialog");
    parts.launcher.append(parts.badge);
    parts.status = make("p", { role: "status" });
    parts.end = button("icon", "end", "end", () => this.#askToEnd(true));
    parts.bannerWords = make("span", { role: "status" });
    parts.bannerAction = make("button", { type: "button", className: "link" });
    parts.banner = make("div", { className: "banner", hidden: true }, parts.bannerWords, parts.bannerAction);
    const showOlder = { type: "button", className: "link older", hidden: true, onclick: () => this.#showOlder() };
    parts.older = make("button", showOlder, say("older"));
    const greeting = { mine: false, text: say("welcome"), content: [], time: 0, from: "Bot", name: say("title") };
    parts.welcome = bubble(greeting, this.#hands);
    const dot = () => make("i");
    parts.dots = make("div", { className: "typing", hidden: true, "aria-hidden": "true" }, dot(), dot(), dot());
    // aria-live starts as off: a whole history read aloud on opening would help nobody.
    const live = { role: "log", "aria-live": "off", "aria-relevant": "additions", "aria-label": say("messages") };
    parts.log = make("div", { className: "log", tabIndex: 0, ...live }, parts.older, parts.welcome, parts.dots);
    parts.alert = make("p", { className: "note", role: "alert", hidden: true });
    this.#buildForm(button);
    parts.ask = make("div", { className: "ask", role: "group", hidden: true });
    const who = make("div", { className: "who" }, make("h2", { id: "title" }, say("title")), parts.status);
    const head = make("header", {}, who, parts.end, button("icon", "close", "close", () => this.close()));
    const dialog = { role: "dialog", "aria-labelledby": "title", tabIndex: -1, hidden: true, className: "panel" };
    parts.panel = make("section", dialog, head, parts.banner, parts.log, parts.alert, parts.ask, parts.form);
    this.shadowRoot.append(parts.panel, parts.launcher);
  }

  #buildForm(button) {
    const say = this.#say;
    const parts = this.#parts;
    const words = { placeholder: say("input"), "aria-label": say("input"), dir: "auto" };
    parts.input = make("textarea", { rows: 1, value: this.#client.draft, ...words });
    parts.file = make("input", { type: "file", hidden: true, onchange: () => this.#attach([...parts.file.files]) });
    parts.attach = button("icon", "attach", "attach", () => parts.file.click());
    parts.attach.hidden = true;
    parts.send = button("icon send", "send", "send", null);
    parts.send.type = "submit";
    parts.form = make("form", { noValidate: true }, parts.attach, parts.file, parts.input, parts.send);
    this.#showDraft();
  }

  #listen() {
    const { panel, form, input } = this.#parts;
    const client = this.#client;
    const hear = (event, act) => { this.#stops.push(client.on(event, act)); };
    hear("thread", () => this.#showThread());
    hear("state", (state) => this.#showState(state));
    hear("guest", () => this.#showState(client.state));
    hear("problem", (problem) => { this.#problem = problem; });
    hear("typing", (typing) => this.#showTyping(typing));
    hear("left", () => this.#note(this.#say("left")));
    hear("message", ({ id, from }) => {
      if (!this.isOpen) this.#countUnread(this.#unread + 1);
      this.#emit("message", { id, from });
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#sendInput(); });
    input.addEventListener("input", () => {
      client.draft = input.value;
      this.#showDraft();
      if (input.value) client.typing();
    });
    input.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (files.length && client.files) { event.preventDefault(); this.#attach(files); }
    });
    for (const type of ["keydown", "keyup", "keypress"]) panel.addEventListener(type, (event) => this.#key(event));
  }

  /** Keys pressed in the chat are the chat's: they do not set off the page's shortcuts. */
  #key(event) {
    event.stopPropagation();
    if (event.type !== "keydown" || event.isComposing) return;
    const { input, panel, ask } = this.#parts;
    if (event.key === "Escape") {
      if (ask.hidden || this.#client.state === "ended") this.close(); else this.#askToEnd(false);
    } else if (event.key === "Enter" && !event.shiftKey && event.target === input) {
      event.preventDefault();
      this.#sendInput();
    } else if (event.key === "Tab" && panel.getAttribute("aria-modal") === "true") this.#keepFocus(event);
  }

  /** On a phone the dialog covers the page: Tab goes round in it. */
  #keepFocus(event) {
    const all = [...this.#parts.panel.querySelectorAll("button, textarea, a, [tabindex='0']")];
    const stops = all.filter((each) => !each.disabled && each.offsetParent);
    const [edge, next] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (event.target !== edge) return;
    event.preventDefault();
    next.focus();
  }

  #sendInput() {
    const { input } = this.#parts;
    const text = input.value.trim();
    if (!text || !this.#send(text)) return;
    input.value = "";
    this.#client.draft = "";
    this.#showDraft();
    input.focus();
  }

  #send(text, options) {
    try {
      this.#client.send(text, options);
    } catch {
      this.#alert(this.#say("tooLong")); // the one thing that `send` refuses
      return false;
    }
    this.#alert("");
    this.#toEnd();
    return true;
  }

  async #attach(files) {
    this.#parts.file.value = "";
    const { maxBytes, blocked } = this.#client.files;
    for (const file of files) {
      const tell = (words) => this.#alert(this.#say(words, { name: file.name }));
      const isBlocked = blocked.some((ending) => file.name.toLowerCase().endsWith(ending.toLowerCase()));
      if (maxBytes && file.size > maxBytes) tell("fileTooLarge");
      else if (isBlocked) tell("fileRefused");
      else {
        tell("uploading");
        await this.#client.attach(file).then(() => this.#alert(""), () => tell("fileRefused"));
      }
    }
  }

  #showDraft() { this.#parts.send.setAttribute("aria-disabled", String(!this.#parts.input.value.trim())); }
  #alert(words) { Object.assign(this.#parts.alert, { hidden: !words, textContent: words }); }

  #note(words) {
    this.#parts.dots.before(make("p", { className: "note" }, words));
    this.#toEnd();
  }

  /** Bring the log in line with the thread: elements are kept and moved, so that only what is new is read aloud. */
  #showThread() {
    const { log, dots, older, welcome } = this.#parts;
    const messages = this.#client.messages;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    const keys = new Set(messages.map(({ key }) => key));
    for (const [key, element] of this.#drawn) if (!keys.has(key)) { element.remove(); this.#drawn.delete(key); }
    let after = welcome;
    messages.forEach((message, index) => {
      const element = this.#drawn.get(message.key) ?? bubble(message, this.#hands);
      this.#drawn.set(message.key, element);
      const before = messages[index - 1];
      const soon = (message.time ?? Date.now()) - (before?.time ?? Date.now()) < SAME_SPEAKER_MS;
      const follows = before !== undefined && before.mine === message.mine && before.name === message.name && soon;
      refresh(element, message, this.#hands, { last: index === messages.length - 1, follows });
      if (after.nextElementSibling !== element) after.after(element);
      after = element;
    });
    if (messages.length === 0) for (const note of log.querySelectorAll(":scope > .note")) note.remove();
    older.hidden = !this.#client.more;
    welcome.hidden = this.#client.more;
    dots.hidden = !this.#typing;
    this.#parts.end.hidden = messages.length === 0 || this.#client.state === "ended";
    if (atEnd) this.#toEnd();
  }

  async #showOlder() {
    const { log, older } = this.#parts;
    const fromEnd = log.scrollHeight - log.scrollTop;
    older.disabled = true;
    log.setAttribute("aria-live", "off");
    const failed = () => this.#alert(this.#say("refused"));
    await this.#client.history(this.#page + 1).then(() => { this.#page += 1; }, failed);
    log.scrollTop = log.scrollHeight - fromEnd;
    older.disabled = false;
    requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
  }

  #showTyping(typing) {
    this.#typing = typing;
    this.#showThread();
    this.#showStatus();
  }

  #showState(state) {
    const { log, input, form, ask, attach, file } = this.#parts;
    const ended = state === "ended";
    form.hidden = ended;
    if (ended || !ask.hidden) this.#askToEnd(false);
    if (state === "online") {
      const files = this.#client.files;
      attach.hidden = !files;
      file.accept = files && !files.types.includes("*/*") ? files.types.join(",") : "";
      this.#page = 1;
      requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
    }
    input.disabled = state === "refused" || state === "signin";
    this.#showStatus();
    this.#showThread();
    clearTimeout(this.#bannerTimer);
    if (state === "reconnecting") this.#bannerTimer = setTimeout(() => this.#showBanner(state), PATIENCE_MS);
    else this.#showBanner(state);
    this.#emit("state", state);
  }

  #showStatus() {
    const { state, guest } = this.#client;
    const connecting = state === "connecting" || state === "reconnecting";
    const rest = guest?.verified ? "signedIn" : "online";
    const words = this.#say(this.#typing ? "typing" : connecting ? "connecting" : rest);
    this.#parts.status.textContent = state === "online" || state === "idle" || connecting ? words : "";
  }

  #showBanner(state) {
    const { banner, bannerWords, bannerAction } = this.#parts;
    const row = BANNERS[state];
    banner.hidden = !row;
    if (!row) return;
    const id = state === "refused" && this.#problem?.requestId;
    bannerWords.textContent = this.#say(row.words) + (id ? ` ${this.#say("reference", { id })}` : "");
    banner.dataset.tone = row.alert ? "alert" : "";
    bannerAction.hidden = !row.action;
    bannerAction.textContent = row.action ? this.#say(row.action) : "";
    bannerAction.onclick = () => row.act(this.#client);
  }

  /** The block below the log: the question before ending a chat, or, once it has ended, the way to a new one. */
  #askToEnd(asking) {
    const { ask, form, input } = this.#parts;
    const ended = this.#client.state === "ended";
    const button = (key, onclick) => make("button", { type: "button", className: "choice", onclick }, this.#say(key));
    const stay = button("endNo", () => this.#askToEnd(false));
    const restart = () => { this.#client.connect(); input.focus(); };
    const buttons = ended ? [button("startNew", restart)] : [stay, button("endYes", () => this.#client.end())];
    const held = ask.contains(this.shadowRoot.activeElement);
    ask.replaceChildren(make("p", {}, this.#say(ended ? "ended" : "endAsk")), ...buttons);
    ask.hidden = !asking && !ended;
    form.hidden = !ask.hidden;
    if (asking) stay.focus();
    else if (held) (ended ? buttons[0] : input).focus();
  }

  #countUnread(unread) {
    const { badge, launcher } = this.#parts;
    const changed = unread !== this.#unread;
    this.#unread = unread;
    badge.hidden = unread === 0;
    badge.textContent = unread > 9 ? "9+" : String(unread);
    const label = this.#say("open") + (unread ? `. ${this.#say("unread", { n: unread })}` : "");
    launcher.setAttribute("aria-label", label);
    if (changed) this.#emit("unread", unread);
  }

  #toEnd() { const { log } = this.#parts; log.scrollTop = log.scrollHeight; }
}

/** Put the chat on the page, return its element. `emit(event, detail)` hears open, close, state, message and unread. */
export function mount(options) {
  if (!customElements.get("gateway-chat")) customElements.define("gateway-chat", GatewayChat);
  const element = document.createElement("gateway-chat");
  element.begin(options);
  document.body.append(element);
  return element;
}
