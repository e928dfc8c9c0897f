"""One token's update as bytes between instances: a version byte, then msgpack without field names.

Numbers stay integers. Readers take what fits and refuse the rest; they never guess.
"""

from typing import Annotated, Final

import msgspec

from swapstats.core.subject import KEY_BYTES_MAX
from swapstats.errors import Rejected
from swapstats.model.stats import ROW_WORDS
from swapstats.model.token_update import TokenUpdate

VERSION: Final = 1
WINDOWS_MAX: Final = 64
"""Most windows of one update."""
PAYLOAD_BYTES_MAX: Final = 16 << 10
"""Longest payload that is looked at."""

_WORD_MAX = (1 << 63) - 1
_Natural = Annotated[int, msgspec.Meta(ge=0, le=_WORD_MAX)]
# No lower bound: msgpack itself has none below -2^63.
_Word = Annotated[int, msgspec.Meta(le=_WORD_MAX)]
_Key = Annotated[str, msgspec.Meta(max_length=KEY_BYTES_MAX)]


class _Payload(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """`TokenUpdate` in the order its fields are written."""

    key: _Key
    symbol: _Key | None
    partition: _Natural
    epoch: _Natural
    seq: _Natural
    prev: _Natural
    offset: _Natural
    t_ms: _Natural
    end_ms: _Natural
    complete_since_ms: _Natural
    row: tuple[_Word, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)
_HEAD = bytes([VERSION])


def encode_update(update: TokenUpdate) -> bytes:
    """Write an update.

    Raises:
        Rejected: a number does not fit 64 bits, or a text is no Unicode.
    """
    try:
        return _HEAD + _encoder.encode(
            (
                update.key,
                update.symbol,
                update.partition,
                update.epoch,
                update.seq,
                update.prev,
                update.offset,
                update.t_ms,
                update.end_ms,
                update.complete_since_ms,
                update.row,
            )
        )
    except (OverflowError, UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise Rejected(f"Expected a token update of 64-bit numbers, was {error}") from error


def decode_update(payload: bytes) -> TokenUpdate:
    """Read an update back: the inverse of `encode_update`.

    Raises:
        Rejected: the bytes are no update, or one of another version.
    """
    if not 2 <= len(payload) <= PAYLOAD_BYTES_MAX:
        raise Rejected(
            f"Expected a token update of 2 to {PAYLOAD_BYTES_MAX} bytes, was {len(payload)}"
        )
    if payload[0] != VERSION:
        raise Rejected(f"Expected a token update of version {VERSION}, was {payload[0]}")
    try:
        found = _decoder.decode(memoryview(payload)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Rejected(f"Expected a token update, was {error}") from error
    words = len(found.row)
    if not words or words % ROW_WORDS or words > WINDOWS_MAX * ROW_WORDS:
        raise Rejected(
            f"Expected the words of 1 to {WINDOWS_MAX} windows, {ROW_WORDS} each, was {words}"
        )
    return TokenUpdate(
        found.key,
        found.symbol,
        found.partition,
        found.epoch,
        found.seq,
        found.prev,
        found.offset,
        found.t_ms,
        found.end_ms,
        found.complete_since_ms,
        found.row,
    )
