"""Serves a `Metrics` registry at `/metrics`, and other pages beside it; holds no figures itself."""

from collections.abc import Iterator
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from swapstats.observability.health_pages import Pages
from swapstats.observability.http_thread import Answer, HttpThread, Request, parse_address

ADDRESS_DEFAULT = "127.0.0.1:9091"
HOST_ANY = "0.0.0.0"  # noqa: S104 - what `:9091` means to everyone who writes it


class MetricsServer:
    """Listens from construction until `close`.

    Args:
        registry: what to expose.
        address: `host:port`; no host means every interface, port 0 any free port.
        pages: what answers at other paths.

    Raises:
        SettingsError: the address is none, or cannot be listened on.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        address: str = ADDRESS_DEFAULT,
        pages: Pages = MappingProxyType({}),
    ) -> None:
        self._pages = pages
        self._figures = _Figures(registry)
        host, port = parse_address(address, HOST_ANY)
        self._thread = HttpThread(host, port, self._answer, name="metrics server")

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        return self._thread.address

    def close(self) -> None:
        """Stop; the address is free afterwards."""
        self._thread.close()

    def _answer(self, request: Request) -> Answer:
        """Answer a page, or write the registry in the format the scraper asks for."""
        page = self._pages.get(request.path)
        if page is not None:
            return page()
        if request.path != "/metrics":
            known = ", ".join(["/metrics", *self._pages])
            return Answer(404, f"Expected {known}, was {request.path}\n".encode())
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Answer(200, encode(self._figures), content_type)


class _Figures(Collector):
    """The registry without the start time of every single counter.

    The client library adds a `_created` series to each: twice as much to scrape and store, and
    all say when the process started, which `process_start_time_seconds` says once.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Give every metric with the samples worth keeping."""
        for metric in self._registry.collect():
            metric.samples = [
                sample for sample in metric.samples if not sample.name.endswith("_created")
            ]
            yield metric
