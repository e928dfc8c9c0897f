// Times and spans as people read them. All in milliseconds.

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Read a window name such as `5m` or `1h30m`; NaN if it is none. */
export function spanOf(name) {
  if (!/^(\d+(ms|[smhd]))+$/.test(name)) return NaN;
  let total = 0;
  for (const [, count, unit] of name.matchAll(/(\d+)(ms|[smhd])/g)) total += count * UNITS[unit];
  return total;
}

/** `1 h 12 min`, `45 s`, `< 1 s`: at most two units, rounded down. */
export function spanText(span) {
  if (span < 1_000) return "< 1 s";
  const seconds = Math.floor(span / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  if (seconds % 86_400 === 0 && seconds === 86_400) return "24 h";
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const minute = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** Local time of day, with the date where it is not today. */
export function momentText(moment) {
  const time = clock.format(moment);
  const date = day.format(moment);
  return date === day.format(Date.now()) ? time : `${date} ${time}`;
}

export function minuteText(moment) {
  return minute.format(moment);
}

export function clockText(moment) {
  return clock.format(moment);
}

/** What to say of a window that has not seen its whole width yet; null if it has. */
export function fillingText(name, completeSince, end) {
  const width = spanOf(name);
  if (!(completeSince > end - width)) return null;
  const seen = Math.max(0, end - completeSince);
  return `${name} window is filling: ${spanText(seen)} of ${spanText(width)}`;
}
