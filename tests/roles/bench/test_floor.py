import msgspec
import pytest

from swapstats.core.plain_decode import Swap, decode_message
from swapstats.roles.bench.floor import FloorSwap, decode_each, decode_one
from swapstats.roles.bench.streams import demo_arrivals

WIRE_V1 = {
    "schema_version",
    "event_id",
    "chain_id",
    "tx_hash",
    "log_index",
    "block_number",
    "block_hash",
    "inclusion",
    "token_address",
    "token_symbol",
    "pool_address",
    "venue",
    "trader",
    "side",
    "amount_token",
    "amount_usd",
    "event_time",
    "ingested_time",
    "removed",
}


def test_the_floor_has_every_wire_field() -> None:
    names = {field.name for field in msgspec.structs.fields(FloorSwap)}
    assert names == WIRE_V1


def test_the_floor_reads_the_same_values_as_the_engine() -> None:
    arrivals = demo_arrivals(3, 50, 200)
    for message, arrived_ms in (next(arrivals) for _ in range(300)):
        swap = decode_message(message, arrived_ms, None)
        assert isinstance(swap, Swap)
        found = decode_one(message)
        assert (found.side, found.event_time, found.removed, found.inclusion) == (
            swap.side,
            swap.event_ms,
            swap.removed,
            swap.inclusion,
        )
        assert int(found.amount_token.replace(".", "")) == swap.amount_token
        assert (found.amount_usd is None) == (swap.amount_usd is None)


def test_the_floor_counts_and_does_not_skip() -> None:
    arrivals = demo_arrivals(3, 50, 200)
    messages = [next(arrivals)[0] for _ in range(20)]
    assert decode_each(messages) == 20
    with pytest.raises(msgspec.MsgspecError):
        decode_each([*messages, b"{}"])
