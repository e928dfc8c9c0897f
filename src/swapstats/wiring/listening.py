"""What every process that listens has in common: API limits, its address, metrics, profiles."""

from types import MappingProxyType
from typing import TYPE_CHECKING

from swapstats import __version__
from swapstats.errors import UsageError
from swapstats.observability.health_pages import Pages
from swapstats.observability.metrics import Metrics
from swapstats.observability.metrics_server import MetricsServer
from swapstats.observability.profile import ProfileServer
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.server import ApiServer
from swapstats.settings import Settings

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def api_options(settings: Settings) -> ApiOptions:
    """Take the API's limits from the settings."""
    ws = settings.api.ws
    return ApiOptions(
        version=__version__,
        listed=settings.api.tokens,
        coalesce_ms=ws.coalesce_ms,
        clients_max=ws.connections_max,
        connections_max=ws.connections_max + 10_000,
        subscriptions_max=ws.subscriptions_max,
        command_bytes_max=ws.frame_bytes_max,
        heartbeat_ms=ws.heartbeat_ms,
        slow_client_ms=ws.slow_client_ms,
    )


async def start_api(api: ApiServer, settings: Settings) -> int:
    """Listen on the configured address; returns the port.

    Raises:
        UsageError: the address cannot be bound.
    """
    address = settings.api.http.addr
    try:
        return await api.start(address.host, address.port)
    except OSError as error:
        raise UsageError(
            f"Expected to listen on {address}, was {error.strerror or error}: stop what "
            "listens there, or choose another with --api-http-addr"
        ) from error


def observability_servers(
    settings: Settings, metrics: Metrics, log: "BoundLogger", pages: Pages = MappingProxyType({})
) -> list[MetricsServer | ProfileServer]:
    """Start the servers of metrics and profiles that are switched on; close them in the end.

    Args:
        settings: their addresses.
        metrics: what is served.
        log: told the addresses.
        pages: what stands beside the metrics.

    Raises:
        UsageError: an address cannot be bound.
    """
    found: list[MetricsServer | ProfileServer] = []
    if settings.metrics.prometheus is not None:
        scraped = MetricsServer(metrics.registry, str(settings.metrics.prometheus), pages)
        log.info("metrics", address=scraped.address)
        found.append(scraped)
    if settings.metrics.pprof is not None:
        profiles = ProfileServer(str(settings.metrics.pprof))
        log.info("profiles", address=profiles.address)
        found.append(profiles)
    return found
