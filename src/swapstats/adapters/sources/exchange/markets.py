"""What symbols stand for: asked of the exchange, from a built-in list only if it cannot be."""

import logging
from collections.abc import Mapping, Sequence

from swapstats.adapters.sources.exchange.rest import Rest
from swapstats.adapters.sources.exchange.venue import Market, Venue, VenueFacts
from swapstats.errors import Rejected, Transient

_log = logging.getLogger("swapstats.sources.exchange")


async def find_markets(venue: Venue, symbols: Sequence[str], rest: Rest) -> dict[str, Market]:
    """Ask what the symbols stand for.

    Raises:
        Rejected: the exchange, or without it the built-in list, does not know one of them.
    """
    facts = venue.facts
    try:
        listed: Mapping[str, Market] = await rest.get(venue.market_list(symbols))
    except Transient as error:
        _log.warning("%s's list of markets cannot be read: %s", facts.title, error)
        listed = facts.built_in_markets
    except Rejected as error:
        raise Rejected(
            f"Expected symbols {facts.title} trades, was {', '.join(symbols)} "
            f"({facts.title} says: {error}): check their spelling"
        ) from error
    return known_markets(facts, symbols, listed)


def known_markets(
    facts: VenueFacts, symbols: Sequence[str], listed: Mapping[str, Market]
) -> dict[str, Market]:
    """Pick the markets of some symbols.

    Raises:
        Rejected: one of them is not there.
    """
    found = {}
    for symbol in symbols:
        if symbol not in listed:
            raise Rejected(
                f"Expected symbols {facts.title} trades, such as {facts.example}, was {symbol!r}: "
                f"check the spelling or leave it out"
            )
        found[symbol] = listed[symbol]
    return found
