"""The floor every full path is held against: typed decoding of the same bytes, and nothing else.

A message becomes one msgspec Struct with every wire v1 field the engine reads or checks, amounts
as the text they stand in. It is decoded message by message, from bytes objects that are there
already, and thrown away at once: keeping a batch of Structs would cost the floor a good part of
its speed in cache misses. Whoever reads messages one by one in Python cannot be quicker.
"""

from collections.abc import Sequence

import msgspec


class FloorSwap(msgspec.Struct, gc=False):
    """Wire v1 as typed fields."""

    schema_version: int
    token_address: str
    side: str
    amount_token: str
    event_time: int
    event_id: str | None = None
    chain_id: int | None = None
    tx_hash: str | None = None
    log_index: int | None = None
    block_number: int | None = None
    block_hash: str | None = None
    inclusion: int = 0
    token_symbol: str | None = None
    pool_address: str | None = None
    venue: str | None = None
    trader: str | None = None
    amount_usd: str | None = None
    ingested_time: int | None = None
    removed: bool = False


_decode = msgspec.json.Decoder(FloorSwap).decode


def decode_each(messages: Sequence[bytes]) -> int:
    """Decode messages one by one; returns how many."""
    for message in messages:
        _decode(message)
    return len(messages)


def decode_one(message: bytes) -> FloorSwap:
    """Decode one message."""
    return _decode(message)
