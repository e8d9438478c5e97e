/**
 * One message of the thread as DOM: text, links, files, pictures, cards, quick replies, and its delivery state.
 * It draws what it is given and asks for nothing; what a press means is the caller's (`choose`, `retry`).
 * Rule kept: text is always text (createElement and textContent), and a link is followed only if it is http(s).
 */
import { outline } from "./outline.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  chat: "M6 4.5h12a3 3 0 013 3v6a3 3 0 01-3 3h-5.5l-5 4v-4H6a3 3 0 01-3-3v-6a3 3 0 013-3zM8 10.5h.01m4 0h.01m4 0h.01",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-7-6 15-3-6.5zM11 13.5L20 5",
  attach: "M20 11.5l-8.2 8a5 5 0 01-7-7.2l8.5-8.3a3.3 3.3 0 014.7 4.7l-8.5 8.2a1.6 1.6 0 01-2.3-2.3l7.7-7.5",
  end: "M14 4h4a2 2 0 012 2v12a2 2 0 01-2 2h-4M10 8l-4 4 4 4M6 12h9",
  file: "M14 3H6v18h12V7zM14 3v4h4",
};
const FILE_ADDRESS_MS = 300_000; // after this an address is asked for anew; how long Genesys signs for is not documented
const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

/** An element with properties, attributes (names with a dash, or `role`) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A line drawing, hidden from readers: what the control does is said by its label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch { return null; }
}

/** A link in a new tab that learns nothing of this page; plain text when the address is not of the web. */
function link(address, ...children) {
  const href = webAddress(address ?? "");
  if (!href) return make("span", {}, ...children);
  return make("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

function image(address, properties) {
  return make("img", { ...properties, src: webAddress(address), loading: "lazy", referrerPolicy: "no-referrer" });
}

function withLinks(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(from, match.index), link(match[0], match[0]));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

/** Addresses of files are signed for minutes: an old one is replaced when it fails, or before it is followed. */
function keepFresh(id, anchor, picture, address) {
  let asked = Date.now();
  const renew = () => {
    asked = Date.now();
    address(id).then((url) => {
      if (!webAddress(url)) return;
      anchor.href = url;
      if (picture) picture.src = url;
    }, () => {}); // the old address then stays, and tells by itself that it has expired
  };
  const before = () => { if (Date.now() - asked > FILE_ADDRESS_MS) renew(); };
  for (const sign of ["pointerenter", "focus"]) anchor.addEventListener(sign, before);
  picture?.addEventListener("error", renew, { once: true });
}

function attachment({ id, url, filename, mime = "", mediaType = "" }, { say, address }) {
  const name = filename || say("file");
  const shown = (mediaType === "Image" || mime.startsWith("image/")) && webAddress(url ?? "");
  const picture = shown ? image(url, { className: "picture", alt: name }) : null;
  const anchor = link(url, picture ?? name);
  if (id && anchor.href) keepFresh(id, anchor, picture, address);
  return picture ? anchor : make("div", { className: "bubble attachment" }, icon("file"), anchor);
}

function choice(action, { choose }) {
  const { type, kind, url, text = "", payload = text } = action;
  if (type === "Link") return Object.assign(link(url, text), { className: "choice" });
  const press = () => choose({ type: kind ?? "Button", text, payload });
  return make("button", { type: "button", className: kind ? "choice reply" : "choice", onclick: press }, text);
}

function card({ title, description, image: address, defaultAction, actions = [] }, hands) {
  const picture = webAddress(address ?? "");
  const buttons = actions.map((action) => choice(action, hands));
  return make("article", { className: "card" },
    picture ? image(picture, { alt: "" }) : null,
    make("div", {},
      make("h3", {}, defaultAction?.url ? link(defaultAction.url, title ?? "") : title ?? ""),
      description ? make("p", {}, description) : null,
      buttons.length ? make("div", { className: "choices" }, ...buttons) : null));
}

/** The lines of an outline, each below what it belongs to. */
function lines({ title, subtitle, href, items }) {
  const below = items.map((item) => make("li", {}, ...lines(item)));
  const head = title && (href ? link(href, title) : items.length ? make("strong", {}, title) : title);
  return [
    head ? make("p", {}, head) : null, subtitle ? make("p", {}, ...withLinks(subtitle)) : null,
    below.length ? make("ul", {}, ...below) : null,
  ].filter((line) => line !== null);
}

/** A content that cannot be operated here is told as text; one that says nothing is told to be such. */
function inWords(part, message, { say, lang }) {
  const told = outline(part, lang);
  if (!told) return message.text ? [] : [make("p", { className: "note" }, say("cannotShow"))];
  const hint = told.asks ? [make("p", { className: "note" }, say("inWriting"))] : [];
  return [make("div", { className: "bubble outline", dir: "auto" }, ...lines(told)), ...hint];
}

// How each kind of content is drawn; kinds not listed are told in words rather than dropped.
const CONTENT = {
  Attachment: (part, hands) => [attachment(part.attachment ?? {}, hands)],
  Card: (part, hands) => [make("div", { className: "cards" }, card(part.card ?? {}, hands))],
  Carousel: ({ carousel }, hands) => {
    const cards = (carousel?.cards ?? []).map((each) => card(each, hands));
    return [make("div", { className: "cards", tabIndex: 0 }, ...cards)];
  },
  ButtonResponse: () => [],
  QuickReply: () => [],
};

function contents(message, hands) {
  const draw = (part) => CONTENT[part.contentType]?.(part, hands) ?? inWords(part, message, hands);
  const parts = message.content.flatMap(draw);
  const replies = message.content.filter(({ contentType }) => contentType === "QuickReply");
  if (replies.length === 0) return parts;
  const reply = ({ quickReply }) => choice({ ...quickReply, type: "Postback", kind: "QuickReply" }, hands);
  const buttons = replies.map(reply);
  return [...parts, make("div", { className: "choices" }, ...buttons)];
}

function stateLine(message, { say, retry }) {
  const word = message.reason === "message.unconfirmed" ? "unconfirmed" : message.state;
  const line = make("div", { className: "state", "aria-live": "off" }, say(word));
  const again = { type: "button", className: "link", onclick: () => retry(message.id) };
  if (message.state === "failed") line.append(make("button", again, say("tryAgain")));
  return line;
}

/** The element of a message. `hands`: `say`, `lang`, `clock(time)`, `choose(reply)`, `retry(id)`, `address(id)`. */
export function bubble(message, hands) {
  const name = message.name || hands.say(message.from === "Bot" ? "bot" : "agent");
  const theirs = message.time ? `${name} · ${hands.clock(message.time)}` : name;
  const by = message.mine ? hands.say("you") : theirs;
  return make("div", { className: message.mine ? "message mine" : "message" },
    make("span", { className: message.mine ? "unseen" : "by", dir: "auto" }, by),
    message.text ? make("p", { className: "bubble", dir: "auto" }, ...withLinks(message.text)) : null,
    ...contents(message, hands));
}

/** Bring an element up to date in place, so that readers do not hear the message again. `at`: `last`, `follows`. */
export function refresh(element, message, hands, { last, follows }) {
  element.classList.toggle("follows", follows);
  if (!last) for (const button of element.querySelectorAll("button.reply")) button.disabled = true;
  const shown = message.mine && (message.state !== "sent" || last);
  const now = shown ? message.state + message.reason : "";
  if (element.dataset.state === now) return;
  element.dataset.state = now;
  element.querySelector(".state")?.remove();
  if (shown) element.append(stateLine(message, hands));
}
