"""Batches decoded by kernel and plain decoder together; partitions chosen by token key."""

from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import KEY, T0_MS, batch_of, swap

from swapstats.core.decode import choose_partitions, decode, partition_of_key
from swapstats.core.hash_key import HashKey
from swapstats.core.kernels.reference.intern import murmur2
from swapstats.core.plain_decode import Refusal, decode_message
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.wire import REASONS
from swapstats.testing.wire_streams import (
    TOKENS,
    StreamShape,
    WireSwap,
    bad_message,
    random_stream,
    respelled,
    spelled,
)

AHEAD_MS = 3_600_000
CONTENT = ("token_hash", "fingerprint", "check", "event_ms", "side", "removed", "unpriced", "usd")


def mixed(rng: Random, count: int) -> list[bytes]:
    """Ordinary, odd and bad messages."""
    swaps = random_stream(rng, StreamShape(swaps=count, start_ms=T0_MS))
    messages = [spelled(one) if rng.random() < 0.5 else respelled(rng, one) for one in swaps]
    for _ in range(count // 2):
        messages.insert(
            rng.randrange(len(messages)), bad_message(rng, T0_MS, T0_MS + AHEAD_MS)[1][:5_000]
        )
    return messages


@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_what_the_plain_decoder_says(seed: int) -> None:
    print("seed", seed)
    messages = mixed(Random(seed), 80)
    batch = batch_of(messages)
    columns = decode(batch, KEY, AHEAD_MS)
    for row, message in enumerate(messages):
        wanted = decode_message(message, T0_MS, AHEAD_MS)
        assert bool(columns.accepted[row]) == (not isinstance(wanted, Refusal))
        if isinstance(wanted, Refusal):
            assert columns.refusals[row] == (wanted.reason, wanted.detail)
            assert wanted.reason in REASONS
            continue
        assert columns.key(row) == wanted.token_key
        start, count = int(columns.symbol_start[row]), int(columns.symbol_count[row])
        symbol = columns.symbols.get(row) or batch.buffer[start : start + count].tobytes().decode()
        assert symbol == (wanted.token_symbol or "")
        assert bool(count) == bool(wanted.token_symbol)
        assert int(columns.hi[row]) << 64 | int(columns.lo[row]) == wanted.amount_token
        assert (columns.usd[row], columns.unpriced[row]) == (
            wanted.amount_usd or 0,
            wanted.amount_usd is None,
        )
        assert columns.event_ms[row] == wanted.event_ms
        assert (columns.side[row], columns.removed[row]) == (wanted.side == "buy", wanted.removed)
    assert len(columns.refusals) == (columns.accepted == 0).sum()
    assert 0 < len(columns.refusals) < len(messages)


def test_spelling_changes_no_column() -> None:
    """Fast rows and slow rows of the same swap: same hashes, same content check."""
    rng = Random(5)
    for one in random_stream(rng, StreamShape(swaps=40, start_ms=T0_MS)):
        columns = decode(
            batch_of([spelled(one), *(respelled(rng, one) for _ in range(6))]), KEY, None
        )
        assert columns.accepted.all()
        for name in (*CONTENT, "lo", "hi"):
            assert len(set(getattr(columns, name).tolist())) == 1, name
        assert len({columns.key(row) for row in range(7)}) == 1


def one_of(**changed: object) -> tuple[int, int]:
    columns = decode(batch_of([spelled(swap(1, **changed))]), KEY, None)  # type: ignore[arg-type] # by name
    assert columns.accepted[0]
    return int(columns.fingerprint[0]), int(columns.check[0])


def test_a_pair_is_event_id_and_inclusion_alone() -> None:
    pair = one_of()[0]
    for same in ({"side": "sell"}, {"removed": True}, {"amount_usd": None}, {"chain_id": 3}):
        assert one_of(**same)[0] == pair
    for other in ({"event_id": "e:2"}, {"inclusion": 1}):
        assert one_of(**other)[0] != pair


def test_the_check_sees_all_that_a_duplicate_must_repeat() -> None:
    check = one_of(amount_usd=0)[1]
    for same in ({"removed": True}, {"inclusion": 4}, {"event_id": "z"}, {"token_symbol": "Z"}):
        assert one_of(**{"amount_usd": 0} | same)[1] == check
    for other in (
        {"side": "sell"}, {"amount_usd": None}, {"amount_usd": 1}, {"amount_token": 10**18 + 1},
        {"amount_token": 10**18 + (1 << 64)}, {"event_ms": T0_MS + 1}, {"token_address": "u"},
        {"chain_id": 1},
    ):  # fmt: skip
        assert one_of(**{"amount_usd": 0} | other)[1] != check
    assert check < 1 << 30


def test_another_key_gives_other_fingerprints() -> None:
    batch = batch_of([spelled(swap(1))])
    mine, other = (decode(batch, HashKey.of(bytes([n]) * 16), None) for n in (1, 2))
    assert mine.fingerprint[0] != other.fingerprint[0]
    assert mine.token_hash[0] != other.token_hash[0]


@pytest.mark.parametrize(
    ("ahead_ms", "reason"), [(None, None), (999, "too_far_ahead"), (1_000, None)]
)
def test_too_far_ahead_is_judged_by_append_time(ahead_ms: int | None, reason: str | None) -> None:
    for message in (spelled(swap(1, 1_000)), respelled(Random(1), swap(1, 1_000))):
        columns = decode(batch_of([message]), KEY, ahead_ms)
        assert columns.refusals.get(0, (None, ""))[0] == reason


def test_a_batch_within_a_larger_buffer() -> None:
    """A batch may be a cut of a read block: its bounds need not begin at 0."""
    messages = [spelled(swap(n, token_address=f"t{n}")) for n in range(4)]
    whole = batch_of(messages)
    part = RecordBatch(0, whole.offsets[2:], whole.append_ms[2:], whole.buffer, whole.bounds[2:])
    columns = decode(part, KEY, None)
    assert [columns.key(row) for row in range(2)] == ["t2", "t3"]


def test_an_empty_batch_and_empty_messages() -> None:
    assert len(decode(batch_of([]), KEY, None).accepted) == 0
    columns = decode(batch_of([b"", b""]), KEY, None)
    assert [reason for reason, _ in columns.refusals.values()] == ["malformed_json"] * 2


def partitions(count: int, *messages: bytes) -> list[int]:
    chosen: list[int] = choose_partitions(
        MessageBlock.of(list(messages)), KEY, count, T0_MS
    ).tolist()
    return chosen


def test_one_tokens_messages_share_a_partition_whatever_their_spelling() -> None:
    rng = Random(9)
    swaps = random_stream(rng, StreamShape(swaps=30, start_ms=T0_MS))
    by_key: dict[str, set[int]] = {}
    for one in swaps:
        both = partitions(12, spelled(one), respelled(rng, one))
        by_key.setdefault(one.token_key, set()).update(both)
    assert len(by_key) == len(TOKENS)
    for key, found in by_key.items():
        assert found == {(murmur2(key.encode()) & 0x7FFFFFFF) % 12}
        assert found == {partition_of_key(key, 12)}


def test_partitions_do_not_depend_on_the_hash_key() -> None:
    block = MessageBlock.of([spelled(swap(n, token_address=f"t{n}")) for n in range(20)])
    mine = choose_partitions(block, KEY, 48, T0_MS)
    other = choose_partitions(block, HashKey.of(b"z" * 16), 48, T0_MS)
    np.testing.assert_array_equal(mine, other)
    assert len(set(mine.tolist())) > 8


def test_bad_messages_get_a_partition_by_their_bytes() -> None:
    bad = [b"", b"x", b"{}", b"\xff" * 9]
    found = partitions(1_000, spelled(swap(1)), *bad)
    assert found[1:] == [(murmur2(text) & 0x7FFFFFFF) % 1_000 for text in bad]
    assert partitions(1, *bad) == [0] * 4
    assert partitions(3) == []


def test_only_one_message_of_many_is_bad() -> None:
    good: list[WireSwap] = [swap(n) for n in range(200)]
    messages = [spelled(one) for one in good]
    messages[77] = messages[77][:-1]
    columns = decode(batch_of(messages), KEY, None)
    assert list(columns.refusals) == [77]
    assert columns.accepted.sum() == 199
