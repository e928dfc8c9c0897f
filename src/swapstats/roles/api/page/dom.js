// Making and moving elements. Text from outside only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** Create an element; functions among the attributes are listeners, null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

function dressed(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** Set text only where it differs: no needless layout, no repeated announcement. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put nodes under `parent` in this order, moving as few as possible and keeping focus. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const node of [...parent.children]) if (!wanted.has(node)) node.remove();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let cursor = parent.firstElementChild;
  for (const node of nodes) {
    if (node === cursor) cursor = cursor.nextElementSibling;
    else if (parent.moveBefore && node.parentNode === parent) parent.moveBefore(node, cursor);
    else parent.insertBefore(node, cursor);
  }
  if (focused && focused.isConnected && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const FLASH_MS = 700;
const QUIET_MS = 900;

/** Mark a changed cell for a moment. A cell that never rests is not marked: its digits move. */
export function flash(node, changedAt, now) {
  if (calm.matches || now - changedAt < QUIET_MS || document.hidden) return;
  const colour = getComputedStyle(node).getPropertyValue("--flash");
  node.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], {
    duration: FLASH_MS,
    easing: "ease-out",
  });
}

/** Remember small choices in this browser; does without where storage is forbidden. */
export const memory = {
  get(name) {
    try {
      return localStorage.getItem(`swapstats.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`swapstats.${name}`);
      else localStorage.setItem(`swapstats.${name}`, value);
    } catch {
      // Forbidden or full: the choice lasts as long as the page.
    }
  },
};
