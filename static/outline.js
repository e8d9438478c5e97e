/**
 * What a content says that the panel cannot operate: pickers, forms, places, rich links, as an outline of plain text.
 * Data in, data out; bubbles.js draws it. The visitor answers with a message: how Genesys wants a pick of this API
 * answered is not documented, and an answer of our own making might be taken for another one.
 * Rule kept: whatever is missing or malformed leaves a part out, and nothing else.
 */

const list = (given) => (Array.isArray(given) ? given : []).filter((one) => one !== null && typeof one === "object");
const plain = (text) => (typeof text === "string" ? text.trim() : "");

function dated(iso, lang, shape) {
  const date = new Date(plain(iso) || Number.NaN);
  return Number.isNaN(date.getTime()) ? "" : new Intl.DateTimeFormat(lang, shape).format(date);
}

function datePicker({ title, subtitle, availableTimes, dateMinimum, dateMaximum }, lang) {
  const times = list(availableTimes).map(({ dateTime }) => dated(dateTime, lang, { dateStyle: "full", timeStyle: "short" }));
  // Days, given as the midnight that begins them: in the visitor's own zone that may be the evening before.
  const ends = [dateMinimum, dateMaximum].map((end) => dated(end, lang, { dateStyle: "long", timeZone: "UTC" }));
  const range = ends.some(Boolean) && times.length === 0 ? ends.map((end) => end || "…").join(" – ") : "";
  return { title, subtitle, items: [...times, range].filter(Boolean).map((text) => ({ title: text })) };
}

const choices = ({ title, items }) => ({ title, items: list(items).map(({ title: name, subtitle }) => ({ title: name, subtitle })) });
const listPicker = ({ receivedMessage, sections }) => ({ ...prompt(receivedMessage), items: list(sections).map(choices) });
const prompt = (given) => ({ title: given?.title, subtitle: given?.subtitle });

// The parts of a form's page, by their kind: the property that holds it, and how it is told.
const COMPONENTS = { DatePicker: ["datePicker", datePicker], ListPicker: ["listPicker", listPicker], WheelPicker: ["wheelPicker", choices],
  Input: ["input", ({ title, subtitle, placeholderText }) => ({ title: title ?? placeholderText, subtitle })] };

function component(part, lang) {
  const [property, tell] = COMPONENTS[part.formComponentType] ?? [];
  return property ? tell(part[property] ?? {}, lang) : {};
}

function form({ introduction, receivedMessage, formPages }, lang) {
  const page = ({ title, subtitle, pageComponents }) => ({
    title, subtitle, items: list(pageComponents).map((part) => component(part, lang)),
  });
  return { ...prompt(introduction ?? receivedMessage), items: list(formPages).map(page) };
}

// Each kind of content: the property that holds it, how it is told, and whether it asks for an answer.
// https://github.com/MyPureCloud/web-messaging-sdk-java (models Content...)
const KINDS = {
  DatePicker: ["datePicker", datePicker, true],
  ListPicker: ["listPicker", listPicker, true],
  Form: ["form", form, true],
  Location: ["location", ({ text, address, url }) => ({ title: text, subtitle: address, href: url })],
  RichLink: ["richLink", ({ text, urlLabel, url }) => ({ subtitle: text, title: urlLabel ?? url, href: url })],
  Text: ["text", ({ body }) => ({ subtitle: body })],
};

/** Only what can be read: words without blanks around, no part that is empty, no level without a word of its own. */
function tidy({ title, subtitle, href, items }) {
  const raised = (part) => (part.title || part.subtitle ? part : part.items);
  const below = list(items).map(tidy).filter((part) => part !== null).flatMap(raised);
  const all = { title: plain(title), subtitle: plain(subtitle), href: plain(href), items: below };
  return all.title || all.subtitle || below.length ? all : null;
}

/** `{title, subtitle, href, items, asks}` with items alike, or null: nothing of it can be read. */
export function outline(part, lang) {
  const [property, tell, asks = false] = KINDS[part.contentType] ?? [];
  const told = property ? tidy(tell(part[property] ?? {}, lang)) : null;
  return told && { ...told, asks };
}
