"""The metrics port, over real sockets."""

import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from swapstats.errors import SettingsError
from swapstats.observability.http_thread import Answer
from swapstats.observability.metrics import TABLE, Metrics
from swapstats.observability.metrics_server import MetricsServer


def fetch(address: str, path: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://{address}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_serves_the_figures_of_its_registry_as_they_are_now() -> None:
    metrics = Metrics()
    server = MetricsServer(metrics.registry, "127.0.0.1:0")
    try:
        metrics.events_ingested_total.inc(41)
        metrics.events_ingested_total.inc()
        status, content_type, body = fetch(server.address, "/metrics")
    finally:
        server.close()
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    samples = [
        sample for family in text_string_to_metric_families(body) for sample in family.samples
    ]
    assert [each.value for each in samples if each.name == "events_ingested_total"] == [42]
    names = {sample.name for sample in samples}
    labelled = {spec.name for spec in TABLE if spec.labels and spec.name != "build_info"}
    for spec in TABLE:
        if spec.name not in labelled:
            assert spec.name + ("_count" if spec.kind == "histogram" else "") in names
    assert "# HELP consumer_lag_seconds Age of the oldest unread record, in seconds" in body
    assert not [name for name in names if name.endswith("_created")]


def test_speaks_openmetrics_when_asked() -> None:
    server = MetricsServer(Metrics().registry, "127.0.0.1:0")
    try:
        accept = "application/openmetrics-text; version=1.0.0"
        status, content_type, body = fetch(server.address, "/metrics", accept)
    finally:
        server.close()
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_another_path_is_404() -> None:
    server = MetricsServer(Metrics().registry, "127.0.0.1:0")
    try:
        assert fetch(server.address, "/")[::2] == (404, "Expected /metrics, was /\n")
    finally:
        server.close()


def test_an_address_in_use_is_named_and_free_again_after_close() -> None:
    first = MetricsServer(Metrics().registry, "127.0.0.1:0")
    address = first.address
    with pytest.raises(SettingsError, match=f"metrics server, was {address}, which another"):
        MetricsServer(Metrics().registry, address)
    first.close()
    second = MetricsServer(Metrics().registry, address)
    try:
        assert second.address == address
        assert fetch(address, "/metrics")[0] == 200
    finally:
        second.close()


def test_no_host_means_every_interface() -> None:
    server = MetricsServer(Metrics().registry, ":0")
    try:
        host, _, port = server.address.rpartition(":")
        assert host == "0.0.0.0"
        assert fetch(f"127.0.0.1:{port}", "/metrics")[0] == 200
    finally:
        server.close()


def test_close_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    server = MetricsServer(Metrics().registry, "127.0.0.1:0")
    fetch(server.address, "/metrics")
    assert {thread.name for thread in set(threading.enumerate()) - before} >= {"metrics server"}
    server.close()
    assert set(threading.enumerate()) <= before


def test_other_pages_stand_beside_the_metrics() -> None:
    pages = {"/readyz": lambda: Answer(503, b"not yet"), "/broken": lambda: Answer(1 // 0, b"")}
    server = MetricsServer(Metrics().registry, "127.0.0.1:0", pages)
    try:
        assert fetch(server.address, "/readyz")[::2] == (503, "not yet")
        assert fetch(server.address, "/metrics")[0] == 200
        assert fetch(server.address, "/broken")[0] == 500, "a mistake does not end the server"
        assert fetch(server.address, "/x")[2] == "Expected /metrics, /readyz, /broken, was /x\n"
    finally:
        server.close()
