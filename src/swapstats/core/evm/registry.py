"""Which events are read: the protocols known, and how to add one.

    registry = standard_registry(managers).with_events(MY_SWAP)

with `MY_SWAP` a `SwapEvent` from a file of its own, such as `uniswap_v3.py`.
tests/core/evm/test_registry.py holds an example from A to Z.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.event_tables import EventTables
from swapstats.core.evm.events import Event, PoolEvent, SwapEvent, SyncEvent
from swapstats.errors import UsageError

ALL_POOL_MANAGERS: Final = frozenset(uniswap_v4.POOL_MANAGERS.values())


@dataclass(frozen=True, slots=True)
class Registry:
    """Events by topic0; make it by `standard_registry` or `Registry().with_events(...)`.

    Attributes:
        kinds: topic0 -> event.
        tables: the same for the fast scanner.
    """

    kinds: Mapping[str, Event]
    tables: EventTables = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the tables."""
        object.__setattr__(self, "tables", EventTables.of(self.kinds))

    def with_events(self, *events: SwapEvent | PoolEvent) -> "Registry":
        """Make a registry that knows `events` as well.

        Raises:
            UsageError: a topic0 is known already.
        """
        kinds = dict(self.kinds)
        for event in events:
            _add(kinds, event)
            sync = event.sync_topic0 if isinstance(event, SwapEvent) else None
            if sync is not None and not isinstance(kinds.get(sync), SyncEvent):
                _add(kinds, SyncEvent(topic0=sync, venue=event.venue))
        return Registry(kinds)

    def topics(self) -> list[str]:
        """List every topic0 to ask a node for: `eth_getLogs` with `topics: [[...]]`."""
        return list(self.kinds)


def standard_registry(pool_managers: Collection[str] = ALL_POOL_MANAGERS) -> Registry:
    """Make a registry of Uniswap V2, V3, V4 and all forks with the same events.

    Args:
        pool_managers: addresses whose V4 logs count; best only the chain's own, see
            `uniswap_v4.POOL_MANAGERS`.
    """
    return Registry({}).with_events(
        uniswap_v2.SWAP,
        uniswap_v2.POOL,
        uniswap_v3.SWAP,
        uniswap_v3.POOL,
        uniswap_v4.swap_event(pool_managers),
        uniswap_v4.pool_event(pool_managers),
    )


def _add(kinds: dict[str, Event], event: Event) -> None:
    if event.topic0 in kinds:
        raise UsageError(
            f"Expected one event for each topic0, was {event.topic0} both of "
            f"{kinds[event.topic0].venue} and of {event.venue}: leave one of them out"
        )
    kinds[event.topic0] = event
