"""The decoder against tables of every rule, against the writer of messages, and real data."""

import gzip
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from tests.strategies import START_MS, any_bytes, rngs, wire_swaps

from swapstats.core.plain_decode import NESTING_MAX, TIME_MS_LIMIT, Refusal, Swap, decode_message
from swapstats.model import wire
from swapstats.testing.wire_streams import (
    BAD_BYTES,
    BAD_VALUES,
    StreamShape,
    WireSwap,
    bad_message,
    random_stream,
    respelled,
    spelled,
)

APPEND_MS = START_MS + 200_000
AHEAD_MS = 3_600_000
DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[3] / "shared/data")) / "wire"

GOOD = {
    "schema_version": "1",
    "event_id": '"e"',
    "token_address": '"t"',
    "side": '"buy"',
    "amount_token": '"1.5"',
    "event_time": str(START_MS),
}
PLACED = GOOD | {"chain_id": "1", "tx_hash": '"0xab"', "log_index": "7"}


def written(texts: dict[str, str], **changed: str | None) -> bytes:
    """Write JSON texts as an object; None leaves a field out."""
    members = {name: text for name, text in (texts | changed).items() if text is not None}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode()


def good(message: bytes, max_ahead_ms: int | None = AHEAD_MS) -> Swap:
    swap = decode_message(message, APPEND_MS, max_ahead_ms)
    assert isinstance(swap, Swap), (message[:300], swap)
    return swap


def reason(message: bytes, max_ahead_ms: int | None = AHEAD_MS) -> str:
    refusal = decode_message(message, APPEND_MS, max_ahead_ms)
    assert isinstance(refusal, Refusal), (message[:300], refusal)
    assert refusal.reason in wire.REASONS[1:]
    assert refusal.detail.startswith("Expected ")
    assert ", was " in refusal.detail
    assert len(refusal.detail) <= 300
    refusal.detail.encode()
    return refusal.reason


def means(swap: Swap, meant: WireSwap) -> bool:
    """Whether a decoded message says what its writer meant."""
    names = {field.name for field in fields(WireSwap)}
    return swap.token_key == meant.token_key and all(
        getattr(swap, name) == getattr(meant, name) for name in names
    )


# What is read


def test_every_field_arrives() -> None:
    message = written(
        PLACED,
        block_number="9",
        block_hash='"0xb"',
        inclusion="2",
        token_symbol='"S"',
        pool_address='"p"',
        venue='"v"',
        trader='"w"',
        side='"sell"',
        amount_usd='"0.000001"',
        ingested_time='"2024-01-05T00:00:01.5Z"',
        removed="true",
    )
    assert good(message) == Swap(
        event_id="e",
        chain_id=1,
        tx_hash="0xab",
        log_index=7,
        block_number=9,
        block_hash="0xb",
        inclusion=2,
        token_address="t",
        token_key="1:t",
        token_symbol="S",
        pool_address="p",
        venue="v",
        trader="w",
        side="sell",
        amount_token=15 * 10**17,
        amount_usd=1,
        event_ms=START_MS,
        ingested_ms=1_704_412_801_500,
        removed=True,
    )


def test_content_is_what_a_duplicate_repeats() -> None:
    swap = good(written(PLACED, amount_usd="2"))
    assert swap.content == ("1:t", "buy", 15 * 10**17, 2_000_000, START_MS)


@pytest.mark.parametrize("name", ["amount_usd", "chain_id", "venue", "removed", "ingested_time"])
def test_null_is_absent(name: str) -> None:
    assert good(written(GOOD, **{name: "null"})) == good(written(GOOD))


def test_absent_fields_have_their_defaults() -> None:
    swap = good(written(GOOD))
    assert (swap.amount_usd, swap.removed, swap.inclusion) == (None, False, 0)
    assert (swap.token_key, swap.chain_id, swap.ingested_ms) == ("t", None, None)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ('"0"', 0),
        ("0", 0),
        ("1.5", 15 * 10**17),
        ("1.50", 15 * 10**17),
        ('"007.5"', 75 * 10**17),
        ("0.000000000000000001", 1),
        ("0.1", 10**17),
        ('"99999999999999999999.999999999999999999"', 10**38 - 1),
        ("99999999999999999999.999999999999999999", 10**38 - 1),
        ('"00000000000000000001"', 10**18),
        ('"\\u0031"', 10**18),
        ("9007199254740993", 9_007_199_254_740_993 * 10**18),
    ],
)
def test_amount_token(text: str, amount: int) -> None:
    assert good(written(GOOD, amount_token=text)).amount_token == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("null", None),
        ('"0.000000"', 0),
        ("999999999999.999999", 10**18 - 1),
        ('"00000000999999999999.999999"', 10**18 - 1),
        ("12345.67", 12_345_670_000),
    ],
)
def test_amount_usd(text: str, amount: int | None) -> None:
    assert good(written(GOOD, amount_usd=text)).amount_usd == amount


@pytest.mark.parametrize(
    ("text", "event_ms"),
    [
        (str(wire.EVENT_MS_MIN), wire.EVENT_MS_MIN),
        ('"2009-01-03T00:00:00Z"', wire.EVENT_MS_MIN),
        ('"2009-01-02T23:00:00-01:00"', wire.EVENT_MS_MIN),
        ('"2009-01-03t23:59:00.000+23:59"', wire.EVENT_MS_MIN),
        ('"2024-01-05T00:00:00z"', 1_704_412_800_000),
        ('"2024-01-05T00:00:00-00:00"', 1_704_412_800_000),
        ('"2024-01-05T00:00:00.1Z"', 1_704_412_800_100),
        ('"2024-01-05T00:00:00.12Z"', 1_704_412_800_120),
        ('"2024-01-05T00:00:00.1239999999999999999Z"', 1_704_412_800_123),
        ('"2024-02-29T00:00:00Z"', 1_709_164_800_000),
        ('"9999-12-31T23:59:59.999Z"', 253_402_300_799_999),
        (str(TIME_MS_LIMIT - 1), TIME_MS_LIMIT - 1),
    ],
)
def test_event_time(text: str, event_ms: int) -> None:
    assert good(written(GOOD, event_time=text), None).event_ms == event_ms


@pytest.mark.parametrize(
    ("text", "ingested_ms"),
    [
        ("-5", -5),
        ("-0", 0),
        ("9" * 5_000, TIME_MS_LIMIT),
        ("-" + "9" * 5_000, -TIME_MS_LIMIT),
        ('"0000-01-01T00:00:00Z"', -62_167_219_200_000),
        ('"0000-02-29T00:00:00Z"', -62_162_121_600_000),
        ('"1969-12-31T23:59:59.9999Z"', -1),
        ('"0400-03-01T00:00:00.001Z"', -49_539_254_399_999),
    ],
)
def test_only_the_form_of_ingested_time_is_checked(text: str, ingested_ms: int) -> None:
    assert good(written(GOOD, ingested_time=text)).ingested_ms == ingested_ms


def test_the_bound_ahead_follows_append_time() -> None:
    newest_ms = APPEND_MS + AHEAD_MS
    assert good(written(GOOD, event_time=str(newest_ms))).event_ms == newest_ms
    for text in (str(newest_ms + 1), "9" * 19, "9" * 5_000, '"9999-12-31T23:59:59Z"'):
        assert reason(written(GOOD, event_time=text)) == "too_far_ahead"
    assert reason(written(GOOD, event_time=str(TIME_MS_LIMIT)), None) == "too_far_ahead"
    assert reason(written(GOOD, event_time="9" * 5_000), None) == "too_far_ahead"


def test_identity_is_composed_or_opaque() -> None:
    assert good(written(PLACED, event_id=None)).event_id == "1:0xab:7"
    assert good(written(PLACED, event_id="null")).event_id == "1:0xab:7"
    assert good(written(PLACED, event_id='" 1:0XAB:7"')).event_id == " 1:0XAB:7"
    assert good(written(GOOD, tx_hash='""')).tx_hash == ""


def test_text_bounds_are_in_bytes() -> None:
    longest = "\u00fc" * (wire.TEXT_BYTES_MAX // 2)
    swap = good(written(GOOD, event_id=f'"{longest}"', token_address=f'"{longest}"'))
    assert (swap.event_id, swap.token_key) == (longest, longest)
    hash_chars = wire.TEXT_BYTES_MAX - len("1::7")
    message = written(PLACED, event_id=None, tx_hash='"' + "a" * hash_chars + '"')
    assert len(good(message).event_id) == wire.TEXT_BYTES_MAX
    longer = written(PLACED, event_id=None, tx_hash='"' + "a" * (hash_chars + 1) + '"')
    assert reason(longer) == "bad_event_id"


def test_integers_reach_their_bound() -> None:
    swap = good(written(PLACED, chain_id=str(wire.INTEGER_MAX), inclusion=str(wire.INTEGER_MAX)))
    assert (swap.chain_id, swap.inclusion) == (wire.INTEGER_MAX, wire.INTEGER_MAX)
    assert good(written(PLACED, chain_id="-0", event_id=None)).event_id == "0:0xab:7"


def test_the_last_of_equal_keys_wins() -> None:
    twice = b'{"side":[1],"\\u0073ide":"sell",' + written(GOOD)[1:-1] + b',"s\\u0069de":"sell"}'
    assert good(twice).side == "sell"


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud83d\\ude80"',
        '"\\\\ud800"',
        '"\\\\\\\\ud800\\ud83d\\ude80"',
        "1e999999",
        "9" * 10_000,
        "[[]," + "[" * (NESTING_MAX - 2) + "]" * (NESTING_MAX - 1),
        '"' + "[{" * 200 + '\\"[["',
        "[" + ",".join(["[]"] * 500) + "]",
        '"\\u0000\x7f"',
    ],
)
def test_unknown_fields_may_hold_anything(text: str) -> None:
    assert good(written(GOOD, unknown=text)) == good(written(GOOD))


def test_nesting_has_a_fixed_bound() -> None:
    deep = "[" * NESTING_MAX + "]" * NESTING_MAX
    assert reason(written(GOOD, unknown=deep)) == "malformed_json"


def test_a_message_of_the_largest_size_is_read() -> None:
    message = written(GOOD)
    padded = message + b" " * (wire.MESSAGE_BYTES_MAX - len(message))
    assert good(padded) == good(message)
    assert reason(padded + b" ") == "too_large"


# What is refused


@pytest.mark.parametrize(
    ("why", "name", "text"),
    [(why, name, text) for (why, name), texts in BAD_VALUES.items() for text in texts],
    ids=lambda value: value[:40],
)
def test_bad_value(why: str, name: str, text: str) -> None:
    assert reason(written(GOOD, **{name: text})) == why


@pytest.mark.parametrize("name", [name for name in GOOD if name != "event_id"])
def test_missing_field(name: str) -> None:
    assert reason(written(GOOD, **{name: None})) == "missing_field"


@pytest.mark.parametrize("name", ["chain_id", "tx_hash", "log_index"])
@pytest.mark.parametrize("text", [None, "null", '""'])
def test_missing_part_of_the_identity(name: str, text: str | None) -> None:
    why = "missing_field" if text != '""' or name == "tx_hash" else "bad_field"
    assert reason(written(PLACED, event_id=None, **{name: text})) == why


@pytest.mark.parametrize("why", list(BAD_BYTES))
def test_bad_bytes(why: str) -> None:
    for message in BAD_BYTES[why]:
        assert reason(message) == why, message[:100]


def test_every_reason_of_the_decoder_is_in_the_tables() -> None:
    tables = {why for why, _ in BAD_VALUES} | set(BAD_BYTES)
    assert tables | {"ok", "too_far_ahead", "conflict"} == set(wire.REASONS)


def test_broken_json_of_any_depth_is_linear_and_refused() -> None:
    quotes = b'{"a":[' + b"[]," * 200 + b'"' + b'\\"' * 400_000
    assert reason(quotes) == "malformed_json"
    limit = sys.getrecursionlimit()
    assert reason(b"[" * (limit * 3)) == "malformed_json"


ORDER = [
    ("bad_schema_version", "schema_version", "2"),
    ("missing_field", "token_address", None),
    ("bad_event_id", "event_id", '""'),
    ("bad_field", "chain_id", '"1"'),
    ("bad_field", "inclusion", "-1"),
    ("bad_token", "token_address", '""'),
    ("bad_field", "venue", "1"),
    ("bad_side", "side", '"x"'),
    ("bad_amount_token", "amount_token", '"-1"'),
    ("bad_amount_usd", "amount_usd", '"-1"'),
    ("bad_event_time", "event_time", "5"),
    ("bad_field", "ingested_time", "1.5"),
    ("too_far_ahead", "event_time", "9" * 19),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_order_of_the_checks(first: int) -> None:
    """Of all rules broken at once, the first in the contract's order names the reason."""
    changed: dict[str, str | None] = {}
    for _, name, text in ORDER[first:]:
        changed.setdefault(name, text)
    assert reason(written(GOOD, **changed)) == ORDER[first][0]


def test_order_of_the_first_checks() -> None:
    assert reason(b"\xff" * (wire.MESSAGE_BYTES_MAX + 1)) == "too_large"
    assert reason(b"{\xff") == "not_utf8"
    assert reason(written(GOOD, side=None, schema_version="2")) == "bad_schema_version"
    assert reason(written(PLACED, event_id=None, log_index=None, chain_id="[]")) == "missing_field"
    too_long = {"event_id": None, "tx_hash": '"' + "a" * 300 + '"'}
    assert reason(written(PLACED, **too_long, log_index="[]")) == "bad_field"
    assert reason(written(PLACED, **too_long, block_number="[]")) == "bad_event_id"


# Any input


@given(any_bytes())
def test_any_bytes_get_a_verdict(message: bytes) -> None:
    verdict = decode_message(message, APPEND_MS, AHEAD_MS)
    if isinstance(verdict, Swap):
        assert isinstance(json.loads(message), dict)
    else:
        assert reason(message) == verdict.reason


@given(wire_swaps(), rngs())
def test_every_spelling_means_the_same(meant: WireSwap, rng: Random) -> None:
    plain = good(spelled(meant))
    assert means(plain, meant)
    for _ in range(4):
        message = respelled(rng, meant)
        assert good(message) == plain, message


@given(rngs())
@settings(max_examples=200)
def test_random_bad_messages_are_refused_for_their_reason(rng: Random) -> None:
    why, message = bad_message(rng, START_MS, APPEND_MS + AHEAD_MS)
    assert reason(message) == why


def test_seeded_streams_repeat_and_are_whole() -> None:
    shape = StreamShape(swaps=300)
    stream = random_stream(Random(11), shape)
    assert stream == random_stream(Random(11), shape)
    assert [good(spelled(swap)).removed for swap in stream] == [swap.removed for swap in stream]
    seen = {swap.token_key for swap in stream}
    assert len(seen) == 5
    assert {swap.amount_usd is None for swap in stream} == {True, False}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}")
@pytest.mark.parametrize("path", sorted(DATA.glob("*.ndjson.gz")), ids=lambda path: path.name[:40])
def test_real_data_is_never_refused(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    assert lines
    for line in lines:
        swap = good(line, None)
        raw = json.loads(line)
        assert swap.event_id == raw["event_id"]
        assert swap.event_ms == raw["event_time"]
        assert str(swap.amount_token).rjust(19, "0") == raw["amount_token"].replace(".", "").lstrip(
            "0"
        ).rjust(19, "0")
