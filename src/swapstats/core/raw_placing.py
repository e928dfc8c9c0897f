"""Which partition of the raw log a raw event belongs to: by its chain; exchanges lie together.

One coin is traded on many exchanges, and its candles and newest price are made of all of them.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.core.decode import partition_of_key
from swapstats.model.record import MessageBlock

EXCHANGES: Final = "exchanges"
"""Key of the trades of every exchange."""


class _Place(msgspec.Struct):
    """What of a raw event decides where it lies."""

    chain_id: int | None = None
    venue: str = ""


_decoder = msgspec.json.Decoder(_Place)


def place_raw_events(block: MessageBlock, partition_count: int, now_ms: int) -> NDArray[np.int32]:
    """Choose the partition of each raw event; one that cannot be read lies in the first.

    Args:
        block: the events.
        partition_count: partitions of the raw log.
        now_ms: of no matter here.
    """
    del now_ms
    partitions = np.zeros(len(block), dtype=np.int32)
    if partition_count == 1:
        return partitions
    found: dict[str, int] = {}
    for index in range(len(block)):
        key = raw_key(block.message(index))
        if key is not None:
            if key not in found:
                found[key] = partition_of_key(key, partition_count)
            partitions[index] = found[key]
    return partitions


def raw_keys(block: MessageBlock, now_ms: int) -> list[bytes | None]:
    """What the records of a block of raw events are keyed by; see `raw_key`."""
    del now_ms
    keys = (raw_key(block.message(index)) for index in range(len(block)))
    return [None if key is None else key.encode() for key in keys]


def raw_key(message: bytes) -> str | None:
    """What a raw event is placed by: its chain, or EXCHANGES; None if it has neither."""
    try:
        place = _decoder.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if place.chain_id is not None:
        return str(place.chain_id)
    return EXCHANGES if place.venue else None
