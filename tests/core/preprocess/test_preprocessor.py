import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.plain_decode import Swap, decode_message
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.errors import Rejected
from swapstats.testing.raw_events import (
    FIRST_MS,
    USDC,
    WETH,
    batch_of,
    exchange_trade,
    pool_swap,
)

SWAP = pool_swap(WETH, USDC, (-(10**18), 2 * 10**9), (10**20, 10**12))
TRADE = exchange_trade("BTC", "USDT", "40000")


def test_swaps_and_refusals_know_their_records() -> None:
    done = Preprocessor(PriceRules()).apply(batch_of([SWAP, b"{", TRADE, b'{"kind":"x"}', SWAP]))
    assert done.origins == [0, 2, 4]
    assert [(each.index, each.reason, each.is_letter) for each in done.refused] == [
        (1, "bad_json", True), (3, "unknown_kind", True),
    ]  # fmt: skip
    assert done.swaps[0] == done.swaps[2]
    assert done.counts == {"stable": 2, "exchange": 1}
    assert [candle.trades for candle in done.candles] == [1, 1]
    assert [price.token for price in done.prices] == [f"1:{WETH}", "BTC"]


def test_an_empty_batch_changes_nothing() -> None:
    made = Preprocessor(PriceRules())
    before = made.snapshot()
    done = made.apply(batch_of([]))
    assert (done.swaps, done.refused, done.candles, done.prices) == ([], [], [], [])
    assert made.snapshot() == before


def test_filtered_events_are_no_letters() -> None:
    made = Preprocessor(PriceRules(deny=frozenset({"BTC"})))
    (refused,) = made.apply(batch_of([TRADE])).refused
    assert (refused.reason, refused.is_letter) == ("denied", False)


def test_chains_without_rules_and_times_ahead_of_the_log_are_refused() -> None:
    strange = pool_swap(WETH, USDC, (1, -1), chain_id=31337)
    ahead = exchange_trade("BTC", "USDT", "1", event_time=FIRST_MS + 3_600_001)
    edge = exchange_trade("BTC", "USDT", "1", event_time=FIRST_MS + 3_600_000)
    done = Preprocessor(PriceRules()).apply(batch_of([strange, ahead, edge], FIRST_MS))
    assert [each.reason for each in done.refused] == ["unknown_chain", "too_far_ahead"]
    assert "31337" in done.refused[0].detail


def test_what_is_written_is_what_the_windows_read() -> None:
    """Seen by the decoder of the swap log, which asks for more than JSON."""

    done = Preprocessor(PriceRules()).apply(batch_of([SWAP, TRADE]))
    for message in done.swaps:
        assert isinstance(decode_message(message, FIRST_MS, 0), Swap)


def test_a_state_comes_back_as_it_was() -> None:
    made = Preprocessor(PriceRules())
    made.apply(batch_of([SWAP, TRADE]))
    blob = made.snapshot()
    again = Preprocessor.restore(PriceRules(), blob)
    assert again.snapshot() == blob
    assert again.apply(batch_of([SWAP, TRADE])) == made.apply(batch_of([SWAP, TRADE]))


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"", "rebuild it from the raw log"),
        (b"\xc1", "rebuild it from the raw log"),
        (b"\x01", "rebuild it from the raw log"),
        (msgspec.msgpack.encode([]), "rebuild it from the raw log"),
        (msgspec.msgpack.encode(["x", 1, "y"]), "was something else"),
        (msgspec.msgpack.encode(["swapstats.preprocess", 2, "y"]), "of version 1, was 2"),
        (
            msgspec.msgpack.encode(["swapstats.preprocess", 1, PriceRules().digest(), [], 5]),
            "damaged",
        ),
    ],
)
def test_what_is_no_state_is_refused(blob: bytes, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        Preprocessor.restore(PriceRules(), blob)


def test_a_state_of_other_rules_is_refused() -> None:
    blob = Preprocessor(PriceRules()).snapshot()
    with pytest.raises(Rejected, match="give the rules it was made by"):
        Preprocessor.restore(PriceRules(depeg_bps=5), blob)


ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["", "0", "-0", "-1", "1" * 78, "1" * 79, "1." + "0" * 40, "0." + "0" * 39 + "1", "1e5",
         "NaN", "0x", "0x" + "f" * 40, "0x" + "F" * 40, USDC, WETH, "USD", "USDT", "BTC", "\ud800",
         "\x00", None, True, 1.5, 0, -1, 36, 37, 255, 1 << 63, 1 << 64, 10**30, [], {}]
    ),
    st.text(max_size=5),
    st.integers(),
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), ODD), max_size=12))
def test_whatever_a_field_holds_it_is_a_swap_or_refused(changes: list[tuple[Any, ...]]) -> None:
    """No event stops the stream, no refusal lacks its reason, every swap is wire v1."""
    messages = []
    for is_trade, place, odd in changes:
        fields = msgspec.to_builtins(TRADE if is_trade else SWAP)
        fields[sorted(fields)[place % len(fields)]] = odd
        messages.append(json.dumps(fields).encode())
    made = Preprocessor(PriceRules())
    done = made.apply(batch_of(messages, FIRST_MS))
    assert len(done.swaps) + len(done.refused) == len(messages)
    assert all(each.detail for each in done.refused)
    for message in done.swaps:
        assert isinstance(decode_message(message, FIRST_MS, 3_600_000), Swap), message
    blob = made.snapshot()
    assert Preprocessor.restore(PriceRules(), blob).snapshot() == blob
