"""A connection that heals by itself, shown as a dependency.

Nothing calls through it, so it needs no breaker: who publishes or hears never waits. It is `open`
while there is no connection.
"""

import threading
from collections.abc import Callable

from swapstats.model.health import DependencyStatus


class LinkWatch:
    """Looks at a connection; from any thread.

    Args:
        name: what people call it.
        is_connected: whether it is there now.
        dropped: how many messages were given up because it was not.
    """

    def __init__(
        self, name: str, is_connected: Callable[[], bool], dropped: Callable[[], int] = lambda: 0
    ) -> None:
        self.name = name
        self._is_connected = is_connected
        self._dropped = dropped
        self._lock = threading.Lock()
        self._was_connected = False
        self._lost = 0

    def status(self) -> DependencyStatus:
        """Look now; `opens` counts the losses seen by looking."""
        with self._lock:
            is_connected = self._is_connected()
            self._lost += self._was_connected and not is_connected
            self._was_connected = is_connected
            return DependencyStatus(
                self.name,
                "closed" if is_connected else "open",
                self._lost,
                self._dropped(),
                None if is_connected else f"Expected a connection to {self.name}, was none",
            )
