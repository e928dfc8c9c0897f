// Exact decimals as text: how the page writes numbers. Never passes a number through a float,
// except `approximate`, which only places bars on a screen.

const TINY_ZEROS = 6;
const SUFFIXES = ["", "K", "M", "B", "T"];

function split(value) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value));
  if (!match) return null;
  return { sign: match[1], whole: match[2].replace(/^0+(?=\d)/, ""), places: match[3] ?? "" };
}

function grouped(whole) {
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Round half up to `count` places; returns the digits before and after the point. */
function rounded(whole, places, count) {
  if (places.length <= count) return [whole, places.padEnd(count, "0")];
  let scaled = BigInt(whole + places.slice(0, count));
  if (places[count] >= "5") scaled += 1n;
  const digits = scaled.toString().padStart(count + 1, "0");
  return [digits.slice(0, digits.length - count), digits.slice(digits.length - count)];
}

function join(sign, whole, places) {
  return sign + grouped(whole) + (places ? `.${places}` : "");
}

/** Every digit, thousands grouped. */
export function exact(value) {
  const parts = split(value);
  return parts ? join(parts.sign, parts.whole, parts.places) : String(value ?? "");
}

/** A value below one with four significant digits, no trailing zeros. */
function small({ sign, places }) {
  const lead = places.search(/[1-9]/);
  if (lead < 0) return "0";
  if (lead >= TINY_ZEROS) {
    const [digit, more] = rounded(places[lead], places.slice(lead + 1), 3);
    return digit.length > 1 ? `${sign}1.000e-${lead}` : `${sign}${digit}.${more}e-${lead + 1}`;
  }
  const [whole, rest] = rounded("0", places, lead + 4);
  return join(sign, whole, rest.replace(/0+$/, ""));
}

/** About four significant digits with K, M, B, T (beyond: a power of ten). */
export function compact(value) {
  const parts = split(value);
  if (!parts) return String(value ?? "");
  const { sign, whole, places } = parts;
  if (whole === "0") return small(parts);
  if (whole.length <= 3) {
    const [head, rest] = rounded(whole, places, 4 - whole.length);
    return head.length > 3 ? `${sign}1.000K` : join(sign, head, places ? rest : "");
  }
  let tier = Math.floor((whole.length - 1) / 3);
  let point = whole.length - 3 * tier;
  let [head, rest] = rounded(whole.slice(0, point), whole.slice(point) + places, 4 - point);
  if (head.length > 3) {
    tier += 1;
    [head, rest] = ["1", "000"];
  }
  const suffix = tier < SUFFIXES.length ? SUFFIXES[tier] : `e${3 * tier}`;
  return `${join(sign, head, rest)}${suffix}`;
}

/** US dollars: cents, unless the value is so small that cents would hide it. */
export function usd(value) {
  const parts = split(value);
  if (!parts) return String(value ?? "");
  if (parts.whole.length > 10) return compact(value);
  if (parts.whole === "0" && /^00/.test(parts.places) && /[1-9]/.test(parts.places)) {
    return small(parts);
  }
  return join(parts.sign, ...rounded(parts.whole, parts.places, 2));
}

/** A number of things: every digit up to a billion. */
export function count(value) {
  return String(value).length > 9 ? compact(value) : exact(value);
}

/** A token amount: fewer places the larger it is. */
export function amount(value) {
  const parts = split(value);
  if (!parts) return String(value ?? "");
  if (parts.whole.length > 9) return compact(value);
  if (parts.whole === "0") return small(parts);
  const count = parts.whole.length > 3 ? 2 : 4;
  return join(parts.sign, ...rounded(parts.whole, parts.places, count));
}

/** An exact decimal as an integer scaled by 10^digits. */
export function scaled(value, digits) {
  const parts = split(value);
  if (!parts) return 0n;
  const whole = BigInt(parts.whole + parts.places.padEnd(digits, "0").slice(0, digits));
  return parts.sign ? -whole : whole;
}

/** The inverse of `scaled`, without trailing zeros. */
export function unscaled(whole, digits) {
  const negative = whole < 0n;
  const text = (negative ? -whole : whole).toString().padStart(digits + 1, "0");
  const places = text.slice(text.length - digits).replace(/0+$/, "");
  return (negative ? "-" : "") + text.slice(0, text.length - digits) + (places ? `.${places}` : "");
}

/** A float for geometry only. */
export function approximate(value) {
  return Number(value) || 0;
}

/** Share of `part` in `part + other` in tenths of a per cent (0 to 1000); null if both are 0. */
export function share(part, other) {
  const first = scaled(part, 18);
  const total = first + scaled(other, 18);
  return total > 0n ? Number((first * 1000n + total / 2n) / total) : null;
}
