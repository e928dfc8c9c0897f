// The search box: tokens by symbol or key, a combobox with a list of links.

import { ask } from "./answers.js";
import { compact } from "./decimal.js";
import { el, setText } from "./dom.js";
import { nameOf, shortKey, tokenHash } from "./fields.js";

const WAIT_MS = 120;
const FOUND_MAX = 20;

export class Search {
  #timer = 0;
  #asking = null;
  #active = -1;
  #found = [];
  #shown = "";

  constructor() {
    this.box = document.getElementById("search");
    this.input = document.getElementById("search-text");
    this.results = document.getElementById("search-results");
    this.list = document.getElementById("search-list");
    this.note = document.getElementById("search-note");
    this.input.addEventListener("input", () => this.#later());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("focus", () => this.input.value.trim() && this.#later());
    this.box.addEventListener("focusout", (event) => {
      if (!this.box.contains(event.relatedTarget)) this.#close();
    });
    this.results.addEventListener("pointerdown", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
      event.preventDefault();
      this.input.focus();
      this.input.select();
    });
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), WAIT_MS);
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const query = this.input.value.trim();
    if (!query) {
      this.#close();
      return;
    }
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const { tokens } = await ask(
        "tokens", { query, limit: FOUND_MAX, numbers: "string" }, asking.signal);
      this.#show(tokens, tokens.length ? "" : `No token matches “${query}”`);
      this.#shown = query;
    } catch (error) {
      if (!asking.signal.aborted) this.#show([], `Search failed: ${error.message}`);
    }
  }

  #show(tokens, note) {
    this.#found = tokens;
    this.#active = -1;
    this.list.replaceChildren(...tokens.map((token, index) =>
      el(
        "li", { role: "option", id: `found-${index}`, "aria-selected": "false",
          click: () => this.#go(index) },
        el("b", {}, nameOf(token)),
        el("span", { class: "found-key", title: token.token }, shortKey(token.token)),
        el("span", { class: "found-volume" }, `${compact(token.vol_usd)} USD`),
      )));
    setText(this.note, note);
    this.note.hidden = !note;
    this.results.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#mark(tokens.length ? 0 : -1);
  }

  #mark(index) {
    this.list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = index;
    const option = this.list.children[index];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    } else this.input.removeAttribute("aria-activedescendant");
  }

  async #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#found.length) {
      event.preventDefault();
      this.#mark((this.#active + step + this.#found.length) % this.#found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.#shown !== this.input.value.trim()) await this.#ask();
      if (this.#active >= 0) this.#go(this.#active);
    } else if (event.key === "Escape") {
      if (this.results.hidden) this.input.blur();
      this.input.value = "";
      this.#close();
    }
  }

  #go(index) {
    const key = this.#found[index].token;
    this.input.value = "";
    this.#close();
    this.input.blur();
    location.hash = tokenHash(key);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#found = [];
    this.#shown = "";
    this.#active = -1;
    this.results.hidden = true;
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
