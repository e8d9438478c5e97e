/**
 * Zendesk's old names at work: each call that widget.js took goes by zendesk-table.js to an action of shim-actions.js.
 * The stubs stay on the page for good; only what stands behind them changes, so that kept references go on working.
 * Rule kept: nothing thrown here reaches the page, and a call that is not known is told once and counted.
 */

const PARTS = {} /* parts */; // of every module imported below, at any depth: address and digest
const REPORT_AFTER_MS = 5_000;
const MOST_REPORTED = 40;
const LONGEST_NAME = 48;

/** Rows by call; those that end with `*` by their beginning, the longest first. */
function index(rows) {
  const exact = new Map(rows.filter(([id]) => !id.endsWith("*")).map((row) => [row[0], row]));
  const wide = rows.filter(([id]) => id.endsWith("*")).sort((a, b) => b[0].length - a[0].length);
  return (id) => exact.get(id) ?? wide.find(([start]) => id.startsWith(start.slice(0, -1)));
}

/** Which row a call of a stub means, and with which arguments. */
function read(path, args) {
  if (path !== "zE" && path !== "$zopim") return [path.replace(/^zE\./, "zE ").replace(/^genesyscloud\./, "genesyscloud "), args];
  const [group, name, ...rest] = args;
  if (typeof group === "function") return [`${path} (function)`, [group]];
  if (group && typeof group === "object") return [`${path} {locale}`, [group]];
  return [[group, name].filter((word) => word != null).join(" ") || `${path} ()`, rest];
}

/** What the page uses, told to the gateway once per page view and call, a few names in one beacon. */
function reporter(beacon) {
  const [told, calls, unknown] = [new Set(), [], []];
  let timer = 0;
  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    const batch = { calls: calls.splice(0, MOST_REPORTED), unknown: unknown.splice(0, MOST_REPORTED) };
    if (batch.calls.length || batch.unknown.length) beacon({ kind: "legacy", ...batch });
  };
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") flush(); });
  window.addEventListener("pagehide", flush);
  return (list, id) => {
    if (told.has(list + id)) return false;
    told.add(list + id);
    (list === "calls" ? calls : unknown).push(id);
    timer ||= setTimeout(flush, REPORT_AFTER_MS);
    return true;
  };
}

/** Take over what was called so far, and everything from now on. Resolves to what was asked of the chat to come. */
export async function start(tools) {
  const { old, preload, beacon, fail, lost } = tools;
  preload(PARTS);
  const parts = Promise.all([import("./zendesk-table.js"), import("./shim-actions.js")]);
  const [{ ROWS }, { makeActions }] = await parts.catch(() => { throw lost("a part of the old calls"); });
  const find = index(ROWS);
  const report = reporter(beacon);
  const before = {};
  const at = { id: "", row: null };

  function act(id, args) {
    const row = find(id);
    if (!row) {
      const name = String(id).replace(/[^\w:.$ ()-]/g, "?").slice(0, LONGEST_NAME);
      if (report("unknown", name)) console.debug(`gateway: zendesk.unknown_call: ${name} means nothing here; it did nothing.`);
      return / ?\w+:on /.test(`${id} `) ? () => {} : undefined;
    }
    report("calls", row[0]);
    Object.assign(at, { id, row });
    try {
      return actions[row[1]](...args);
    } catch (fault) {
      // Zendesk's own shim did the same: the fault of one call is told, and does not stop the others.
      fail({ code: "zendesk.call_failed", detail: `${id}: ${fault?.message ?? fault}` });
      return undefined;
    }
  }

  const actions = makeActions({ ...tools, before, at, act });
  old.take = (path, args) => act(...read(path, args));
  actions.readSettings(window.zESettings);
  for (const call of old.calls.splice(0)) {
    if (call.stopped) continue;
    call.stop = old.take(call.path, call.args);
  }
  adoptOlder(old.take);
  return { before };
}

/** Queues of stubs older than ours: Zopim's inline snippet, and the first asynchronous one of the Web Widget. */
function adoptOlder(take) {
  const zopim = window.$zopim;
  const queues = [[zopim?._, "$zopim", false], [zopim?.set?._, "livechat.set", false], [document.zEQueue, "zE", true]];
  for (const [queue, path, spread] of queues) {
    if (!Array.isArray(queue)) continue;
    const run = (given) => take(path, spread ? [...given] : [given]);
    queue.splice(0).forEach(run);
    queue.push = (...given) => { given.forEach(run); return 0; };
  }
}
