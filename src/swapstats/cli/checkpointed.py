"""One token's statistics out of the newest checkpoint, in the shape the API answers."""

from pathlib import Path
from typing import Any

from swapstats.core.shard import Shard
from swapstats.errors import UsageError
from swapstats.model.window import parse_span
from swapstats.roles.report import render_window
from swapstats.wiring.reading import EmbeddedReaders

_CANDIDATES_SHOWN = 10


def read_token(data_dir: Path, token: str, windows: str | None) -> dict[str, Any]:
    """Read a token by key, or by a symbol that only one token has.

    Raises:
        UsageError: unknown, not unique, or an unknown window.
    """
    readers = EmbeddedReaders.open(data_dir)
    try:
        found: list[tuple[Shard, str]] = []
        for shard in readers.restore():
            if shard.tokens.number(token) is not None:
                found = [(shard, token)]
                break
            found += [
                (shard, key)
                for key, symbol in zip(shard.tokens.keys, shard.tokens.symbols, strict=True)
                if symbol == token
            ]
    finally:
        readers.close()
    if not found:
        raise UsageError(f"Expected a token of {data_dir}, was {token!r}, which was never seen")
    if len(found) > 1:
        keys = ", ".join(key for _, key in found[:_CANDIDATES_SHOWN])
        raise UsageError(f"Expected one token, was {token!r}, which {len(found)} have: {keys}")
    return _answer(*found[0], windows)


def _answer(shard: Shard, key: str, windows: str | None) -> dict[str, Any]:
    spec = shard.config.spec
    wanted = set(spec.widths_ms)
    if windows is not None:
        wanted = {parse_span(name) for name in windows.split(",")}
        if not wanted <= set(spec.widths_ms):
            raise UsageError(f"Expected windows of {', '.join(spec.names)}, was {windows}")
    stats = shard.stats(key)
    number = shard.tokens.number(key)
    if stats is None or number is None:
        raise UsageError(f"Expected a token, was {key!r}, which was never seen")
    answer: dict[str, Any] = {
        "token": key,
        "symbol": shard.tokens.symbols[number],
        "as_of": shard.t_ms,
        "end": shard.windows.end_ms,
        "position": {"partition": shard.config.partition, "offset": shard.next_offset},
        "lag_ms": 0,
    }
    for name, width_ms, window in zip(spec.names, spec.widths_ms, stats, strict=True):
        if width_ms in wanted:
            answer[f"w{name}"] = render_window(window)
    return answer
