"""Blocks of a chain as a collector sees them, and what may be decided about a new head."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from swapstats.model.raw_event import PoolSwap


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number and hash."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Header:
    """What links a block to its chain.

    Attributes:
        number: height.
        hash: lower case with 0x, like every hash here.
        parent_hash: hash of the block before.
        time_ms: the block's time, ms since epoch.
    """

    number: int
    hash: str
    parent_hash: str
    time_ms: int

    @property
    def ref(self) -> BlockRef:
        """Number and hash."""
        return BlockRef(self.number, self.hash)


@dataclass(frozen=True, slots=True)
class Block:
    """A block and its swaps, in the order of their logs."""

    header: Header
    swaps: tuple[PoolSwap, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to write: messages with the position and notes that go with them.

    Attributes:
        swaps: messages; none = written ahead, or nothing but a new position.
        position: where the collector stands once this is written.
        notes: what to remember (text) or forget (None), by key.
    """

    swaps: tuple[PoolSwap, ...]
    position: str
    notes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeedParent:
    """The way down to a known block is not complete: ask for this block, by its hash."""

    parent: BlockRef


@dataclass(frozen=True, slots=True)
class NothingNew:
    """The head is ours."""


@dataclass(frozen=True, slots=True)
class Lagging:
    """The head is an earlier block of our own chain: a node that is behind, not a reorg."""

    blocks: int


@dataclass(frozen=True, slots=True)
class BeyondFinality:
    """The head's chain does not hold our newest final block."""

    expected: BlockRef
    found_hash: str


@dataclass(frozen=True, slots=True)
class Advance:
    """Make the head ours: fetch the logs of `fetch`, drop down to the ancestor, then add.

    Attributes:
        ancestor: number of the newest block that both chains share.
        fetch: headers of the blocks to add, ascending.
    """

    ancestor: int
    fetch: tuple[Header, ...]


Decision = NeedParent | NothingNew | Lagging | BeyondFinality | Advance
