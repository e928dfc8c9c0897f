"""Recorded frames and answers of exchanges, and made-up ones of any kind."""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import strategies as st

from swapstats.adapters.sources.exchange.venue import VenueTrade
from swapstats.errors import Rejected, Transient

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[5] / "shared/data"))

_frame = re.compile(rb"[0-9]+(?:\.[0-9]+)?: (.*)").fullmatch


def recorded_frames(name: str) -> list[bytes]:
    """Frames of a recorded connection, as they came; skips the test where there is none."""
    return [found[1] for line in _lines(name) if (found := _frame(line))]


def recorded_answer(name: str, path: bytes) -> bytes:
    """Body of a recorded REST answer; skips the test where there is none."""
    found = next(line for line in _lines(name) if path in line[:200])
    return found[found.index(b": {" if b": {" in found[:200] else b": [") + 2 :]


def _lines(name: str) -> list[bytes]:
    path = DATA / f"exchange/cryptofeed_{name}.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} at {DATA}: set SWAPSTATS_DATA to the folder with exchange/")
    return gzip.decompress(path.read_bytes()).splitlines()


def _plain(whole: int, fraction: str) -> str:
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


decimals = st.builds(
    _plain, st.integers(0, 10**12), st.text("0123456789", max_size=18)
)  # as trades hold them: without zeros that say nothing
times_ms = st.integers(1_500_000_000_000, 2_000_000_000_000)
sides = st.sampled_from(["buy", "sell"])
numbers = st.integers(0, 2**53)
padding = st.integers(0, 4)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def changed(draw: st.DrawFn, text: str) -> str | bytes:
    """A frame with one value replaced, removed, or some bytes gone wrong."""
    if draw(st.booleans()):
        body = bytearray(text.encode())
        for _ in range(draw(st.integers(1, 4))):
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
        return bytes(body[: draw(st.integers(0, len(body)))])
    value = json.loads(text)
    holders: list[tuple[dict[str, object] | list[object], object]] = []
    _find_holders(value, holders)
    holder, key = draw(st.sampled_from(holders))
    if isinstance(holder, dict) and draw(st.booleans()):
        del holder[key]  # type: ignore[arg-type]
    else:
        holder[key] = draw(json_values)  # type: ignore[call-overload,index]
    return json.dumps(value)


def _find_holders(
    value: object, holders: list[tuple[dict[str, object] | list[object], object]]
) -> None:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            holders.append((value, key))
            _find_holders(inner, holders)


def garbage(text: str) -> st.SearchStrategy[str | bytes]:
    """Anything: bytes, text, JSON of another shape, a frame that was changed."""
    return st.one_of(
        st.binary(max_size=80), st.text(max_size=80), json_values.map(json.dumps), changed(text)
    )


def assert_sound_or_refused(read: Callable[[], Iterable[object]]) -> None:
    """Whatever came, it is read as trades that keep their promises, or refused with a reason."""
    try:
        found = list(read())
    except Rejected as error:
        reason: str | None = str(error)
    except Transient as error:
        reason = str(error)
    else:
        reason = None
        for trade in found:
            if isinstance(trade, VenueTrade):
                _assert_sound(trade)
    assert reason is None or 10 < len(reason) < 1_000


def _assert_sound(trade: VenueTrade) -> None:
    assert trade.side in {"buy", "sell"}
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", trade.price)
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", trade.quantity)
    assert 0 <= trade.order < 2**63
    assert 0 <= trade.time_ms < 2**63
    assert trade.trade_id
    assert trade.market == trade.market.upper() != ""


def as_bytes(frame: str | bytes) -> bytes:
    """A body of an answer that says the same."""
    return frame if isinstance(frame, bytes) else frame.encode(errors="surrogatepass")


def rfc3339(time_ms: int) -> str:
    """A time as exchanges write it, with microseconds that are to be cut off."""
    seconds, rest = divmod(time_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}789Z"
