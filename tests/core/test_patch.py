"""Snapshots and patches: exact, minimal, and together byte for byte the newest snapshot."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.core.patch import (
    Version,
    data_text,
    field_values,
    parse_stream,
    patch_text,
    stream_name,
)
from swapstats.model.stats import FIELDS, WindowStats, from_row, scale_digits, to_row
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))


class Literal(str):
    """A number as it was written."""

    __slots__ = ()


def read(text: str) -> Any:
    return json.loads(text, parse_float=Literal, parse_int=Literal)


def write(value: Any) -> str:
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{write(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


stats = st.builds(
    lambda vol, tok, trades, buy, bought, unpriced: WindowStats(
        vol, tok, trades, min(buy, trades), trades - min(buy, trades), min(bought, vol),
        vol - min(bought, vol), unpriced,
    ),
    st.integers(0, 3) | st.integers(0, 1 << 100),
    st.integers(0, 3) | st.integers(0, 1 << 170),
    st.integers(0, 3) | st.integers(0, 1 << 40),
    st.integers(0, 3),
    st.integers(0, 1 << 100),
    st.integers(0, 2),
)  # fmt: skip
moments = st.tuples(
    st.integers(0, 50), st.integers(0, 2), st.integers(0, 2), st.sampled_from([1, 1, 1, 2])
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(moments, st.tuples(stats, stats, stats)), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.booleans(),
)
def test_patches_applied_to_the_first_snapshot_give_the_last_byte_for_byte(
    steps: list[Any], sent: list[bool], quoted: bool
) -> None:
    t_ms = seq = offset = 0
    held: Version | None = None
    document: Any = None
    version: Version | None = None
    for number, ((ahead, moved, named, since), windows) in enumerate(steps):
        t_ms, seq, offset = t_ms + ahead, seq + 1, offset + moved
        symbol = None if version is None or version.symbol is None else version.symbol
        version = Version(
            key='odd"key/é', symbol=symbol or ("N\u2028" if named == 2 else None), partition=3,
            stream="s", seq=seq, offset=offset, as_of_ms=t_ms, end_ms=SPEC.end_ms(t_ms),
            complete_since_ms=since, rows=tuple(tuple(to_row(one).tolist()) for one in windows),
        )  # fmt: skip
        if held is None:
            held, document = version, read(data_text(version, SPEC.names, quoted=quoted))
        elif sent[number]:
            patch = patch_text(held, version, SPEC.names, quoted=quoted)
            if patch is None:
                assert held.rows == version.rows
                continue
            assert read(patch).keys() - {"as_of", "end", "position"}
            document, held = merge(document, read(patch)), version
    assert held is not None
    assert write(document) == data_text(held, SPEC.names, quoted=quoted)


@given(stats)
def test_values_of_a_row_are_those_of_the_model(one: WindowStats) -> None:
    row = to_row(one)
    assert field_values(row.tolist()) == tuple(getattr(one, name) for name in FIELDS)
    assert from_row(row) == one


@given(stats, st.booleans())
def test_every_digit_is_written(one: WindowStats, quoted: bool) -> None:
    version = Version("k", None, 0, "s", 1, 1, 1, 1, 1, (tuple(to_row(one).tolist()),))
    window = read(data_text(version, ("5m",), quoted=quoted))["w5m"]
    for name in FIELDS:
        digits, text = scale_digits(name), str(window[name])
        assert Fraction(text) * 10**digits == getattr(one, name)
        assert isinstance(window[name], Literal) != (quoted and digits > 0)
        assert "E" not in text.upper()


def test_nothing_but_the_moment_moved_is_no_patch() -> None:
    market = Market(SPEC, 1)
    market.apply(SyntheticUpdates(SPEC, tokens=1).update(0, 1))
    version = market.version(0)
    later = replace(version, seq=version.seq + 1, as_of_ms=version.as_of_ms + 9, offset=99)
    assert patch_text(version, later, SPEC.names, quoted=False) is None


def test_only_changed_fields_stand_in_a_patch() -> None:
    one = WindowStats(2_500_000, 10**18, 3, 2, 1, 2_000_000, 500_000, 0)
    rows = tuple(tuple(to_row(one).tolist()) for _ in range(3))
    base = Version("k", "K", 0, "s", 1, 10, 100, 5_000, 1, rows)
    grown = WindowStats(2_500_000, 10**18, 4, 3, 1, 2_000_000, 500_000, 1)
    newest = replace(
        base, seq=2, offset=11, as_of_ms=101, rows=(tuple(to_row(grown).tolist()), *rows[1:])
    )
    assert patch_text(base, newest, SPEC.names, quoted=False) == (
        '{"as_of":101,"position":{"offset":11},"w5m":{"trades":4,"buy":3,"unpriced":1}}'
    )


def test_a_shape_as_documented() -> None:
    one = WindowStats(12_345_670_000, 12_345_100_000_000_000_000_000, 321, 200, 121,
                      8_000_500_000, 4_345_170_000, 0)  # fmt: skip
    version = Version("1:0xa0b8", "USDC", 3, "s", 7, 120_934, 123, 5_000, 42,
                      (tuple(to_row(one).tolist()),))  # fmt: skip
    assert data_text(version, ("5m",), quoted=False, lag_ms=0) == (
        '{"token":"1:0xa0b8","symbol":"USDC","as_of":123,"end":5000,'
        '"position":{"partition":3,"offset":120934},"lag_ms":0,'
        '"w5m":{"vol_usd":12345.67,"vol_token":12345.1,"trades":321,"buy":200,"sell":121,'
        '"buy_usd":8000.5,"sell_usd":4345.17,"unpriced":0,"complete_since":42}}'
    )


def test_stream_names_are_read_back_and_others_are_not() -> None:
    place = parse_stream(stream_name("0badf00d", 47, 300))
    assert place is not None
    assert (place.origin, place.partition, place.epoch) == ("0badf00d", 47, 300)
    for other in ("", "a", "a-b", "a--1", "x-zz-1", "a-1-2-3", "a-1-" + "9" * 17):
        assert parse_stream(other) is None
