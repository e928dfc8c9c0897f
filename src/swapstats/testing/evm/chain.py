"""A chain of a test, on a real node: blocks are made, left and come back as the test decides.

Whoever steers it says which transactions stand in which block, in this order. Blocks may stand on
any block made before, so that branches grow side by side and the node flips between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from swapstats.testing.evm.json_rpc import JsonRpc

GAS_PRICE = 2 * 10**9
"""What every transaction pays: at one price they keep the order in which they were handed in."""


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block to be made.

    Attributes:
        transactions: signed, in their order.
        after_s: seconds after its parent; two blocks that differ in this alone are two blocks.
    """

    transactions: tuple[bytes, ...] = ()
    after_s: int = 12


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block that was made, on the canonical chain or not.

    Attributes:
        hash: its hash.
        parent: its parent's hash.
        number: height.
        time_s: timestamp, seconds.
        transactions: signed, in their order.
    """

    hash: str
    parent: str
    number: int
    time_s: int
    transactions: tuple[bytes, ...]


class DevChain(Protocol):
    """A chain that a test steers."""

    @property
    def url(self) -> str:
        """Where the node answers those under test."""
        ...

    @property
    def rpc(self) -> JsonRpc:
        """The steering side's own connection to the same node."""
        ...

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""
        ...

    @property
    def blocks(self) -> Mapping[str, MadeBlock]:
        """Every block ever made, by hash."""
        ...

    @property
    def head(self) -> str:
        """Hash of the newest canonical block."""
        ...

    def grow(self, parent: str, plans: Sequence[BlockPlan]) -> list[str]:
        """Make blocks upon one that was made before; the last of them becomes the head.

        Returns:
            Their hashes.
        """
        ...

    def switch(self, tip: str) -> None:
        """Make a block that was made before the head, longer or shorter as its branch may be."""
        ...

    def close(self) -> None:
        """Close the steering side's connections."""
        ...


def branch(
    blocks: Mapping[str, MadeBlock], tip: str, until: Sequence[str] | set[str] | frozenset[str]
) -> list[MadeBlock]:
    """Walk from a block down to the first whose parent is in `until`.

    Returns:
        The blocks, lowest first; none if `tip` itself is in `until`.
    """
    found: list[MadeBlock] = []
    while tip not in until:
        found.append(blocks[tip])
        tip = blocks[tip].parent
    return found[::-1]


def ancestors(blocks: Mapping[str, MadeBlock], tip: str) -> set[str]:
    """Hashes of a block and of all it stands on."""
    found = {tip}
    while blocks[tip].parent in blocks:
        tip = blocks[tip].parent
        found.add(tip)
    return found
