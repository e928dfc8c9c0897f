"""Where a source of an exchange stood: the last trade of each market, as versioned JSON."""

import msgspec

from swapstats.adapters.sources.exchange.venue import Mark
from swapstats.errors import Rejected

POSITION_VERSION = 1
IDS_KEPT = 100
"""Ids remembered over a restart where ids have no order; doubles beyond are dropped later on."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Missing(msgspec.Struct, gc=False, array_like=True):
    """Holes of a market since its beginning.

    Attributes:
        holes: how many.
        trades: how many trades lacked in them, as far as known.
    """

    holes: int = 0
    trades: int = 0


class Position(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is needed to go on.

    Attributes:
        v: POSITION_VERSION.
        venue: whose ids these are.
        last: the last trade of each market that went on.
        seen: ids that went on last, of markets whose ids have no order.
        missing: holes of each market.
    """

    v: int = POSITION_VERSION
    venue: str
    last: dict[str, Mark] = {}
    seen: dict[str, tuple[str, ...]] = {}
    missing: dict[str, Missing] = {}


def read_position(text: str | None, venue: str) -> Position:
    """Read a position; None = a new one.

    Raises:
        Rejected: it is none of this venue.
    """
    if text is None:
        return Position(venue=venue)
    try:
        position = msgspec.json.decode(text, type=Position)
    except msgspec.DecodeError as error:
        raise Rejected(
            f"Expected a position of {venue}, was {text[:200]!r}: "
            f"start with an empty data directory"
        ) from error
    if (position.v, position.venue) != (POSITION_VERSION, venue):
        raise Rejected(
            f"Expected a position of {venue} in version {POSITION_VERSION}, was one of "
            f"{position.venue} in version {position.v}: start with an empty data directory"
        )
    return position


def write_position(position: Position) -> str:
    """Write a position."""
    return _encode(position).decode()
