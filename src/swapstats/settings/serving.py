"""Keys of serving: API, metrics, security, limits, logs, and the servers state is kept on.

Half of the table of every key (the other half is `stream.py`, which says how to read it).
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from collections.abc import Mapping
from dataclasses import dataclass, field

from swapstats.settings.key import DAY_MS, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS, key
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

# Ages are added to 32-bit moments, which end in 2106.
_AGE_MS_MAX = 7_300 * DAY_MS
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


@dataclass(frozen=True, slots=True)
class Redis:
    """Redis, for what several processes share: the newest statistics, and checkpoints."""

    addr: str = key(
        "addr",
        TEXT,
        "",
        "Address of Redis for `swapstats aggregate` and `serve`: `host:port`, or "
        "`rediss://user@host:port` for TLS or a user.",
    )
    db: int = key("db", INTEGER, "0", "Number of the database.", bounds=(0, 65_535))
    prefix: str = key(
        "prefix",
        TEXT,
        "swapstats",
        "First part of every key in Redis, without braces; each deployment has its own.",
    )
    password: Secret = key("password", SECRET, "", "Password of Redis; best by file.")


@dataclass(frozen=True, slots=True)
class S3:
    """A bucket for checkpoints."""

    endpoint: str = key(
        "endpoint",
        TEXT,
        "",
        "URL of the S3 server, such as `http://minio:9000`; empty = AWS. It must know conditional "
        "writes.",
    )
    bucket: str = key("bucket", TEXT, "", "Bucket for checkpoints; made before.")
    region: str = key("region", TEXT, "us-east-1", "Region of the bucket.")
    prefix: str = key(
        "prefix", TEXT, "checkpoints", "First part of every object's name, without a last slash."
    )
    key_id: str = key(
        "key_id", TEXT, "", "Access key id; empty = that of the machine's role or of AWS_*."
    )
    secret: Secret = key("secret", SECRET, "", "Secret access key; best by file.")


@dataclass(frozen=True, slots=True)
class ColdParts:
    """A bucket for old parts of the embedded archive, and for exports."""

    endpoint: str = key(
        "endpoint",
        TEXT,
        "",
        "URL of bucket and prefix for old parts of the embedded archive and for exports, such as "
        "`http://minio:9000/swapstats/archive/`; empty = old parts stay on the local disk. A "
        "server has its own: `deploy/clickhouse/storage.xml`.",
    )
    key_id: str = key("key_id", TEXT, "", "Access key id of that bucket.")
    secret: Secret = key("secret", SECRET, "", "Secret access key; best by file.")


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """ClickHouse, the archive of raw swaps."""

    dsn: Secret = key(
        "dsn",
        SECRET,
        "",
        "Where ClickHouse is, such as `clickhouse://user:password@host:8123/swapstats` "
        "(`clickhouses://` for TLS): its HTTP port.",
    )
    database: str = key(
        "database",
        TEXT,
        "",
        "Database of the archive, made if absent; empty = that of `stores.clickhouse.dsn`, else "
        "swapstats.",
    )
    batch_ms: int = key(
        "batch_ms",
        SPAN_MS,
        "200",
        "A row waits no longer than this for its batch, while inserts keep up.",
        bounds=(10, MINUTE_MS),
    )
    batch_rows: int = key(
        "batch_rows",
        INTEGER,
        "1000",
        "So many rows of a partition make a batch at once; a faster stream makes larger ones.",
        bounds=(1, 50_000),
        unit="rows",
    )
    cold_after_ms: int = key(
        "cold_after",
        SPAN,
        "90d",
        "Age at which raw swaps go to cold storage on S3, where there is one.",
        bounds=(HOUR_MS, _AGE_MS_MAX),
    )
    delete_after_ms: int = key(
        "delete_after",
        SPAN,
        "365d",
        "Age at which raw swaps are deleted; the hourly and daily sums stay.",
        bounds=(2 * DAY_MS, _AGE_MS_MAX),
    )
    cold: ColdParts = field(default_factory=ColdParts)


@dataclass(frozen=True, slots=True)
class Stores:
    """Servers that keep state."""

    checkpoints: str = key(
        "checkpoints",
        choice("redis", "s3"),
        "redis",
        "Where `swapstats aggregate` keeps checkpoints; `swapstats run` keeps them in `data.dir`.",
    )
    archive: str = key(
        "archive",
        choice("auto", "off", "embedded", "server"),
        "auto",
        "Where raw swaps are kept: on the server of `stores.clickhouse.dsn`, or by `swapstats run` "
        "in `data.dir` (`embedded`); auto = the server if one is named, else embedded if chdb is "
        "installed.",
    )
    redis: Redis = field(default_factory=Redis)
    s3: S3 = field(default_factory=S3)
    clickhouse: ClickHouse = field(default_factory=ClickHouse)


@dataclass(frozen=True, slots=True)
class Nats:
    """NATS, the fan-out between instances."""

    url: Secret = key(
        "url",
        SECRET,
        "",
        "Where NATS is, such as `nats://user:password@host:4222`; several parted by commas. "
        "Empty = none: changes come by Redis alone, a little later.",
    )


@dataclass(frozen=True, slots=True)
class PubSub:
    """How instances tell each other."""

    nats: Nats = field(default_factory=Nats)
