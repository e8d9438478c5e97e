/**
 * What old calls let ride along with messages: tags, ticket fields, claims, the page, the department. All of it is a
 * page's word: attributes named zd_..., and those to which the site's configuration maps ticket fields.
 * Rule kept: strings only, no token ever, and never more than Genesys takes with a message.
 */

const MOST_BYTES = 1900; // of Genesys' 2048; the gateway's own attributes need the rest
const TOKEN = /eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g; // a complete JWT stands as a field's value on one public demo page
const FIELD = /^zen:ticket_field:(.+)$/;

const size = (all) => new TextEncoder().encode(Object.entries(all).flat().join("")).length;
const pathOnly = (url) => { try { const { origin, pathname } = new URL(url, location.href); return origin + pathname; } catch { return null; } };

export class Attributes {
  #all = {};
  #tags = new Set();
  #rules; #changed; #fail; #debug;

  /** `rules` maps ids of ticket fields and names of departments; `changed(attributes)` hears what is to ride along. */
  constructor({ rules, changed, fail, debug }) {
    this.#rules = rules;
    this.#changed = changed;
    this.#fail = fail;
    this.#debug = debug;
  }

  /** Set some; null, undefined and "" take away. What would be too much is left out, and said. */
  set(given) {
    const entries = Object.entries(given).map(([name, value]) => [name, this.#clean(value)]);
    const next = { ...this.#all, ...Object.fromEntries(entries) };
    for (const [name, value] of entries) if (value === null) delete next[name];
    if (size(next) > MOST_BYTES) {
      this.#fail({ code: "context.too_large", detail: `${Object.keys(given)}: left out, over ${MOST_BYTES} bytes.` });
      return;
    }
    this.#all = next;
    void this.#changed(Object.fromEntries(entries));
  }

  #clean(value) {
    if (value === null || value === undefined || value === "" || typeof value === "function") return null;
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    const clean = text.replace(TOKEN, "[redacted]");
    if (clean !== text) this.#fail({ code: "zendesk.token_redacted", detail: "A token was given as a field's value." });
    return clean;
  }

  /** [{id, value}] by the site's map of ticket fields; an id that it does not name is dropped and told. */
  fields(list) {
    const known = {};
    for (const { id, value } of list) {
      const name = Object.hasOwn(this.#rules.fields, id) ? this.#rules.fields[id] : undefined;
      if (name) known[name] = value;
      else this.#fail({ code: "zendesk.unknown_field", detail: `[sites.X.zendesk] fields does not name ${String(id).slice(0, 40)}.` });
    }
    if (Object.keys(known).length) this.set(known);
  }

  /** The metadata of newConversation: tags and ticket fields under Zendesk's own keys. */
  metadata(given) {
    const list = [];
    for (const [key, value] of Object.entries(given)) {
      const field = FIELD.exec(key);
      if (field) list.push({ id: field[1], value });
      else if (key === "zen:ticket:tags") this.addTags(String(value).split(","));
      else this.#debug("dropped", { key });
    }
    this.fields(list);
  }

  tags(words) { this.#tags = new Set(); this.addTags(words); }
  addTags(words) { for (const word of words) if (word.trim()) this.#tags.add(word.trim()); this.#keepTags(); }
  removeTags(words) { for (const word of words) this.#tags.delete(word.trim()); this.#keepTags(); }
  #keepTags() { this.set({ zd_tags: [...this.#tags].join(",") }); }

  /** Who the page says the visitor is: never more than a claim. */
  claim(given) {
    const named = Object.entries(given).filter(([, value]) => value !== undefined);
    if (named.length) this.set(Object.fromEntries(named.map(([name, value]) => [`zd_claimed_${name}`, value])));
  }

  /** The page that the visitor sees; what follows `?` may hold anything, and stays here. */
  path(given) {
    const url = typeof given === "string" ? given : given?.url;
    this.set({ zd_page_url: pathOnly(url ?? location.href), zd_page_title: given?.title ?? document.title });
  }

  department(asked) {
    const known = Object.entries(this.#rules.departments);
    const found = known.find(([name], id) => name === asked || id === asked);
    if (found) this.set({ zd_department: found[1] });
    else this.#fail({ code: "zendesk.unknown_department", detail: `[sites.X.zendesk] departments does not name it.` });
  }

  /** Take all of it away. */
  clear() {
    this.#tags.clear();
    const none = Object.fromEntries(Object.keys(this.#all).map((name) => [name, null]));
    this.#all = {};
    void this.#changed(none);
  }
}
