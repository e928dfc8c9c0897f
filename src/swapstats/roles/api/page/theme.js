// The remembered colour theme, set before the first paint (hence not a module).
"use strict";
try {
  const theme = localStorage.getItem("swapstats.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's theme stands.
}
