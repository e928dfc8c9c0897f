"""Keys of serving: API, metrics, security, limits, logs.

A part of the table of every key; `stream.py` says how to read it.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from collections.abc import Mapping
from dataclasses import dataclass, field

from swapstats.settings.key import HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS, key
from swapstats.settings.kinds import (
    ADDRESS,
    BOOLEAN,
    INTEGER,
    MAP,
    NUMBER,
    SECRET,
    SIZE,
    SPAN,
    SPAN_MS,
    TEXT,
    Address,
    Secret,
    choice,
    switchable,
)

_NO_JWT = "requests are not authenticated"
_NO_LIMIT = "requests are not limited by rate"


@dataclass(frozen=True, slots=True)
class ApiHttp:
    """The HTTP server."""

    addr: Address = key(
        "addr",
        ADDRESS,
        "127.0.0.1:8080",
        "Address of page, API and WebSocket; port 0 = any free port.",
    )


@dataclass(frozen=True, slots=True)
class ApiWs:
    """The WebSocket stream and its limits."""

    coalesce_ms: int = key(
        "coalesce_ms",
        SPAN_MS,
        "100",
        "At most one frame per client in this time.",
        bounds=(1, MINUTE_MS),
    )
    connections_max: int = key(
        "max_conn", INTEGER, "10000", "Most clients at once.", bounds=(1, 1_000_000), unit="clients"
    )
    subscriptions_max: int = key(
        "subscriptions_max",
        INTEGER,
        "100",
        "Most channels one client subscribes to.",
        bounds=(1, 100_000),
        unit="channels",
    )
    frame_bytes_max: int = key(
        "frame_bytes_max",
        SIZE,
        "64KiB",
        "Largest frame a client may send.",
        bounds=(KIB, 16 * MIB),
    )
    heartbeat_ms: int = key(
        "heartbeat",
        SPAN,
        "5s",
        "A client that was sent nothing for this long is sent a heartbeat.",
        bounds=(100, HOUR_MS),
    )
    slow_client_ms: int = key(
        "slow_client_ms",
        SPAN_MS,
        "10000",
        "A client that does not drain for this long is closed.",
        bounds=(100, HOUR_MS),
    )


@dataclass(frozen=True, slots=True)
class Api:
    """What is served, and where."""

    http: ApiHttp = field(default_factory=ApiHttp)
    ws: ApiWs = field(default_factory=ApiWs)
    tokens: Mapping[str, str] = key(
        "tokens",
        MAP,
        {},
        "Token list: symbol to token key; these symbols win over those seen in swaps.",
        bounds=(0, 10_000),
    )


@dataclass(frozen=True, slots=True)
class Metrics:
    """Addresses of metrics and profiles."""

    prometheus: Address | None = key(
        "prometheus",
        switchable(Address("127.0.0.1", 9091)),
        "127.0.0.1:9091",
        "Address of the Prometheus metrics, and of `/healthz` and `/readyz` of `swapstats "
        "aggregate` and `ingest`; true = the default, false = off.",
    )
    pprof: Address | None = key(
        "pprof",
        switchable(Address("127.0.0.1", 6060), host="127.0.0.1"),
        "127.0.0.1:6060",
        "Address of the profiles, loopback only (`:6060` means loopback here); false = off.",
    )


@dataclass(frozen=True, slots=True)
class Jwt:
    """Authentication by JSON Web Token."""

    enabled: bool = key(
        "enabled",
        BOOLEAN,
        "false",
        "Ask every request for a token; `run` refuses true until it is built.",
        not_yet=_NO_JWT,
    )
    alg: str = key("alg", TEXT, "HS256", "Algorithm of the signature.", not_yet=_NO_JWT)
    secret: Secret = key(
        "secret", SECRET, "", "Key of the signature; better by file.", not_yet=_NO_JWT
    )


@dataclass(frozen=True, slots=True)
class Security:
    """Who may ask."""

    jwt: Jwt = field(default_factory=Jwt)
    allow_unauthenticated: bool = key(
        "allow_unauthenticated",
        BOOLEAN,
        "false",
        "Serve on an address that other machines reach although nobody is authenticated.",
    )


@dataclass(frozen=True, slots=True)
class JwtLimit:
    """Token bucket of each authenticated subject."""

    refill_per_sec: float = key(
        "refill_per_sec", NUMBER, "50", "Requests per second.", not_yet=_NO_LIMIT, unit="requests/s"
    )
    burst: int = key(
        "burst", INTEGER, "200", "Requests at once.", not_yet=_NO_LIMIT, unit="requests"
    )


@dataclass(frozen=True, slots=True)
class IpLimit:
    """Token bucket of each client address."""

    refill_per_sec: float = key(
        "refill_per_sec", NUMBER, "20", "Requests per second.", not_yet=_NO_LIMIT, unit="requests/s"
    )
    burst: int = key(
        "burst", INTEGER, "60", "Requests at once.", not_yet=_NO_LIMIT, unit="requests"
    )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much each client may ask."""

    by_jwt: JwtLimit = field(default_factory=JwtLimit)
    by_ip: IpLimit = field(default_factory=IpLimit)


@dataclass(frozen=True, slots=True)
class Observability:
    """Logs and health."""

    log_level: str = key(
        "log_level",
        choice("debug", "info", "warning", "error"),
        "info",
        "Least level that is logged.",
        flag="--log-level",
    )
    log_format: str = key(
        "log_format",
        choice("auto", "console", "json"),
        "auto",
        "Form of log lines; auto = console on a terminal, json elsewhere.",
        flag="--log-format",
    )
    no_progress_ms: int = key(
        "no_progress",
        SPAN,
        "30s",
        "Unread records and no progress, or a loop that stands still, for this long make "
        "`/healthz` fail.",
        bounds=(SECOND_MS, HOUR_MS),
    )


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a server that fails is given up for a while, so that what does not need it goes on."""

    failures_max: int = key(
        "failures",
        INTEGER,
        "3",
        "Failures in a row after which Redis, the dead letters' topic or another server is not "
        "called for a while.",
        bounds=(1, 1_000),
        unit="failures",
    )
    open_ms: int = key(
        "open",
        SPAN,
        "1s",
        "How long the first time; twice as long after each further one.",
        bounds=(10, HOUR_MS),
    )
    open_ms_max: int = key(
        "open_max",
        SPAN,
        "5s",
        "How long at most: so much later its return is noticed.",
        bounds=(10, HOUR_MS),
    )
    half_open_max: int = key(
        "half_open",
        INTEGER,
        "1",
        "Calls tried at a time after that, and successes in a row that take it back.",
        bounds=(1, 100),
        unit="calls",
    )
