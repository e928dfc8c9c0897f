"""Hints at trades that only pretend: one trader on both sides. Flagged, never left out."""

from collections import OrderedDict
from typing import Any, Final

from swapstats.core.preprocess.rules import PriceRules

FLAGS: Final = ("both_ways", "round_trip", "matched")
"""Bought and sold by one trader within the window; in one transaction; in amounts that differ by
less than one per cent."""
_BOTH_WAYS, _ROUND_TRIP, _MATCHED = 1, 2, 4
_MATCHED_PARTS: Final = 100

FLAG_LISTS: Final = tuple(
    [name for bit, name in enumerate(FLAGS) if flags >> bit & 1] for flags in range(8)
)
"""Flags by name, for every combination."""


class TraderMemory:
    """The last trade of each trader in each token.

    Args:
        rules: window, routers, how many are remembered.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._window_ms = rules.wash_window_ms
        self._routers = rules.routers
        self._traders_max = rules.traders_max
        self._last: OrderedDict[tuple[str, str], tuple[int, str, int, str]] = OrderedDict()

    def flags(
        self, token: str, trader: str | None, side: str, amount: int, tx_hash: str, event_ms: int
    ) -> int:
        """Judge a trade by the one before it, and remember it; 0 = nothing to see.

        Args:
            token: token key.
            trader: who sent it; None: not known.
            side: `buy` or `sell`.
            amount: of the token.
            tx_hash: its transaction.
            event_ms: its time.
        """
        if trader is None or trader in self._routers:
            return 0
        name = (token, trader)
        last = self._last.pop(name, None)
        if last is None and len(self._last) >= self._traders_max:
            del self._last[next(iter(self._last))]
        self._last[name] = (event_ms, side, amount, tx_hash)
        if last is None or last[1] == side or abs(event_ms - last[0]) > self._window_ms:
            return 0
        flags = _BOTH_WAYS
        if last[3] == tx_hash:
            flags |= _ROUND_TRIP
        if abs(amount - last[2]) * _MATCHED_PARTS < max(amount, last[2]):
            flags |= _MATCHED
        return flags

    def pack(self) -> list[object]:
        """Turn into plain values."""
        return [
            (token, trader, event_ms, side, str(amount), tx_hash)
            for (token, trader), (event_ms, side, amount, tx_hash) in self._last.items()
        ]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        for token, trader, event_ms, side, amount, tx_hash in packed:
            self._last[token, trader] = (event_ms, side, int(amount), tx_hash)
