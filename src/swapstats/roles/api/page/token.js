// One token: all its windows side by side, how whole they are, and the last minutes as a plot.

import { ask, tokenPath } from "./answers.js";
import { compact, exact } from "./decimal.js";
import { el, flash, memory, setText } from "./dom.js";
import { FIELDS, hover, nameOf, Pressure, tokenHash, written } from "./fields.js";
import { Plot } from "./plot.js";
import { fillingText, momentText, spanOf, spanText } from "./span.js";

const SPAN = "15m";
const SERIES_MIN_MS = 1_000;
const UNKNOWN_RETRY_MS = 5_000;
const NO_SERIES = "urn:swapstats:problem:no-series";
const ABSENT = "No plot here: this server holds the sums of whole windows, not the single steps behind them.";

const ROWS = [
  ...FIELDS.slice(0, 3),
  { name: "balance", label: "Buy / sell" },
  ...FIELDS.slice(3),
];

/** Compact numbers where three windows stand on a phone. */
export const slim = matchMedia("(max-width: 759px)");

export class TokenView {
  #feed;
  #id = null;
  #data = null;
  #windows = [];
  #columns = new Map();
  #stepMs = 5_000;
  #seriesAt = -SERIES_MIN_MS;
  #seriesTimer = 0;
  #retryTimer = 0;
  #asking = null;
  #asOf = null;
  #seriesless = false;
  #exact = memory.get("digits") === "all";

  constructor(section, feed) {
    this.section = section;
    this.#feed = feed;
    this.#build();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#data) this.#refresh(0);
    });
  }

  #build() {
    this.name = el("h2", { tabindex: "-1" });
    this.key = el("code", { class: "key" });
    this.copy = el("button", { type: "button", class: "quiet", click: () => this.#copy() }, "Copy");
    this.facts = el("p", { class: "note place" });
    this.digits = el("input", { type: "checkbox", change: () => this.#allDigits() });
    this.digits.checked = this.#exact;
    this.table = el("table", { class: "windows" });
    this.filling = el("ul", { class: "filling" });
    this.message = el("div", { class: "panel", hidden: true });
    this.plot = new Plot();
    this.absent = el("p", { class: "note", hidden: true }, ABSENT);
    this.body = el(
      "div", { class: "token-body" },
      el(
        "section", { class: "card", "aria-label": "Windows" },
        el("header", {}, el("h3", {}, "Windows"),
          el("label", { class: "digits" }, this.digits, " All digits")),
        el("div", { class: "scroll" }, this.table),
        this.filling,
      ),
      this.plot.node, this.absent,
    );
    this.body.classList.toggle("exact", this.#exact);
    this.section.append(
      el(
        "header", { class: "token-head" },
        el("a", { class: "back", href: "#/" }, "← Overview"),
        el("div", { class: "title" }, this.name, el("p", {}, this.key, this.copy)),
        this.facts,
      ),
      this.message, this.body,
    );
  }

  /** Show a token by key or symbol. */
  show(id, windows, stepMs, back) {
    this.section.hidden = false;
    this.section.querySelector(".back").href = back;
    this.#stepMs = stepMs;
    const same = id === this.#id && windows.join() === this.#windows.join();
    if (same) return;
    this.hide();
    this.section.hidden = false;
    this.#id = id;
    this.#windows = windows;
    this.#columns = new Map();
    this.table.replaceChildren();
    this.filling.replaceChildren();
    setText(this.name, id);
    setText(this.key, "");
    setText(this.facts, "Loading");
    this.copy.hidden = true;
    this.message.hidden = true;
    this.body.hidden = true;
    this.#plotless(this.#seriesless);
    this.plot.show(null, spanOf(SPAN));
    this.#subscribe();
    this.name.focus({ preventScroll: true });
  }

  hide() {
    this.section.hidden = true;
    if (this.#id !== null) this.#feed.unsubscribe(`token:${this.#id}`);
    clearTimeout(this.#seriesTimer);
    clearTimeout(this.#retryTimer);
    this.#seriesTimer = 0;
    this.#asking?.abort();
    this.#asking = null;
    this.#id = null;
    this.#data = null;
  }

  /** The server's T moved on: windows fill and age even where nothing is traded. */
  moment(asOf) {
    this.#asOf = asOf;
    if (this.#data && !this.section.hidden) this.#ages();
  }

  restyle() {
    this.body.classList.toggle("exact", this.#exact);
    for (const column of this.#columns.values()) {
      for (const cell of column.cells) if (cell.value !== null) this.#write(cell);
    }
  }

  #subscribe() {
    const id = this.#id;
    this.#feed.subscribe(`token:${id}`, {
      data: (data, kind) => this.#id === id && this.#take(data, kind),
      problem: (problem) => this.#id === id && this.#refused(problem),
    });
  }

  #take(data, kind) {
    const first = this.#data === null;
    this.#data = data;
    this.message.hidden = true;
    this.body.hidden = false;
    setText(this.name, nameOf(data));
    setText(this.key, data.token);
    this.copy.hidden = false;
    document.title = `${nameOf(data)} · swapstats`;
    if (!this.#columns.size) this.#frame();
    const now = performance.now();
    for (const [name, column] of this.#columns) {
      const stats = data[`w${name}`];
      if (stats) this.#fill(column, stats, now, kind === "patch");
    }
    this.#ages();
    this.#refresh(first ? 0 : SERIES_MIN_MS);
  }

  #frame() {
    const head = el("tr", {}, el("th", { scope: "col" }, el("span", { class: "unseen" }, "Field")));
    const lines = ROWS.map((field) =>
      el("tr", { class: `line ${field.name}` },
        el("th", { scope: "row" }, field.label, field.unit ? el("small", {}, field.unit) : "")));
    for (const name of this.#windows) {
      const state = el("small", { class: "state" });
      head.append(el("th", { scope: "col" }, name, state));
      const pressure = new Pressure();
      const cells = [];
      ROWS.forEach((field, index) => {
        const node = el("td", { class: "number", "data-window": name, "data-field": field.name });
        if (field.name === "balance") node.append(pressure.node);
        else cells.push({ field, node, value: null, changedAt: 0 });
        lines[index].append(node);
      });
      const meter = el("progress", { max: "1" });
      const text = el("span");
      const filling = el("li", { hidden: true }, text, meter);
      this.filling.append(filling);
      this.#columns.set(name, { state, cells, pressure, filling, meter, text });
    }
    this.table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...lines));
  }

  #fill(column, stats, now, mayFlash) {
    for (const cell of column.cells) {
      const value = String(stats[cell.field.name]);
      if (cell.value === value) continue;
      if (mayFlash && cell.value !== null) flash(cell.node, cell.changedAt, now);
      cell.changedAt = now;
      cell.value = value;
      this.#write(cell);
    }
    column.pressure.show(stats);
  }

  #write(cell) {
    const style = this.#exact ? "exact" : slim.matches ? "compact" : "full";
    setText(cell.node, written(cell.field, cell.value, style));
    cell.node.classList.toggle("zero", /^[0.]*$/.test(cell.value));
    cell.node.title = hover(cell.field, cell.value);
  }

  #ages() {
    const { position } = this.#data;
    const asOf = Math.max(this.#asOf ?? 0, this.#data.as_of);
    const end = Math.floor(asOf / this.#stepMs) * this.#stepMs + this.#stepMs;
    setText(this.facts, [
      `Changed ${momentText(this.#data.as_of)}`,
      asOf - this.#data.as_of < 1_000 ? "just now" : `${spanText(asOf - this.#data.as_of)} ago`,
      `partition ${position.partition}, offset ${exact(position.offset)}`,
    ].join(" · "));
    for (const [name, column] of this.#columns) {
      const since = this.#data[`w${name}`]?.complete_since;
      const text = fillingText(name, since, end);
      column.filling.hidden = text === null;
      setText(column.state, text === null ? "" : "filling");
      if (text === null) continue;
      setText(column.text, text);
      column.meter.value = Math.max(0, end - since) / spanOf(name);
    }
  }

  #refused(problem) {
    this.#data = null;
    this.body.hidden = true;
    this.copy.hidden = true;
    setText(this.facts, "");
    const panel = this.message;
    panel.hidden = false;
    if (problem.status === 409 && Array.isArray(problem.candidates)) {
      panel.replaceChildren(
        el("h2", {}, "Several tokens have this symbol"),
        el("ul", { class: "candidates" }, ...problem.candidates.map((each) => candidate(each))),
      );
      return;
    }
    const unknown = problem.status === 404;
    panel.replaceChildren(
      el("h2", {}, unknown ? "Unknown token" : problem.title || "Not served"),
      el("p", {}, unknown
        ? "No swap of this token was seen so far. It appears here with its first one."
        : problem.detail || ""),
      el("p", {}, el("a", { href: "#/" }, "Back to the overview")),
    );
    if (unknown) this.#retryTimer = setTimeout(() => this.#subscribe(), UNKNOWN_RETRY_MS);
  }

  /** Ask for the plot's buckets `wait` ms from now, and after that once a bucket. */
  #refresh(wait) {
    if (this.#seriesTimer && wait) return;
    clearTimeout(this.#seriesTimer);
    const rest = this.#seriesAt + SERIES_MIN_MS - performance.now();
    this.#seriesTimer = setTimeout(() => this.#series(), wait ? Math.max(wait, rest) : 0);
  }

  async #series() {
    const id = this.#id;
    const asking = new AbortController();
    this.#asking = asking;
    this.#seriesAt = performance.now();
    try {
      const series = await ask(
        tokenPath(this.#data?.token ?? id, "series"), { span: SPAN, numbers: "string" },
        asking.signal,
      );
      if (this.#id === id) {
        this.#plotless(false);
        this.plot.show(series, spanOf(SPAN));
      }
    } catch (error) {
      // The plot keeps what it shows; the next bucket asks again, unless there are none here.
      if (this.#id === id && error.problem?.type === NO_SERIES) this.#plotless(true);
    }
    if (this.#id !== id || this.plot.node.hidden) return;
    this.#seriesTimer = 0;
    if (!document.hidden && this.#data) this.#refresh(Math.max(this.#stepMs, SERIES_MIN_MS));
  }

  /** Say that there is no plot, instead of an empty one; remembered for the next token. */
  #plotless(absent) {
    this.#seriesless = absent;
    this.plot.node.hidden = absent;
    this.absent.hidden = !absent;
  }

  #allDigits() {
    this.#exact = this.digits.checked;
    memory.set("digits", this.#exact ? "all" : null);
    this.restyle();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#data.token);
      setText(this.copy, "Copied");
    } catch {
      getSelection().selectAllChildren(this.key);
      setText(this.copy, "Selected");
    }
    setTimeout(() => setText(this.copy, "Copy"), 1_500);
  }
}

function candidate(each) {
  const key = typeof each === "string" ? each : each.token;
  const item = el("li", {}, el("a", { href: tokenHash(key) }, key));
  if (each.vol_usd !== undefined) item.append(` ${compact(each.vol_usd)} USD`);
  return item;
}
