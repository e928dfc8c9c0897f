"""Made-up trades of an exchange, the same for the same seed: for tests without a recording."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from swapstats.adapters.sources.exchange.venue import VenueTrade

START_MS = 1_723_161_255_000
SHARED_MS_PERCENT = 40
"""So many trades happen within the millisecond of the one before, as on a busy market."""


def made_trades(
    seed: int, markets: Sequence[str], count: int, *, are_ids_opaque: bool = False
) -> list[VenueTrade]:
    """Make trades of some markets, mixed, in the order they happen.

    Args:
        seed: the same seed makes the same.
        markets: symbols; some trade more than others.
        count: how many trades.
        are_ids_opaque: ids are UUIDs and `order` is the time; else ids are dense.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not a secret
    ids = {market: chance.randrange(1, 10**9) for market in markets}
    time_ms = START_MS
    trades = []
    for _ in range(count):
        market = markets[min(chance.randrange(len(markets)), chance.randrange(len(markets)))]
        if chance.randrange(100) >= SHARED_MS_PERCENT:
            time_ms += chance.randrange(1, 400)
        ids[market] += 1
        trade_id = str(UUID(int=chance.getrandbits(128))) if are_ids_opaque else str(ids[market])
        trades.append(
            VenueTrade(
                market=market,
                trade_id=trade_id,
                order=time_ms if are_ids_opaque else ids[market],
                price=_plain(chance.randrange(1, 10**9), chance.randrange(9)),
                quantity=_plain(chance.randrange(1, 10**9), chance.randrange(4, 13)),
                side=chance.choice(("buy", "sell")),
                time_ms=time_ms,
            )
        )
    return trades


def rfc3339(time_ms: int, microseconds: int) -> str:
    """A time as exchanges write it, with digits after the millisecond."""
    seconds, ms = divmod(time_ms, 1_000)
    whole = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{whole}.{ms:03d}{microseconds:03d}Z"


def zeros_after(number: str, places: int) -> str:
    """The same number with `places` digits after the point, if it has no more."""
    whole, _, fraction = number.partition(".")
    return f"{whole}.{fraction.ljust(places, '0')}"


def _plain(digits: int, places: int) -> str:
    text = f"{Decimal(digits).scaleb(-places):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
