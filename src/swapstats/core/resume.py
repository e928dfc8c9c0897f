"""What a client that was here before gets: a patch, a snapshot, or a wait for newer numbers.

Never lets numbers go back in time: an instance that has not reached what the client has seen
makes it wait instead of answering with older numbers.
"""

from dataclasses import dataclass

from swapstats.core.market import Market
from swapstats.core.patch import Version, parse_stream


@dataclass(frozen=True, slots=True)
class Resume:
    """How to go on.

    Attributes:
        base: the version the client holds, if still known: it gets a patch; else a snapshot.
        wait: (epoch, seq) the partition must reach first; None if it has.
    """

    base: Version | None = None
    wait: tuple[int, int] | None = None


def plan_resume(market: Market, index: int, stream: str, seq: int) -> Resume:
    """Decide how a client that holds `stream` and `seq` of a token goes on.

    May raise the seq of the token's unchanged numbers to that of its partition (`promote`), so
    that a client never sees a seq below its own.
    """
    known = parse_stream(stream)
    partition, place = market.position(index)
    if known is None or (known.origin, known.partition) != (market.origin, partition):
        return Resume()
    if (known.epoch, seq) > (place.epoch, place.seq):
        return Resume(wait=(known.epoch, seq))
    base = market.past_version(index, stream, seq)
    if base is None and seq > market.seq(index):
        market.promote(index)
    return Resume(base)
