// The eight statistics of a window: names, labels and how each is written.

import { amount, compact, count, exact, share, usd } from "./decimal.js";
import { el } from "./dom.js";

export const FIELDS = [
  { name: "vol_usd", label: "Volume", unit: "USD", kind: "usd" },
  { name: "buy_usd", label: "Buy", unit: "USD", kind: "usd" },
  { name: "sell_usd", label: "Sell", unit: "USD", kind: "usd" },
  { name: "vol_token", label: "Volume", unit: "token", kind: "amount" },
  { name: "trades", label: "Trades", unit: "", kind: "count" },
  { name: "buy", label: "Buys", unit: "", kind: "count" },
  { name: "sell", label: "Sells", unit: "", kind: "count" },
  { name: "unpriced", label: "Unpriced", unit: "", kind: "count" },
];

const FULL = { usd, amount, count };

/** Write a statistic: `style` is "full", "compact" or "exact" (every digit). */
export function written(field, value, style) {
  if (style === "exact") return exact(value);
  if (field.kind === "count" && String(value).length <= 5) return exact(value);
  return style === "compact" ? compact(value) : FULL[field.kind](value);
}

/** The full value with its unit, for hovering. */
export function hover(field, value) {
  const unit = field.unit === "token" ? "tokens" : field.unit || field.label.toLowerCase();
  return `${exact(value)} ${unit}`;
}

/** Buy / sell pressure of a row of statistics: a bar and the share of buys. */
export class Pressure {
  constructor() {
    this.text = el("span", { class: "share" });
    this.bar = el("span", { class: "pressure", "aria-hidden": "true" }, el("i"));
    this.node = el("span", { class: "pressure-cell" }, this.bar, this.text);
  }

  show(row) {
    const byValue = share(row.buy_usd, row.sell_usd);
    const tenths = byValue ?? share(row.buy, row.sell);
    this.bar.classList.toggle("none", tenths === null);
    this.text.textContent = tenths === null ? "–" : `${Math.round(tenths / 10)}%`;
    if (tenths === null) {
      this.node.title = "No trades";
      return;
    }
    this.bar.style.setProperty("--share", `${tenths / 10}%`);
    const measure = byValue === null ? "trades (none has a price)" : "USD volume";
    this.node.title = `${(tenths / 10).toFixed(1)} % of the ${measure} are buys`;
  }
}

/** A key short enough for a cell; the full one belongs into the title. */
export function shortKey(key, head = 12, tail = 6) {
  const characters = Array.from(key);
  if (characters.length <= head + tail + 4) return key;
  return `${characters.slice(0, head).join("")}…${characters.slice(-tail).join("")}`;
}

/** What people call a token. */
export function nameOf(token) {
  return token.symbol || shortKey(token.token);
}

export function tokenHash(key) {
  return `#/token/${encodeURIComponent(key)}`;
}
