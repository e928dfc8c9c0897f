"""How a collector's position and its notes of blocks are written down.

The position is small JSON: the newest final block, the newest block included, and the block that
is being made the newest (`goal`). A block note holds all that is needed to include the block again
or to take it back without asking a node; swaps are compressed, for they are written twice.
"""

import base64
import binascii
import zlib
from typing import Final

import msgspec

from swapstats.core.evm.chain import Block, BlockRef, Header
from swapstats.errors import Rejected
from swapstats.model.raw_event import PoolSwap

POSITION_VERSION: Final = 1
BLOCK_PREFIX: Final = "block/"
RANGE_KEY: Final = "range"
SWAPS_BYTES_MAX: Final = 1 << 28
"""What the swaps of one note may grow to when they are read back."""
REMEDY: Final = (
    "restore the source's position and notes from a copy, or start with an empty data directory"
)


class ChainPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a collector stands.

    Attributes:
        v: POSITION_VERSION.
        chain_id: EIP-155 id.
        final: number of the newest final block; everything up to it is in the log for good.
        final_hash: its hash.
        head: number of the newest block that is included.
        goal: the block that is being made the newest; `head` if nothing is under way. Lower: what
            is above it may be taken back already. Higher: what is up to it may be in the log.
    """

    v: int
    chain_id: int
    final: int
    final_hash: str
    head: int
    goal: int


class _RangeNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    hash: str


class _BlockNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    hash: str
    parent: str
    time: int
    swaps: str


def write_position(chain_id: int, final: BlockRef, head: int, goal: int) -> str:
    """Write a position."""
    position = ChainPosition(
        v=POSITION_VERSION,
        chain_id=chain_id,
        final=final.number,
        final_hash=final.hash,
        head=head,
        goal=goal,
    )
    return msgspec.json.encode(position).decode()


def read_position(text: str, chain_id: int) -> ChainPosition:
    """Read a position.

    Raises:
        Rejected: it is none, or another chain's.
    """
    try:
        position = msgspec.json.decode(text, type=ChainPosition)
    except msgspec.MsgspecError as error:
        raise Rejected(
            f"Expected a position of an EVM collector, was {text[:200]!r}: {REMEDY}"
        ) from error
    if position.v != POSITION_VERSION:
        raise Rejected(
            f"Expected a position of version {POSITION_VERSION}, was {position.v}: "
            f"run the version that wrote it"
        )
    if position.chain_id != chain_id:
        raise Rejected(
            f"Expected a position of chain {chain_id}, was one of chain {position.chain_id}: "
            f"give the source another name, or its own chain id"
        )
    if min(position.head, position.goal) < position.final:
        raise Rejected(f"Expected head and goal above the final block, was {text!r}: {REMEDY}")
    return position


def block_key(number: int) -> str:
    """Key of the note of a block."""
    return f"{BLOCK_PREFIX}{number}"


def write_block(block: Block) -> str:
    """Write the note of a block."""
    swaps = ""
    if block.swaps:
        packed = zlib.compress(msgspec.json.encode(block.swaps), 6)
        swaps = base64.b64encode(packed).decode()
    header = block.header
    note = _BlockNote(POSITION_VERSION, header.hash, header.parent_hash, header.time_ms, swaps)
    return msgspec.json.encode(note).decode()


def read_block(number: int, text: str) -> Block:
    """Read the note of a block.

    Raises:
        Rejected: it is none.
    """
    try:
        note = msgspec.json.decode(text, type=_BlockNote)
        swaps = _unpacked(note.swaps) if note.swaps else ()
    except (msgspec.MsgspecError, ValueError, binascii.Error, zlib.error) as error:
        raise Rejected(
            f"Expected the note of block {number}, was {text[:80]!r} ({error}): {REMEDY}"
        ) from error
    if note.v != POSITION_VERSION:
        raise Rejected(
            f"Expected notes of version {POSITION_VERSION}, was {note.v}: "
            f"run the version that wrote them"
        )
    return Block(Header(number, note.hash, note.parent, note.time), swaps)


def write_range(end: BlockRef) -> str:
    """Write the note of a range of final blocks that may be in the log, by its last block."""
    return msgspec.json.encode(_RangeNote(end.number, end.hash)).decode()


def read_range(text: str) -> BlockRef:
    """Read the note of a range.

    Raises:
        Rejected: it is none.
    """
    try:
        note = msgspec.json.decode(text, type=_RangeNote)
    except msgspec.MsgspecError as error:
        raise Rejected(f"Expected the note of a range, was {text[:80]!r}: {REMEDY}") from error
    return BlockRef(note.number, note.hash)


def _unpacked(text: str) -> tuple[PoolSwap, ...]:
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(base64.b64decode(text, validate=True), SWAPS_BYTES_MAX)
    if not unpacker.eof:
        raise ValueError("it ends early, or is too large")
    return msgspec.json.decode(plain, type=tuple[PoolSwap, ...])
