"""The report of a replay: windows and counters as one JSON document, byte for byte repeatable."""

import json
from collections.abc import Iterable, Mapping

from swapstats.core.shard import Shard
from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.stats import FIELDS, WindowStats, format_scaled, scale_digits
from swapstats.model.window import WindowSpec


def render_window(stats: WindowStats) -> dict[str, str | int]:
    """Write one window: USD with 6 and token amounts with 18 decimals, counts as integers."""
    rendered: dict[str, str | int] = {}
    for field in FIELDS:
        value: int = getattr(stats, field)
        digits = scale_digits(field)
        rendered[field] = format_scaled(value, digits) if digits else value
    return rendered


def render_tokens(
    tokens: Mapping[str, Iterable[WindowStats]], spec: WindowSpec
) -> dict[str, dict[str, dict[str, str | int]]]:
    """Write tokens sorted by code point, with every window in configured order."""
    return {
        key: {
            f"w{name}": render_window(stats)
            for name, stats in zip(spec.names, tokens[key], strict=True)
        }
        for key in sorted(tokens)
    }


def render_report(shards: Iterable[Shard], spec: WindowSpec, t_ms: int) -> str:
    """Write the report of all shards at T."""
    counters = dict.fromkeys(COUNTER_NAMES, 0)
    tokens: dict[str, tuple[WindowStats, ...]] = {}
    for shard in shards:
        for name in COUNTER_NAMES:
            counters[name] += shard.counters[name]
        tokens.update(shard.live_tokens())
    report = {
        "as_of": t_ms,
        "step_ms": spec.step_ms,
        "counters": counters,
        "tokens": render_tokens(tokens, spec),
    }
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"
