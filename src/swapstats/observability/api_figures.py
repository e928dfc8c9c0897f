"""What the API measures, written into `Metrics`: the callbacks `roles.api.metrics.ApiMetrics`."""

from swapstats.observability.metrics import Metrics

DROP_REASONS = ("coalesced", "slow_client")


class ApiFigures:
    """The API's callbacks; each returns at once.

    Args:
        metrics: where the figures go.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._dropped = {
            reason: metrics.ws_dropped_msgs_total.labels(reason) for reason in DROP_REASONS
        }

    def clients(self, count: int) -> None:
        """Note how many WebSocket clients are connected now."""
        self._metrics.ws_clients_gauge.set(count)

    def dropped(self, count: int, reason: str) -> None:
        """Count messages a client did not get as such, by one of DROP_REASONS."""
        self._dropped[reason].inc(count)

    def frames(self, count: int, size_bytes: int) -> None:
        """Count frames written to clients, and their bytes."""
        self._metrics.ws_frames_total.inc(count)
        self._metrics.ws_sent_bytes_total.inc(size_bytes)

    def request(self, route: str, status: int, elapsed_ms: float) -> None:
        """Count one HTTP request by route template, with its duration in milliseconds."""
        self._metrics.observe_http(route, status, elapsed_ms)

    def stale_updates(self, count: int) -> None:
        """Count updates dropped because a newer epoch or seq was seen."""
        self._metrics.stale_updates_total.inc(count)
