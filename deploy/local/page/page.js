// What the page tells beyond its text: how the services are, what the communities come to, and a line to try.
// Every word stands in the page itself, in its language; numbers come from /status/… and the public API.
"use strict";

const SERVICES = ["member", "content", "engagement", "feedback", "projection"];
const LANGUAGE = document.documentElement.lang;
const WORDS = document.body.dataset;
const number = new Intl.NumberFormat(LANGUAGE);
const points = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const moment = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
const month = new Intl.DateTimeFormat(LANGUAGE, { month: "narrow", timeZone: "UTC" });
const byId = (id) => document.getElementById(id);
let token = null;

async function answer(path, headers = {}) {
  const got = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(4000) });
  if (!got.ok) throw new Error(`${path}: ${got.status}`);
  return got.json();
}

const api = (path) => answer(`/v1/communities${path}`, { Authorization: `Bearer ${token.access_token}` });

function element(name, text, ...classes) {
  const made = document.createElement(name);
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

function row(head, ...cells) {
  const made = document.createElement("tr");
  const first = element("th", head);
  first.scope = "row";
  made.append(first, ...cells);
  return made;
}

const figure = (value) => element("td", value === null ? "–" : number.format(value), "number");
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

// ---- how it is ----

async function refreshServices() {
  const asked = await Promise.allSettled(SERVICES.map((name) => answer(`/status/${name}`)));
  const found = asked.map((one) => (one.status === "fulfilled" ? one.value : null));
  let behind = 0;
  const rows = SERVICES.map((name, index) => {
    const own = found[index];
    const written = own && own.log.length ? sum(own.log) : null;
    const relayed = own && own.log.length ? sum(own.relayed) : null;
    // As `guildhall status` counts: what the slowest view has that reads this log, wherever it is.
    const taken = found.flatMap((one) => (one ? Object.values(one.views) : []))
      .filter((sources) => name in sources).map((sources) => sum(sources[name]));
    const projected = written === null || !found.every(Boolean) ? null : Math.min(...taken);
    const lag = projected === null ? null : Math.max(0, written - Math.min(relayed, projected));
    behind += lag ?? 0;
    const state = !own ? ["silent", "bad"] : own.degraded.length ? ["limping", "warn"] : ["ready", "good"];
    const cell = element("td", WORDS[state[0]], "state", state[1]);
    if (own) cell.title = own.degraded.join("\n");
    return row(name, cell, figure(lag), figure(written), figure(relayed), figure(projected));
  });
  byId("services").replaceChildren(...rows);
  const up = found.filter(Boolean).length;
  const whole = up < SERVICES.length ? WORDS.missing.replace("{n}", number.format(SERVICES.length - up))
    : behind ? WORDS.behind.replace("{n}", number.format(behind)) : WORDS.well;
  if (byId("state").textContent !== whole) byId("state").textContent = whole; // a reader of screens hears changes only
}

// ---- what the communities come to ----

async function refreshCommunities() {
  const { items } = await api("?limit=20");
  const last = await Promise.all(items.map(async ({ slug }) => {
    const threads = await api(`/${slug}/threads?limit=1`).catch(() => ({ items: [] }));
    return threads.items.length ? new Date(threads.items[0].active_at) : null;
  }));
  const rows = items.map((one, index) => row(one.name,
    element("td", one.slug, "mono"), figure(one.members), element("td", last[index] ? moment.format(last[index]) : "–")));
  byId("communities").replaceChildren(...rows);
  byId("none").hidden = items.length > 0;
  byId("list").hidden = items.length === 0;
  const largest = items.map((one, index) => ({ ...one, last: last[index] })).filter((one) => one.last)
    .sort((one, two) => two.members - one.members)[0];
  if (largest) await refreshNumbers(largest);
}

function counted(events) {  // null: nobody says just now how far a log is
  return events === null ? "?" : number.format(events);
}

async function refreshNumbers({ slug, name, last }) {
  const day = last.toISOString().slice(0, 10);
  const first = new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth() - 11, 1)).toISOString().slice(0, 10);
  const [activity, influence] = await Promise.all([
    api(`/${slug}/metrics/activity?from=${first}&to=${day}&step=month`),
    api(`/${slug}/metrics/influence?as_of=${day}&limit=5`),
  ]);
  byId("whose").textContent = name;
  byId("until").textContent = WORDS.until.replace("{day}", day)
    .replace("{lag}", counted(influence.freshness.lag_events));
  byId("influence").replaceChildren(...influence.items.map((one) => row(one.member_id.slice(0, 8),
    element("td", points.format(one.score), "number"), figure(one.reach),
    element("td", points.format(one.resonance), "number"), element("td", points.format(one.authority), "number"))));
  for (const cell of byId("influence").querySelectorAll("th")) cell.classList.add("mono");
  draw(activity.items);
  byId("numbers").hidden = false;
  path = `/v1/communities/${slug}/metrics/influence?as_of=${day}&limit=3`;
  tell();
}

function draw(items) {
  const svg = byId("activity");
  const top = Math.max(1, ...items.map((one) => one.active.month));
  const drawn = (name, given, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  svg.replaceChildren(...items.flatMap((one, index) => {
    const height = (80 * one.active.month) / top;
    const centre = index * 30 + 15;
    return [
      drawn("rect", { x: index * 30 + 4, y: 98 - height, width: 22, height: Math.max(height, 1), rx: 2 }, ""),
      drawn("text", { x: centre, y: 93 - height }, number.format(one.active.month)),
      drawn("text", { x: centre, y: 114 }, month.format(new Date(one.day))),
    ];
  }));
  const said = items.map((one) => `${one.day.slice(0, 7)}: ${number.format(one.active.month)}`).join("; ");
  svg.setAttribute("aria-label", `${WORDS.active} ${said}`);
}

// ---- a line to try ----

let path = "/v1/communities";

function tell() {
  const ends = new Date(token.expires_at * 1000);
  byId("line").textContent =
    `TOKEN='${token.access_token}'\ncurl -s -H "Authorization: Bearer $TOKEN" \\\n  '${location.origin}${path}'`;
  byId("ends").textContent = WORDS.ends.replace("{time}", moment.format(ends));
}

async function refreshToken() {
  if (token && token.expires_at * 1000 - Date.now() > 240_000) return;
  token = await answer("/try/token");
  tell();
}

byId("copy").hidden = false;
byId("copy").addEventListener("click", async () => {
  const copied = await navigator.clipboard.writeText(byId("line").textContent).then(() => true, () => false);
  byId("copied").textContent = copied ? WORDS.copied : WORDS.select;
  if (!copied) getSelection().selectAllChildren(byId("line"));
});

// ---- again and again, while somebody looks ----

async function every(seconds, ...steps) {
  for (;;) {
    if (!document.hidden) {
      for (const step of steps) await step().catch((problem) => console.info(problem.message));
    }
    await new Promise((done) => setTimeout(done, seconds * 1000));
  }
}

if (byId("services")) {
  every(3, refreshServices);
  every(20, refreshToken, async () => token && refreshCommunities());
}
