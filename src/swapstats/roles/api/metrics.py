"""What the API measures, as callbacks; wiring binds them to a registry."""

from typing import Protocol


class ApiMetrics(Protocol):
    """Callbacks of the API; all are called on its event loop and must return at once."""

    def clients(self, count: int) -> None:
        """Report how many WebSocket clients are connected now."""
        ...

    def dropped(self, count: int, reason: str) -> None:
        """Count messages a client did not get as such.

        Args:
            count: how many.
            reason: `coalesced` (a slow client: merged into a later frame) or `slow_client`
                (pending channels of a client that was closed with 1013).
        """
        ...

    def frames(self, count: int, size_bytes: int) -> None:
        """Count frames written to clients, and their bytes."""
        ...

    def request(self, route: str, status: int, elapsed_ms: float) -> None:
        """Count one HTTP request by route template (`unknown` if none) with its duration."""
        ...

    def stale_updates(self, count: int) -> None:
        """Count updates dropped because a newer epoch or seq was seen."""
        ...


class NoMetrics:
    """Measures nothing."""

    def clients(self, count: int) -> None:
        """Ignore the number of clients."""

    def dropped(self, count: int, reason: str) -> None:
        """Ignore dropped messages."""

    def frames(self, count: int, size_bytes: int) -> None:
        """Ignore frames."""

    def request(self, route: str, status: int, elapsed_ms: float) -> None:
        """Ignore a request."""

    def stale_updates(self, count: int) -> None:
        """Ignore stale updates."""
