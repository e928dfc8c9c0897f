"""What is to be known of an event before its logs can be read.

A further protocol is one file with a `SwapEvent`: which logs are meant, and how their topics and
data become pool, amounts and depth. Counts of topics and words, emitters, hex digits and the place
on the chain are checked and read for all events alike in `plain_decode.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from swapstats.core.evm.logs import EvmLog

Reserves = tuple[int, int]
SwapFacts = tuple[str, int, int, str | None, int | None, int | None]
"""Pool, amount0, amount1 (the pool's view: > 0 came in), trader, depth0, depth1."""
PoolFacts = tuple[str, str, str]
"""Pool, token0, token1."""


class Layout(Enum):
    """What the topics and words of a swap mean, where the fast scanner knows it.

    A layout stands for one of the readers there are, and has to come out as that one does.
    """

    V2 = "uniswap_v2.read_swap"
    CONCENTRATED = "uniswap_v3.read_swap"
    CONCENTRATED_SWAPPER = "uniswap_v4.read_swap"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapEvent:
    """The Swap event of one protocol.

    Attributes:
        topic0: keccak256 of its signature, lower case with 0x.
        venue: what its swaps are called, such as `uniswap_v3`.
        topics: how many topics its logs have, topic0 included.
        words: how many 32-byte words of data.
        read: from a log, its data (of the right length) and the pool's reserves, if it told them in
            the log before, to the facts. Raises OutOfRange where a word is no value of its type.
        emitters: the only contracts whose logs count; None = any.
        sync_topic0: topic0 of a log with the pool's two reserves as its only words, which the same
            contract writes right before each swap; None = there is none.
        layout: the one `read` reads, if the fast scanner knows it; None = leave it to `read`.
    """

    topic0: str
    venue: str
    topics: int
    words: int
    read: Callable[[EvmLog, bytes, Reserves | None], SwapFacts]
    emitters: frozenset[str] | None = None
    sync_topic0: str | None = None
    layout: Layout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvent:
    """The event by which a protocol tells of a new pool.

    Attributes:
        topic0: keccak256 of its signature, lower case with 0x.
        venue: the same as its `SwapEvent`'s.
        topics: how many topics its logs have, topic0 included.
        words: how many 32-byte words of data.
        read: from a log and its data (of the right length) to the facts. Raises OutOfRange where a
            word is no value of its type.
        emitters: the only contracts whose logs count; None = any.
    """

    topic0: str
    venue: str
    topics: int
    words: int
    read: Callable[[EvmLog, bytes], PoolFacts]
    emitters: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvent:
    """A log whose two words are the reserves of the pool that writes it.

    Attributes:
        topic0: keccak256 of its signature.
        venue: of the swaps it precedes.
        topics: how many topics its logs have.
        words: how many 32-byte words of data.
        emitters: None: whoever wrote the swap.
    """

    topic0: str
    venue: str
    topics: int = 1
    words: int = 2
    emitters: frozenset[str] | None = None


Event = SwapEvent | PoolEvent | SyncEvent
