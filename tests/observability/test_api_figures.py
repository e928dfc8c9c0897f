"""The API's callbacks and the metrics they end in."""

from typing import TYPE_CHECKING

from swapstats.observability.api_figures import DROP_REASONS, ApiFigures
from swapstats.observability.metrics import Metrics

if TYPE_CHECKING:
    from swapstats.roles.api.metrics import ApiMetrics


def test_every_callback_ends_in_its_metric() -> None:
    metrics = Metrics()
    figures: ApiMetrics = ApiFigures(metrics)
    value = metrics.registry.get_sample_value
    for reason in DROP_REASONS:
        assert value("ws_dropped_msgs_total", {"reason": reason}) == 0
    figures.clients(7)
    figures.clients(3)
    figures.dropped(5, "coalesced")
    figures.dropped(2, "slow_client")
    figures.frames(10, 4_096)
    figures.request("/api/overview", 200, 2.0)
    figures.stale_updates(4)
    assert value("ws_clients_gauge") == 3
    assert value("ws_dropped_msgs_total", {"reason": "coalesced"}) == 5
    assert value("ws_dropped_msgs_total", {"reason": "slow_client"}) == 2
    assert value("ws_frames_total") == 10
    assert value("ws_sent_bytes_total") == 4_096
    assert value("http_requests_total", {"route": "/api/overview", "status": "200"}) == 1
    assert value("stale_updates_total") == 4
