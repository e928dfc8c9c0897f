"""Keys of the servers that state is kept on: Redis, S3, ClickHouse, NATS.

A part of the table of every key; `stream.py` says how to read it.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from dataclasses import dataclass, field

from swapstats.settings.key import DAY_MS, MINUTE_MS, SECOND_MS, key
from swapstats.settings.kinds import (
    INTEGER,
    SECRET,
    SPAN,
    SPAN_MS,
    TEXT,
    Secret,
    choice,
)

# Ages are added to 32-bit moments, which end in 2106.
_AGE_MS_MAX = 7_300 * DAY_MS


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
class Postgres:
    """Postgres, for minute candles."""

    dsn: Secret = key(
        "dsn",
        SECRET,
        "",
        "Where candles go, such as `postgresql://user:password@host:5432/swapstats`; best by file. "
        "Empty = none.",
    )


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
        bounds=(SECOND_MS, _AGE_MS_MAX),
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
    postgres: Postgres = field(default_factory=Postgres)
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
