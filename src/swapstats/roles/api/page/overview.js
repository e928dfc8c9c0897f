// The overview: the top tokens of one window, live, sortable by every column.

import { ask, tokenPath } from "./answers.js";
import { exact } from "./decimal.js";
import { arrange, el, flash, setText } from "./dom.js";
import { FIELDS, hover, nameOf, Pressure, shortKey, tokenHash, written } from "./fields.js";
import { fillingText } from "./span.js";

const PAINT_MS = 200;
const HOLD_MS = 4_000;
const POLL_MS = 2_000;
const FILLING_EVERY_MS = 30_000;
export const LIMITS = [50, 100, 200, 500];
export const SORTS = new Set(["symbol", "token", ...FIELDS.map((field) => field.name)]);
const ascendingFirst = (sort) => sort === "symbol" || sort === "token";

const columns = [
  { sort: "symbol", label: "Symbol", class: "symbol text" },
  { sort: "token", label: "Key", class: "key text" },
  ...FIELDS.map((field) => ({
    sort: field.name, label: field.label, unit: field.unit, class: `number ${field.name}`,
  })),
];
columns.splice(3, 0, { sort: null, label: "Buy / sell", class: "press" });

export class Overview {
  #feed;
  #choose;
  #choice = null;
  #channel = null;
  #limit = LIMITS[0];
  #rows = new Map();
  #latest = null;
  #painted = 0;
  #paintTimer = 0;
  #reorder = true;
  #touchedAt = -HOLD_MS;
  #filling = { key: "", at: -FILLING_EVERY_MS };
  #anySeen = true;
  #pollTimer = 0;

  /** `choose(choice)` is called when the user picks another window or sort order. */
  constructor(section, feed, choose) {
    this.section = section;
    this.#feed = feed;
    this.#choose = choose;
    this.#build();
  }

  #build() {
    this.tabs = el("div", { class: "tabs", role: "group", "aria-label": "Window" });
    this.note = el("p", { class: "note", id: "filling" });
    this.held = el("p", { class: "note held", hidden: true }, "Order held while you point");
    this.count = el("p", { class: "count" });
    this.sortBy = el("select", {
      "aria-label": "Sort by",
      change: () => this.#sort(this.sortBy.value, false),
    });
    for (const column of columns) {
      if (!column.sort) continue;
      const label = column.unit ? `${column.label} (${column.unit})` : column.label;
      this.sortBy.append(el("option", { value: column.sort }, label));
    }
    this.direction = el("button", {
      type: "button", class: "quiet direction", click: () => this.#sort(this.#choice.sort, true),
    });
    const head = el("tr", {}, el("th", { class: "rank", scope: "col" }, "#"));
    this.heads = new Map();
    for (const column of columns) {
      const cell = el("th", { class: column.class, scope: "col" });
      if (column.sort) {
        const button = el(
          "button",
          { type: "button", click: () => this.#sort(column.sort, true) },
          el("span", {}, column.label),
        );
        if (column.unit) button.append(el("small", {}, column.unit));
        button.append(el("i", { "aria-hidden": "true" }));
        cell.append(button);
        this.heads.set(column.sort, cell);
      } else cell.append(el("span", {}, column.label));
      head.append(cell);
    }
    const touched = () => this.#touch();
    this.body = el("tbody", {
      pointermove: touched, keydown: (event) => this.#key(event), pointerleave: () => this.#let(),
      click: (event) => this.#click(event),
    });
    this.table = el("table", { class: "overview" }, el("thead", {}, head), this.body);
    this.empty = el("div", { class: "panel", hidden: true });
    this.more = el("button", {
      type: "button", class: "more", hidden: true, click: () => this.#more(),
    });
    this.section.append(
      el(
        "div", { class: "tools" }, this.tabs,
        el("div", { class: "sorting" }, this.sortBy, this.direction),
        this.note, this.held, this.count,
      ),
      this.table, this.empty, this.more,
    );
    const observer = new ResizeObserver(() => this.#fit());
    observer.observe(this.table);
    observer.observe(this.section);
  }

  /** Scroll the table within its section where even short numbers do not fit the screen. */
  #fit() {
    this.section.classList.toggle("wide", this.table.offsetWidth > this.section.clientWidth + 1);
  }

  /** Show this choice of `window`, `sort` and `order`; subscribes to its channel. */
  show(choice, windows) {
    this.section.hidden = false;
    this.#choice = choice;
    this.#tabsFor(windows);
    for (const [sort, cell] of this.heads) {
      if (sort === choice.sort) {
        cell.setAttribute("aria-sort", choice.order === "asc" ? "ascending" : "descending");
      } else cell.removeAttribute("aria-sort");
    }
    this.sortBy.value = choice.sort;
    setText(this.direction, choice.order === "asc" ? "↑" : "↓");
    this.direction.setAttribute(
      "aria-label", choice.order === "asc" ? "Ascending, reverse" : "Descending, reverse",
    );
    this.table.dataset.sort = choice.sort;
    const { window, sort, order } = choice;
    const channel = `overview:${window}:${sort}:${order}:${this.#limit}`;
    if (channel === this.#channel) return;
    if (this.#channel) this.#feed.unsubscribe(this.#channel);
    this.#channel = channel;
    this.#reorder = true;
    this.table.setAttribute("aria-busy", "true");
    this.#feed.subscribe(channel, {
      data: (data) => {
        if (this.#channel === channel) this.#take(data);
      },
      problem: (problem) => {
        if (this.#channel !== channel || problem.status === 503) return;
        if (problem.status === 429) {
          clearTimeout(this.#pollTimer);
          this.#poll(channel);
        }
        else this.#refused(problem);
      },
    });
  }

  hide() {
    this.section.hidden = true;
    if (this.#channel) this.#feed.unsubscribe(this.#channel);
    this.#channel = null;
  }

  /** Tell whether any token was ever seen: what an empty table means. */
  known(tokens) {
    this.#anySeen = tokens > 0;
    if (this.#latest) this.#emptiness();
  }

  /** Write all cells again (another width of screen). */
  restyle() {
    for (const row of this.#rows.values()) row.restyle();
    if (this.#latest && !this.section.hidden) this.#paint();
  }

  #tabsFor(windows) {
    const names = windows.join();
    if (this.tabs.dataset.names !== names) {
      this.tabs.dataset.names = names;
      this.tabs.replaceChildren(
        ...windows.map((name) =>
          el("button", { type: "button", "data-window": name,
            click: () => this.#choose({ ...this.#choice, window: name }) }, name),
        ),
      );
    }
    for (const tab of this.tabs.children) {
      tab.setAttribute("aria-pressed", String(tab.dataset.window === this.#choice.window));
    }
  }

  #sort(sort, turn) {
    let order = ascendingFirst(sort) ? "asc" : "desc";
    if (turn && sort === this.#choice.sort) order = this.#choice.order === "asc" ? "desc" : "asc";
    this.#choose({ ...this.#choice, sort, order });
  }

  #more() {
    this.#limit = LIMITS[Math.min(LIMITS.indexOf(this.#limit) + 1, LIMITS.length - 1)];
    this.#choose({ ...this.#choice });
  }

  /** The server streams no further order of the table: ask for it instead. */
  async #poll(channel) {
    if (this.#channel !== channel) return;
    try {
      const { window, sort, order } = this.#choice;
      const parameters = { window, sort, order, limit: this.#limit, numbers: "string" };
      const data = await ask("overview", parameters);
      if (this.#channel === channel) this.#take(data);
    } catch {
      // The connection's state tells why; the next round asks again.
    }
    if (this.#channel === channel) {
      this.#pollTimer = setTimeout(() => this.#poll(channel), POLL_MS);
    }
  }

  #refused(problem) {
    this.table.hidden = true;
    this.more.hidden = true;
    this.empty.hidden = false;
    this.empty.replaceChildren(
      el("h2", {}, problem.title || "Not served"), el("p", {}, problem.detail || ""),
    );
  }

  #take(data) {
    this.#latest = data;
    this.table.removeAttribute("aria-busy");
    if (this.#reorder) this.#paint();
    else if (!this.#paintTimer) {
      const wait = Math.max(0, this.#painted + PAINT_MS - performance.now());
      this.#paintTimer = setTimeout(() => requestAnimationFrame(() => this.#paint()), wait);
    }
  }

  #paint() {
    clearTimeout(this.#paintTimer);
    this.#paintTimer = 0;
    if (this.section.hidden) return;
    const now = performance.now();
    this.#painted = now;
    const held = !this.#reorder && now - this.#touchedAt < HOLD_MS;
    const seen = new Map(this.#latest.rows.map((row) => [row.token, row]));
    const keys = held
      ? [...new Set([...this.#rows.keys()].filter((key) => seen.has(key))), ...seen.keys()]
      : [...seen.keys()];
    const rows = new Map();
    for (const key of new Set(keys)) rows.set(key, this.#rows.get(key) ?? new Row(key));
    this.#rows = rows;
    let rank = 0;
    for (const [key, row] of rows) row.show(seen.get(key), (rank += 1), now, !this.#reorder);
    arrange(this.body, [...rows.values()].map((row) => row.node));
    this.#reorder = false;
    this.held.hidden = !held;
    this.#emptiness();
    this.#askFilling(now);
  }

  #emptiness() {
    const { rows, tokens_total: total, window } = this.#latest;
    const none = rows.length === 0;
    this.table.hidden = none;
    this.empty.hidden = !none;
    if (none) {
      this.empty.replaceChildren(
        el("h2", {}, this.#anySeen ? `No trades in the last ${window}` : "No data yet"),
        el("p", {}, this.#anySeen
          ? "Every token is silent in this window. The table fills with the next trade."
          : "Waiting for the first swap from the source."),
      );
    }
    setText(this.count, none ? "" : `${exact(rows.length)} of ${exact(total)} tokens`);
    this.more.hidden = none || rows.length >= total || this.#limit >= LIMITS.at(-1);
    const next = LIMITS[Math.min(LIMITS.indexOf(this.#limit) + 1, LIMITS.length - 1)];
    setText(this.more, `Show more (up to ${next})`);
  }

  /** The overview does not say since when it is whole: the first token's windows do. */
  async #askFilling(now) {
    const { window } = this.#choice;
    const first = this.#latest.rows[0]?.token;
    if (!first) {
      setText(this.note, "");
      return;
    }
    if (this.#filling.key === window && now - this.#filling.at < FILLING_EVERY_MS) return;
    this.#filling = { key: window, at: now };
    try {
      const stats = await ask(tokenPath(first, "stats"), { windows: window, numbers: "string" });
      if (this.#choice.window !== window) return;
      const since = stats[`w${window}`]?.complete_since;
      setText(this.note, fillingText(window, since, stats.end) ?? "");
    } catch {
      // The next round asks again; the table itself needs nothing of it.
    }
  }

  #touch() {
    this.#touchedAt = performance.now();
  }

  #let() {
    this.#touchedAt = -HOLD_MS;
  }

  #click(event) {
    if (event.target.closest("a") || String(getSelection())) return;
    const row = event.target.closest("tr");
    if (row) location.hash = tokenHash(row.dataset.key);
  }

  #key(event) {
    this.#touch();
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = event.target.closest("tr");
    if (!step || !row) return;
    event.preventDefault();
    row[step]?.querySelector("a").focus();
  }
}

/** Compact numbers below this width. */
export const narrow = matchMedia("(max-width: 1279px)");

class Row {
  constructor(key) {
    this.rank = el("td", { class: "rank" });
    this.link = el("a", { href: tokenHash(key) });
    this.under = el("small", { class: "under", "aria-hidden": "true" }, shortKey(key, 8, 4));
    const symbol = el("td", { class: "symbol text" }, this.link, this.under);
    const short = el("td", { class: "key text", title: key }, shortKey(key));
    this.pressure = new Pressure();
    this.cells = FIELDS.map((field) => ({
      field, value: null, changedAt: 0, node: el("td", { class: `number ${field.name}` }),
    }));
    const nodes = this.cells.map((cell) => cell.node);
    nodes.splice(1, 0, el("td", { class: "press" }, this.pressure.node));
    this.node = el("tr", { "data-key": key }, this.rank, symbol, short, ...nodes);
  }

  show(row, rank, now, mayFlash) {
    setText(this.rank, String(rank));
    setText(this.link, nameOf(row));
    this.link.title = row.token;
    this.node.classList.toggle("nameless", !row.symbol);
    let moved = false;
    for (const cell of this.cells) {
      const value = String(row[cell.field.name]);
      if (cell.value === value) continue;
      if (mayFlash && cell.value !== null) flash(cell.node, cell.changedAt, now);
      cell.changedAt = now;
      cell.value = value;
      moved = true;
      this.#write(cell);
    }
    if (moved) this.pressure.show(row);
  }

  restyle() {
    for (const cell of this.cells) if (cell.value !== null) this.#write(cell);
  }

  #write(cell) {
    const style = narrow.matches ? "compact" : "full";
    setText(cell.node, written(cell.field, cell.value, style));
    cell.node.classList.toggle("zero", /^[0.]*$/.test(cell.value));
    cell.node.title = hover(cell.field, cell.value);
  }
}
