// The console's page: draws what the events tell, as text only, and looks up one request. It changes nothing.
// No library and no build; the content security policy forbids inline script, inline style and HTML from strings.
"use strict";

const OUTCOMES = ["ok", "client_error", "upstream_error", "gateway_error"];
const WORDS = { ok: "answered", client_error: "4xx", upstream_error: "5xx by Genesys", gateway_error: "5xx by the gateway" };
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (className) made.className = className;
  return made;
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} d`;
}

const since = (now, moment) => (moment ? `${duration(now - moment)} ago` : "not yet");
const bytes = (count) => (count ? `${(count / 2 ** 30).toFixed(1)} GiB` : "–");
const counts = (values) => Object.entries(values).map(([name, count]) => `${WORDS[name] ?? name}: ${count}`).join(", ");

// A cell is text, or [text, class].
function table(headings, rows, none) {
  if (!rows.length) return element("p", none, "soft");
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const heading of headings) {
    const cell = element("th", heading);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const cell of row) {
      const [text, className] = Array.isArray(cell) ? cell : [cell];
      line.append(element("td", text ?? "–", className));
    }
  }
  return made;
}

const show = (id, ...children) => at(id).replaceChildren(...children);

function nodes(states) {
  const rows = states.map((one) => [
    one.node + (one.worker === undefined ? "" : ` / ${one.worker}`), one.version, duration(one.now - one.since),
    one.draining ? ["draining", "bad"] : ["serving", "good"], [one.config, "code"], one.sessions,
  ]);
  return table(["node", "version", "up", "state", "configuration", "sessions known"], rows, "No process answers.");
}

function traffic(states) {
  const minutes = states[0].traffic.map((first, index) =>
    Object.fromEntries(OUTCOMES.map((name) => [name, sum(states.map((one) => one.traffic[index][name]))])));
  const most = Math.max(1, ...minutes.map((minute) => sum(Object.values(minute))));
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("viewBox", `0 0 ${minutes.length * 10} 90`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  const all = Object.fromEntries(OUTCOMES.map((name) => [name, sum(minutes.map((minute) => minute[name]))]));
  chart.setAttribute("aria-label", `Requests of the last hour: ${counts(all)}`);
  minutes.forEach((minute, index) => {
    let top = 90;
    for (const name of OUTCOMES) {
      const height = (minute[name] / most) * 86;
      if (!height) continue;
      top -= height;
      const bar = document.createElementNS(SVG, "rect");
      for (const [key, value] of Object.entries({ x: index * 10 + 1, y: top, width: 8, height })) bar.setAttribute(key, value);
      bar.setAttribute("class", name);
      chart.append(bar);
    }
  });
  return [chart, element("p", `${sum(Object.values(all))} requests; ${counts(all)}; at most ${most} a minute.`, "soft")];
}

function refused(states) {
  const totals = {};
  for (const one of states) for (const [code, count] of Object.entries(one.refused)) totals[code] = (totals[code] ?? 0) + count;
  const rows = Object.entries(totals).sort((a, b) => b[1] - a[1]).map(([code, count]) => [[code, "code"], count]);
  return table(["reason", "count"], rows, "None.");
}

function audit(states) {
  const rows = states.map(({ now, audit: log }) => [
    [log.writer, "code"], log.fault ? [log.fault, "bad"] : ["written", "good"], since(now, log.durable_at),
    since(now, log.checkpoint_at), since(now, log.verified_at), `${log.queue} of ${log.capacity}`, bytes(log.disk_free_bytes),
    [counts({ ...log.dropped, ...log.findings, ...log.place_failures }) || "none", counts({ ...log.dropped, ...log.findings }) ? "bad" : ""],
  ]);
  return table(["writer", "state", "last write", "last checkpoint", "last verified", "queue", "disk free", "faults"], rows, "–");
}

function tokens(states) {
  const rows = states.flatMap((one) => one.tokens).map((token) => [
    token.org, token.client, token.region, [token.failure ? `${token.state}: ${token.failure}` : token.state, token.expires_in_s === null ? "bad" : "good"],
    token.expires_in_s === null ? "no token" : duration(token.expires_in_s), [token.fingerprint, "code"],
    token.previous_secret ? ["previous secret", "bad"] : "current secret", token.permissions.join(", "),
  ]);
  return table(["org", "client", "region", "state", "ends in", "fingerprint", "got with", "permissions"], rows, "No OAuth clients are configured.");
}

function upstreams(states) {
  const rows = states.flatMap((one) => one.upstreams).map((one) => [
    one.upstream, one.region, one.breaker_open ? ["held back", "bad"] : ["open", "good"], one.answers, one.server_errors,
    one.throttled, one.unanswered, one.connections,
  ]);
  return table(["upstream", "region", "way", "answers", "5xx", "429", "no answer", "connections"], rows, "Genesys was not asked yet.");
}

function sockets(states) {
  const totals = {};
  for (const one of states) for (const [site, count] of Object.entries(one.sockets.by_site)) totals[site] = (totals[site] ?? 0) + count;
  return table(["site", "open"], Object.entries(totals), "No socket is open.");
}

const REFUSAL_HEADINGS = ["time", "reason", "status", "site", "route", "request id", "what it means", "what to do"];
const refusal = (one) => [
  one.at?.slice(11, 19), [one.code, "code"], one.status, one.site, one.route, [one.request_id, "code"], one.means, one.remedy,
];

function refusals(states) {
  const rows = states.flatMap((one) => one.refusals).sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, 50).map(refusal);
  return table(REFUSAL_HEADINGS, rows, "None.");
}

function draw(states) {
  if (!states.length) return;
  show("nodes", nodes(states));
  show("traffic", ...traffic(states));
  show("refused", refused(states));
  show("audit", audit(states));
  show("tokens", tokens(states));
  show("upstreams", upstreams(states));
  show("sockets", sockets(states));
  show("refusals", refusals(states));
}

async function find(id) {
  const answer = await fetch(`/console/request?id=${encodeURIComponent(id)}`);
  if (!answer.ok) return show("found", element("p", await answer.text(), "bad"));
  const records = await answer.json();
  const rows = records.map((one) => [
    one["@timestamp"].slice(0, 19).replace("T", " "), [one["event.action"], "code"], one["event.outcome"], [one.code, "code"],
    one["http.response.status_code"], one["gateway.route"], one.means, one.remedy,
  ]);
  show("found", table(["time", "record", "outcome", "reason", "status", "route", "what it means", "what to do"], rows,
    `Not among the newest records. Search all with: gateway audit query --request ${id}`));
}

at("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = at("request-id").value.trim();
  if (id) find(id);
});
at("search").addEventListener("reset", () => show("found"));

const events = new EventSource("/console/events");
events.addEventListener("state", (event) => {
  draw(JSON.parse(event.data));
  at("live").textContent = `Live, ${new Date().toLocaleTimeString()}`;
  at("live").className = "good";
});
events.addEventListener("error", () => {
  at("live").textContent = "Not connected; trying again …";
  at("live").className = "bad";
});
