// The page's one entry: routes, the connection's state, the server's status, and who is shown.

import { ask } from "./answers.js";
import { exact } from "./decimal.js";
import { el, memory, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { narrow, Overview, SORTS } from "./overview.js";
import { Search } from "./search.js";
import { momentText, spanText } from "./span.js";
import { slim, TokenView } from "./token.js";

const STATUS_MS = 5_000;
const NOT_READY_MS = 1_000;
const BEHIND_MS = 10_000;
const FROZEN_MS = 15_000;
const CLOCK_MS = 500;
const DOWN_TOLD_MS = 800;

const byId = (id) => document.getElementById(id);
const place = new URL("ws?numbers=string", document.baseURI);
place.protocol = place.protocol === "https:" ? "wss:" : "ws:";

const server = { status: null, problem: null, rate: null };
const moment = { asOf: 0, lagMs: 0, heardAt: 0, movedAt: 0 };
let statusTimer = 0;
let overviewHash = "#/";
let downAt = 0;

const feed = new Feed(place, {
  onState: (state) => {
    if (state.name === "waiting") scheduleStatus(0);
    connection();
  },
  onMoment: (asOf, lagMs) => {
    const now = performance.now();
    if (asOf !== moment.asOf) moment.movedAt = now;
    Object.assign(moment, { asOf, lagMs, heardAt: now });
    tokenView.moment(asOf);
  },
});
const overview = new Overview(byId("overview"), feed, (choice) => {
  overviewHash = hashOf(choice);
  history.replaceState(null, "", overviewHash);
  route();
});
const tokenView = new TokenView(byId("token"), feed);
new Search();

function hashOf({ window, sort, order }) {
  return `#/?${new URLSearchParams({ window, sort, order })}`;
}

/** Read the overview's choice from the address; what is missing or odd falls back. */
function choiceOf(text, windows) {
  const asked = new URLSearchParams(text);
  const sort = SORTS.has(asked.get("sort")) ? asked.get("sort") : "vol_usd";
  const order = asked.get("order") === "asc" ? "asc" : "desc";
  const window = windows.includes(asked.get("window")) ? asked.get("window") : windows[0];
  return { window, sort, order };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  if (!server.status || /^#(?!\/)./.test(location.hash)) return;
  const { windows, step_ms: stepMs } = server.status;
  const id = /^#\/token\/(.+)$/s.exec(location.hash)?.[1];
  if (id) {
    overview.hide();
    tokenView.show(decoded(id), windows, stepMs, overviewHash);
    return;
  }
  const coming = !byId("token").hidden;
  tokenView.hide();
  document.title = "swapstats";
  if (/^#\/\?/.test(location.hash)) overviewHash = location.hash;
  overview.show(choiceOf(/^#\/\?(.*)$/s.exec(overviewHash)?.[1] ?? "", windows), windows);
  if (coming) byId("main").focus({ preventScroll: true });
}

function scheduleStatus(wait) {
  clearTimeout(statusTimer);
  statusTimer = setTimeout(loadStatus, wait);
}

async function loadStatus() {
  clearTimeout(statusTimer);
  let wait = STATUS_MS;
  try {
    const status = await ask("status");
    speed(status);
    const first = server.status === null;
    const changed = first || server.status.windows.join() !== status.windows.join();
    const wasOut = server.problem !== null;
    Object.assign(server, { status, problem: null });
    if (first) feed.start();
    else if (wasOut && feed.state.name === "waiting") feed.start();
    if (changed) route();
    overview.known(status.tokens);
  } catch (error) {
    server.problem = error.problem ?? { status: 0, title: String(error) };
    if (error.status === 503 || !server.status) wait = error.retryAfterMs || NOT_READY_MS;
    server.rate = null;
  }
  statusTimer = setTimeout(loadStatus, wait);
  facts();
  connection();
}

/** Messages a second, from two status answers. */
function speed(status) {
  const before = server.status;
  const count = status.counters?.ingested;
  const now = performance.now();
  const lasted = now - (server.countedAt ?? now);
  const more = count - (before?.counters?.ingested ?? NaN);
  server.rate = before && lasted > 500 && more >= 0 ? Math.round((more * 1_000) / lasted) : null;
  server.countedAt = now;
}

/** What the connection comes to, for people. */
function verdict() {
  const now = performance.now();
  const { name, retryAt } = feed.state;
  if (server.problem?.progress !== undefined) return { name: "restoring", text: "Restoring" };
  if (name === "waiting") {
    const wait = Math.ceil((retryAt - now) / 1_000);
    return { name: "down", text: wait > 1 ? `Reconnecting in ${wait} s` : "Reconnecting" };
  }
  if (name === "connecting") {
    const again = feed.state.attempt > 0 || server.problem;
    return { name: again ? "down" : "connecting", text: again ? "Reconnecting" : "Connecting" };
  }
  if (name === "stale") return { name: "stale", text: "Stale", why: "The server is silent" };
  if (moment.heardAt && moment.lagMs > BEHIND_MS) {
    return { name: "stale", text: "Catching up", why: `${spanText(moment.lagMs)} of records unread` };
  }
  const frozen = feed.heartbeatMs * 1.5 + FROZEN_MS;
  if (moment.heardAt && now - moment.movedAt > frozen && now - moment.heardAt < frozen) {
    const ended = server.status?.source?.state === "done";
    if (ended) return { name: "ended", text: "Ended", why: "The source came to its end" };
    return { name: "stale", text: "Stale", why: "The server's time stands still" };
  }
  return { name: "live", text: "Live" };
}

const SPOKEN = {
  live: "Live", stale: "Data is stale", down: "Connection lost, reconnecting",
  restoring: "The server restores its state", connecting: "Connecting", ended: "The source ended",
};

function connection() {
  const found = verdict();
  const root = document.documentElement;
  setText(byId("connection-text"), found.text);
  byId("connection").title = found.why ?? "";
  const ageMs = performance.now() - moment.heardAt + moment.lagMs;
  setText(byId("connection-age"), moment.heardAt ? `${spanText(ageMs)} old` : "");
  if (root.dataset.connection !== found.name) {
    root.dataset.connection = found.name;
    downAt = performance.now();
    setText(byId("announce"), SPOKEN[found.name]);
  }
  const time = byId("fact-time");
  if (time && moment.heardAt) setText(time, momentText(moment.asOf));
  notices(found);
  panel(found);
}

function fact(name, value, id) {
  return el("div", { class: id && "moment" }, el("dt", {}, name), el("dd", { id, title: value }, value));
}

function facts() {
  const { status, rate } = server;
  if (!status) return;
  const { name, state, detail } = status.source ?? { name: "none", state: "" };
  const place = byId("facts");
  place.hidden = false;
  place.replaceChildren(
    el("div", { class: "source" }, el("dt", {}, "Source"),
      el("dd", { title: detail ?? "" }, el("b", {}, name), ` ${state}`,
        detail ? el("span", { class: "detail" }, ` – ${detail}`) : "")),
    fact("Tokens", exact(status.tokens)),
    fact("Swaps", rate === null ? "–" : `${exact(rate)} / s`),
    fact("Lag", status.lag_ms >= 1 ? spanText(status.lag_ms) : "none"),
    fact("Time", momentText(moment.heardAt ? moment.asOf : status.as_of), "fact-time"),
  );
  setText(byId("version"), `swapstats ${status.version}`);
  const read = status.partitions.reduce((sum, each) => sum + each.offset, 0);
  const count = status.partitions.length;
  setText(byId("positions"),
    `${exact(read)} records read, ${count} partition${count === 1 ? "" : "s"}`);
  byId("positions").title = status.partitions
    .map((each) => `${each.partition}: ${exact(each.offset)} of ${exact(each.end_offset)}`)
    .join("\n");
}

let noticed = "";

function notices(found) {
  const list = (server.status?.warnings ?? []).map((text) => ({ kind: "warning", text }));
  if (server.status?.ready === false && !server.problem) {
    list.push({ kind: "warning", text: server.status.reason ?? "The server is not ready" });
  }
  if (feed.outdated) {
    list.push({ kind: "warning", text: "The server speaks a newer protocol: reload this page" });
  }
  if (found.name === "down" && performance.now() - downAt > DOWN_TOLD_MS && moment.heardAt) {
    list.unshift({ kind: "down", retry: true, text:
      `Connection lost. The numbers are those of ${momentText(moment.asOf)}.` });
  }
  if (found.why) list.unshift({ kind: "warning", text: `${found.why}.` });
  const key = JSON.stringify(list);
  if (key === noticed) return;
  noticed = key;
  byId("notices").replaceChildren(...list.map(({ kind, text, retry }) =>
    el("p", { class: `notice ${kind}` }, el("span", {}, text), retry ? retryButton() : "")));
}

function retryButton() {
  return el("button", { type: "button", click: retry }, "Retry now");
}

function retry() {
  if (server.status) feed.start();
  scheduleStatus(0);
}

/** The panel in place of the views: restoring, or nothing reached yet. */
function panel(found) {
  const node = byId("panel");
  const restoring = found.name === "restoring";
  const lost = !server.status && server.problem && !restoring;
  node.hidden = !restoring && !lost;
  byId("main").classList.toggle("covered", !node.hidden);
  if (node.hidden) {
    node.dataset.shown = "";
    return;
  }
  const { progress, detail, title } = server.problem;
  const shown = restoring ? `restoring ${progress} ${detail}` : "lost";
  if (node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  if (!restoring) {
    node.replaceChildren(
      el("h2", {}, "No connection to the server"),
      el("p", {}, "It may be starting or stopped. This page tries again every second."),
      retryButton(),
    );
    return;
  }
  const bar = el("progress", { max: "1", "aria-label": "Restored" });
  if (typeof progress === "number") bar.value = progress;
  const percent = typeof progress === "number" ? ` ${Math.floor(progress * 100)} %` : "";
  node.replaceChildren(
    el("h2", {}, `Restoring the state${percent}`), bar,
    el("p", {}, detail || title || "The numbers appear when they are whole."),
  );
}

const THEMES = ["auto", "light", "dark"];

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const button = byId("theme");
  setText(button, { auto: "◐", light: "☀", dark: "☾" }[name]);
  button.setAttribute("aria-label", `Theme: ${name}. Change`);
  button.title = `Theme: ${name}`;
}

byId("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  memory.set("theme", next === "auto" ? null : next);
  theme(next);
});
theme(document.documentElement.dataset.theme ?? "auto");
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", route);
addEventListener("online", retry);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && feed.state.name === "waiting") retry();
});
narrow.addEventListener("change", () => overview.restyle());
slim.addEventListener("change", () => tokenView.restyle());
setInterval(connection, CLOCK_MS);
loadStatus();
