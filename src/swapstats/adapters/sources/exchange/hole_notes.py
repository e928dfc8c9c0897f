"""Holes as notes beside the position: the newest ones, over restarts."""

from collections.abc import Mapping

import msgspec

from swapstats.adapters.sources.exchange.gap import Hole
from swapstats.errors import Rejected

HOLES_KEPT = 100
_PREFIX = "hole:"


def hole_note(hole: Hole, number: int) -> dict[str, str]:
    """Write a hole as a note.

    Args:
        hole: the hole.
        number: how many there were before it; it takes the place of one long ago.
    """
    return {f"{_PREFIX}{number % HOLES_KEPT}": msgspec.json.encode(hole).decode()}


def read_holes(notes: Mapping[str, str], count: int) -> list[Hole]:
    """Read holes back, oldest first.

    Args:
        notes: what was noted.
        count: how many holes there were; notes may hold fewer.

    Raises:
        Rejected: a note is none of a hole.
    """
    found = []
    for number in range(max(count - HOLES_KEPT, 0), count):
        text = notes.get(f"{_PREFIX}{number % HOLES_KEPT}")
        if text is None:
            continue
        try:
            found.append(msgspec.json.decode(text, type=Hole))
        except msgspec.DecodeError as error:
            raise Rejected(
                f"Expected a note of a hole, was {text[:200]!r}: start with an empty data directory"
            ) from error
    return found
