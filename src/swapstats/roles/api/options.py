"""Every limit of the API in one frozen tree; wiring fills it from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Limits and spans of the API.

    Attributes:
        version: of swapstats, shown in `/api/status` and the OpenAPI document.
        listed: configured token list, symbol -> key.
        allowed_origins: origins such as `https://stats.example` that may open WebSockets though
            they differ from the Host header.
        connections_max: open sockets, HTTP and WebSocket together; further ones get 503.
        idle_ms: an HTTP connection without a whole request for so long is closed.
        target_bytes_max: longest request line.
        overview_limit_max: rows of an overview.
        search_limit_max: rows of a search.
        series_span_ms_max: longest series.
        series_timeout_ms: a series that takes longer is 503.
        series_pending_max: series in work at once; further ones are 503.
        archive_timeout_ms: an archive that takes longer to say how it lies is 503.
        coalesce_ms: at most one frame per client in this span.
        overview_ms: at most one overview event per channel in this span.
        overview_budget_ms: time spent on ranking in one pass; the rest waits for the next.
        heartbeat_ms: a client that got nothing for so long gets a heartbeat.
        ping_ms: a client that sent nothing for so long is pinged, and cut off after half of it.
        slow_client_ms: a client that does not drain for so long is closed with 1013.
        close_ms: how long a closing handshake may take before the socket is dropped.
        clients_max: WebSocket clients; further ones get 503 at the handshake.
        subscriptions_max: channels per client.
        overview_channels_max: distinct overview channels over all clients.
        command_bytes_max: bytes of one message from a client; a longer one closes with 1009.
        commands_per_s: messages a client may send; faster ones wait.
        commands_burst: messages it may send at once.
        unsent_bytes_max: a client with more unsent bytes than this gets no further frame.
        frame_bytes_max: a frame is not begun with further events above this.
        socket_buffer_bytes: kernel send buffer of a WebSocket; 0 leaves the system's.
        resume_wait_ms: how long a client that knows newer numbers than this instance waits for it.
    """

    version: str = "0"
    listed: Mapping[str, str] = field(default_factory=dict)
    allowed_origins: tuple[str, ...] = ()
    connections_max: int = 20_000
    idle_ms: int = 60_000
    target_bytes_max: int = 8_190
    overview_limit_max: int = 500
    search_limit_max: int = 200
    series_span_ms_max: int = 3_600_000
    series_timeout_ms: int = 5_000
    series_pending_max: int = 32
    archive_timeout_ms: int = 10_000
    coalesce_ms: int = 100
    overview_ms: int = 200
    overview_budget_ms: int = 30
    heartbeat_ms: int = 5_000
    ping_ms: int = 20_000
    slow_client_ms: int = 10_000
    close_ms: int = 2_000
    clients_max: int = 10_000
    subscriptions_max: int = 200
    overview_channels_max: int = 64
    command_bytes_max: int = 65_536
    commands_per_s: int = 50
    commands_burst: int = 200
    unsent_bytes_max: int = 65_536
    frame_bytes_max: int = 262_144
    socket_buffer_bytes: int = 262_144
    resume_wait_ms: int = 10_000
