// The last minutes' volume of one token, a bar per bucket, buys and sells stacked.

import { approximate, compact, exact, scaled, unscaled } from "./decimal.js";
import { el, setText, svg } from "./dom.js";
import { clockText, minuteText, spanText } from "./span.js";

const EDGE = { top: 12, right: 8, bottom: 26, left: 52 };
const BAR_MIN = 2;
const MEASURES = {
  usd: { label: "USD", buy: "buy_usd", sell: "sell_usd", digits: 6 },
  trades: { label: "Trades", buy: "buy", sell: "sell", digits: 0 },
};

/** The smallest of 1, 2, 2.5, 5 x 10^n that cuts `top` into at most `parts`. */
function tickOf(top, parts) {
  const raw = top / parts;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999);
}

export class Plot {
  #series = null;
  #span = 900_000;
  #measure = "usd";
  #bars = [];
  #at = null;
  #geometry = null;
  #chosen = false;

  constructor() {
    this.canvas = svg("svg", { class: "bars", "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.frame = el(
      "div",
      {
        class: "plot", tabindex: "0", role: "img",
        pointermove: (event) => this.#point(event),
        pointerdown: (event) => this.#point(event),
        pointerleave: () => this.#mark(null),
        blur: () => this.#mark(null),
        keydown: (event) => this.#key(event),
      },
      this.canvas, this.tip,
    );
    this.caption = el("span", { class: "note" });
    this.spoken = el("p", { class: "unseen", role: "status" });
    this.measures = el("div", { class: "tabs", role: "group", "aria-label": "Measure" });
    for (const [name, { label }] of Object.entries(MEASURES)) {
      this.measures.append(el("button", { type: "button", "data-measure": name,
        click: () => this.#choose(name) }, label));
    }
    this.title = el("h3", {}, "Volume");
    this.node = el(
      "section", { class: "card plot-card", "aria-label": "Volume of the last minutes" },
      el("header", {}, this.title, this.caption, this.measures),
      this.frame,
      el(
        "p", { class: "legend" },
        el("span", { class: "buy" }, "Buys"), el("span", { class: "sell" }, "Sells"),
        (this.sum = el("span", { class: "sum" })),
      ),
      this.spoken,
    );
    new ResizeObserver(() => this.#draw()).observe(this.frame);
  }

  /** Show the series answer over the last `span` milliseconds before its end; null = loading. */
  show(series, span) {
    if (series === null) this.#chosen = false;
    this.#series = series;
    this.#span = span;
    if (series && !this.#chosen) {
      const priced = series.points.some((point) => approximate(point.vol_usd) > 0);
      this.#measure = priced || series.points.length === 0 ? "usd" : "trades";
    }
    this.#draw();
  }

  #choose(name) {
    this.#chosen = true;
    this.#measure = name;
    this.#draw();
  }

  /** Join buckets until a bar is wide enough to be seen; sums stay exact. */
  #gather(width) {
    const { end, step_ms: step, points } = this.#series;
    const { buy, sell, digits } = MEASURES[this.#measure];
    const buckets = Math.max(1, Math.round(this.#span / step));
    const joined = Math.max(1, Math.ceil((buckets * BAR_MIN) / width));
    const barMs = joined * step;
    const count = Math.ceil(buckets / joined);
    const first = end - count * barMs;
    this.#bars = Array.from({ length: count }, (_, index) => ({
      start: first + index * barMs, buy: 0n, sell: 0n, trades: 0, unpriced: 0,
    }));
    for (const point of points) {
      const bar = this.#bars[Math.floor((point.start - first) / barMs)];
      if (!bar) continue;
      bar.buy += scaled(point[buy], digits);
      bar.sell += scaled(point[sell], digits);
      bar.trades += point.trades;
      bar.unpriced += point.unpriced;
    }
    return { first, end, barMs, digits };
  }

  #draw() {
    for (const button of this.measures.children) {
      button.setAttribute("aria-pressed", String(button.dataset.measure === this.#measure));
    }
    const { clientWidth: outer, clientHeight: tall } = this.frame;
    if (!outer || !tall) return;
    this.canvas.setAttribute("width", outer);
    this.canvas.setAttribute("height", tall);
    this.canvas.setAttribute("viewBox", `0 0 ${outer} ${tall}`);
    if (!this.#series) {
      this.#bars = [];
      this.canvas.replaceChildren();
      this.frame.setAttribute("aria-label", "Volume: loading");
      return;
    }
    const width = outer - EDGE.left - EDGE.right;
    const height = tall - EDGE.top - EDGE.bottom;
    const { first, end, barMs, digits } = this.#gather(width);
    const value = (whole) => Number(whole) / 10 ** digits;
    const highest = Math.max(...this.#bars.map((bar) => value(bar.buy + bar.sell)));
    const least = this.#measure === "trades" ? 1 : 0;
    const tick = Math.max(tickOf(highest > 0 ? highest : 1, 4), least);
    const top = Math.max(1, Math.ceil((highest || tick) / tick - 1e-9)) * tick;
    const x = (moment) => EDGE.left + ((moment - first) / (end - first)) * width;
    const y = (amount) => EDGE.top + height - (amount / top) * height;
    this.#geometry = { x, y, barMs, digits, width, height, first, end };
    this.canvas.replaceChildren(
      this.#grid(tick, top, outer), this.#times(outer), this.#rects(value),
      (this.cursor = svg("rect", { class: "cursor", y: EDGE.top, height, visibility: "hidden" })),
    );
    this.canvas.dataset.bars = this.#bars.filter((bar) => bar.trades > 0).length;
    this.#words();
    this.#mark(this.#at);
  }

  #grid(tick, top, outer) {
    const { y } = this.#geometry;
    const group = svg("g", { class: "grid" });
    for (let index = 0; index * tick <= top * 1.0001; index += 1) {
      const line = Math.round(y(index * tick)) + 0.5;
      const text = compact((index * tick).toFixed(tick < 1 ? 6 : 0)).replace(/\.0+(?=\D|$)/, "");
      group.append(
        svg("line", { x1: EDGE.left, x2: outer - EDGE.right, y1: line, y2: line }),
        svg("text", { x: EDGE.left - 6, y: line + 3.5, "text-anchor": "end" }, text),
      );
    }
    return group;
  }

  #times(outer) {
    const { x, y, first, end, width } = this.#geometry;
    const group = svg("g", { class: "times" });
    const base = y(0);
    const minutes = [1, 2, 3, 5, 10, 15, 30].find(
      (count) => ((end - first) / 60_000 / count) * 52 <= width,
    ) ?? 60;
    const every = minutes * 60_000;
    for (let moment = Math.ceil(first / every) * every; moment <= end; moment += every) {
      const at = Math.round(x(moment)) + 0.5;
      group.append(svg("line", { x1: at, x2: at, y1: base, y2: base + 4 }));
      if (at > outer - 20) continue;
      group.append(svg("text", { x: at, y: base + 17, "text-anchor": "middle" },
        minuteText(moment)));
    }
    return group;
  }

  #rects(value) {
    const { x, y, barMs } = this.#geometry;
    const group = svg("g");
    for (const bar of this.#bars) {
      const left = x(bar.start);
      const room = x(bar.start + barMs) - left;
      const wide = Math.max(room - (room > 4 ? 1 : 0.4), 1);
      const [low, mid, high] = [y(0), y(value(bar.buy)), y(value(bar.buy + bar.sell))];
      if (bar.buy) group.append(this.#rect("buy", left, wide, mid, low));
      if (bar.sell) group.append(this.#rect("sell", left, wide, high, mid));
    }
    return group;
  }

  #rect(side, left, wide, high, low) {
    const tall = Math.max(low - high, 0.75);
    return svg("rect", { class: side, x: left.toFixed(2), width: wide.toFixed(2),
      y: (low - tall).toFixed(2), height: tall.toFixed(2) });
  }

  #words() {
    const { digits, barMs } = this.#geometry;
    const sums = this.#bars.reduce(
      (sum, bar) => [sum[0] + bar.buy, sum[1] + bar.sell, sum[2] + bar.trades], [0n, 0n, 0]);
    const [buys, sells] = sums.slice(0, 2).map((sum) => unscaled(sum, digits));
    const unit = this.#measure === "usd" ? " USD" : "";
    const what = this.#measure === "usd" ? "Volume" : "Trades";
    setText(this.title, `${what}, last ${spanText(this.#span)}`);
    setText(this.caption, `${spanText(barMs)} a bar, local time`);
    setText(this.sum, sums[2] ? `${exact(sums[2])} trades` : "No trades in this time");
    this.frame.setAttribute("aria-label",
      `${what} of the last ${spanText(this.#span)}: buys ${compact(buys)}${unit}, sells ` +
      `${compact(sells)}${unit}, ${exact(sums[2])} trades. Arrow keys read single bars.`);
  }

  #point(event) {
    if (!this.#geometry) return;
    const { first, end, barMs, width } = this.#geometry;
    const inside = event.clientX - this.frame.getBoundingClientRect().left - EDGE.left;
    const moment = first + (inside / width) * (end - first);
    const index = Math.floor((moment - first) / barMs);
    this.#mark(index >= 0 && index < this.#bars.length ? first + index * barMs : null);
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.#geometry) return;
    event.preventDefault();
    const { barMs, first, end } = this.#geometry;
    const from = this.#at ?? (step < 0 ? end : first - barMs);
    this.#mark(Math.min(Math.max(from + step * barMs, first), end - barMs));
    setText(this.spoken, this.tip.innerText.replaceAll("\n", ", "));
  }

  /** Point at the bar that starts at `moment`; null = at none. */
  #mark(moment) {
    const bar = moment === null ? null : this.#bars.find((each) => each.start === moment);
    this.#at = bar ? moment : null;
    this.tip.hidden = !bar;
    this.cursor?.setAttribute("visibility", bar ? "visible" : "hidden");
    if (!bar) return;
    const { x, barMs, digits } = this.#geometry;
    const left = x(bar.start);
    this.cursor.setAttribute("x", left);
    this.cursor.setAttribute("width", Math.max(x(bar.start + barMs) - left, 1));
    const lines = [["Buys", bar.buy, "buy"], ["Sells", bar.sell, "sell"],
      ["Together", bar.buy + bar.sell, ""]];
    this.tip.replaceChildren(
      el("strong", {}, `${clockText(bar.start)} – ${clockText(bar.start + barMs)}`),
      ...lines.map(([label, sum, side]) =>
        el("span", { class: side }, `${label} `, el("b", {}, exact(unscaled(sum, digits))))),
      ...(this.#measure === "usd"
        ? [el("span", {}, "Trades ", el("b", {}, exact(bar.trades)))] : []),
      ...(bar.unpriced ? [el("span", {}, "Unpriced ", el("b", {}, exact(bar.unpriced)))] : []),
    );
    const room = this.frame.clientWidth - this.tip.offsetWidth;
    const beside = left + 14 <= room ? left + 14 : left - this.tip.offsetWidth - 10;
    this.tip.style.setProperty("transform", `translateX(${Math.max(0, Math.round(beside))}px)`);
  }
}
