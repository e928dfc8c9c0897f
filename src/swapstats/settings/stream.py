"""Keys of the stream: data directory, logs, ingest and windows.

The first part of the table of every key (`sources.py`, `preprocess.py`, `serving.py` and
`servers.py` are the others): one frozen dataclass a section, one line a key. Together they are the
whole configuration and the capacity document: whatever can be set or is limited is here, with its
default, unit and bounds. Spans are integer milliseconds and sizes integer bytes in the program; the
defaults are written as people write them.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from collections.abc import Mapping
from dataclasses import dataclass, field

from swapstats.settings.key import DAY_MS, GIB, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS, key
from swapstats.settings.kinds import (
    BOOLEAN,
    INTEGER,
    LIST,
    PROPERTIES,
    SECRET,
    SIZE,
    SPAN,
    SPAN_MS,
    SPANS,
    TEXT,
    Secret,
    choice,
)


@dataclass(frozen=True, slots=True)
class Data:
    """The directory that holds the log, the checkpoints and the dead letters."""

    dir: str = key("dir", TEXT, "data", "Data directory; made if absent, one writer at a time.")
    durability: str = key(
        "durability",
        choice("process", "full"),
        "process",
        "`process` survives a kill of the process, `full` also a power loss, at some speed.",
    )


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """The log's shape."""

    partitions: int = key(
        "partitions",
        INTEGER,
        "4",
        "Partitions of the log; chosen when the data directory or the topic is made.",
        bounds=(1, 1024),
        flag="--partitions",
        unit="partitions",
    )
    replication: int = key(
        "replication",
        INTEGER,
        "1",
        "Copies of each partition of a new topic; the embedded log keeps one.",
        bounds=(1, 9),
        unit="copies",
    )
    retention_ms: int = key(
        "retention_ms",
        SPAN_MS,
        "0",
        "How long the broker keeps records, or `swapstats ingest` those in Redis; 0 = what the "
        "windows need: the widest + `app.max_ahead` + 1h, the least; -1 = for ever. The embedded "
        "log goes by `log.retention`.",
        bounds=(-1, 3660 * DAY_MS),
    )
    cleanup_policy: str = key(
        "cleanup_policy",
        choice("delete", "compact", "compact,delete"),
        "delete",
        "How the broker cleans the topic; `swapstats topics` refuses all but delete, which alone "
        "keeps every swap.",
    )
    segment_ms: int = key(
        "segment_ms",
        SPAN_MS,
        "0",
        "Age at which the broker begins a new segment; 0 = the broker's default.",
        bounds=(0, 366 * DAY_MS),
    )


@dataclass(frozen=True, slots=True)
class Ingest:
    """How swaps come in."""

    broker_type: str = key(
        "broker_type",
        choice("embedded", "kafka", "redpanda", "redis"),
        "embedded",
        "Where the log is: in `data.dir`, for `swapstats run` alone; on brokers, for `swapstats "
        "run`, `ingest`, `aggregate`, `serve` and `topics`; or in streams of `stores.redis`, for "
        "the same.",
    )
    embedded_fallback: bool = key(
        "embedded_fallback",
        BOOLEAN,
        "false",
        "`swapstats run` takes the embedded log although `ingest.broker_type` names a broker.",
        flag="--embedded",
    )
    brokers: tuple[str, ...] = key(
        "brokers",
        LIST,
        (),
        "Brokers to begin with, such as `kafka-1:9092,kafka-2:9092`; they name the others.",
        bounds=(0, 100),
    )
    topic: str = key("topic", TEXT, "raw-swaps", "Topic of the log on brokers, name in Redis.")
    raw_topic: str = key(
        "raw_topic",
        TEXT,
        "raw-events",
        "Topic of the raw log, which collectors write and `swapstats preprocess` reads; name in "
        "Redis.",
    )
    raw_partitions: int = key(
        "raw_partitions",
        INTEGER,
        "1",
        "Partitions of the raw log: one chain lies in one of them, and so do all exchanges. Prices "
        "are shared within a partition only: with more than one, a chain is priced by exchanges "
        "only if it lies beside them.",
        bounds=(1, 64),
        unit="partitions",
    )
    group_id: str = key(
        "group_id", TEXT, "swapstats", "Consumer group; its aggregators share the partitions."
    )
    start: str = key(
        "start",
        choice("earliest", "latest"),
        "earliest",
        "Where a partition without a checkpoint begins: at the log's start or at its end. The "
        "embedded log begins at its start.",
    )
    read_bytes_max: int = key(
        "max_bytes",
        SIZE,
        "4MiB",
        "Most bytes read from the log at once (at least one record is).",
        bounds=(64 * KIB, GIB),
    )
    properties: Mapping[str, str] = key(
        "properties",
        PROPERTIES,
        {},
        "Properties of the Kafka client (librdkafka), for TLS, SASL and tuning.",
        bounds=(0, 100),
    )
    secret_properties: Secret = key(
        "secret_properties",
        SECRET,
        "",
        "Those nobody may see, such as `sasl.password=...`, one `name=value` a line; best by file.",
    )
    static_member: str = key(
        "static_member",
        TEXT,
        "",
        "Name of this instance in the group, one of its own: back within the session timeout, it "
        "goes on with its partitions. Empty = none.",
    )
    session_timeout_ms: int = key(
        "session_timeout",
        SPAN,
        "6s",
        "An aggregator that is silent for this long loses its partitions to others.",
        bounds=(SECOND_MS, 5 * MINUTE_MS),
    )
    back_pressure: str = key(
        "back_pressure",
        choice("block", "buffer", "drop"),
        "block",
        "What comes faster than it is aggregated waits in the log, in a buffer as well, or is "
        "dropped (wrong windows: for demonstrations only).",
    )
    buffer_bytes_max: int = key(
        "buffer_max",
        SIZE,
        "64MiB",
        "Most bytes fetched and not aggregated yet, with `buffer` and `drop`.",
        bounds=(MIB, GIB),
    )
    topic_cfg: TopicSettings = field(default_factory=TopicSettings)


@dataclass(frozen=True, slots=True)
class App:
    """The windows and the rules of time."""

    windows_ms: tuple[int, ...] = key(
        "windows",
        SPANS,
        ("5m", "1h", "24h"),
        "Window widths, each a multiple of `app.bucket_step`, in the order they are served.",
        bounds=(1, 16),
        env="WINDOWS",
        flag="--windows",
    )
    bucket_step_ms: int = key(
        "bucket_step",
        SPAN,
        "5s",
        "Bucket width: windows move on by this much.",
        bounds=(100, DAY_MS),
        env="BUCKET_STEP",
        flag="--bucket-step",
    )
    grace_ms: int = key(
        "grace",
        SPAN,
        "120s",
        "A swap is late if older than the newest of its partition by more than this.",
        bounds=(0, 366 * DAY_MS),
    )
    late: str = key(
        "late",
        choice("apply", "drop", "divert"),
        "apply",
        "What becomes of late swaps: correct the windows, drop, or keep them as late only.",
    )
    max_ahead_ms: int = key(
        "max_ahead",
        SPAN,
        "1h",
        "A swap whose time is further ahead of its append time is a dead letter.",
        bounds=(0, 30 * DAY_MS),
    )
    clock_jump_ms: int = key(
        "clock_jump",
        SPAN,
        "60s",
        "A forward jump of the clock by more than this stops the tick until it is confirmed.",
        bounds=(SECOND_MS, DAY_MS),
    )
    snapshot_interval_ms: int = key(
        "snapshot_interval",
        SPAN,
        "5s",
        "Time between two checkpoints.",
        bounds=(100, HOUR_MS),
    )
    dedupe_ttl_ms: int = key(
        "dedupe_ttl",
        SPAN,
        "0s",
        "How long an event is remembered.",
        superseded="`app.windows`: an event is remembered exactly as long as its time bucket; "
        "with `dedupe.store: redis` it is another name of `dedupe.ttl`",
    )
    tokens_max: int = key(
        "tokens_max",
        INTEGER,
        "1000000",
        "With more tokens than this, those that no window counts are forgotten.",
        bounds=(1, 100_000_000),
        unit="tokens",
    )
    dead_letters_max: int = key(
        "dead_letters_max",
        INTEGER,
        "100000",
        "Most dead letters kept; the oldest go first, their counts stay.",
        bounds=(1, 100_000_000),
        unit="messages",
    )


@dataclass(frozen=True, slots=True)
class Dedupe:
    """How long duplicates are recognised."""

    store: str = key(
        "store",
        choice("local", "redis"),
        "local",
        "`local`: as long as a window can count them, which makes windows exact; `redis`: "
        "`swapstats aggregate` asks Redis as well, one round trip a batch, and calls a later one a "
        "duplicate instead of too old.",
    )
    ttl_ms: int = key(
        "ttl",
        SPAN,
        "auto",
        "How long Redis knows an event after it last came, more than widest window + "
        "`app.max_ahead` + 1h; auto = twice that. It costs Redis some 150 bytes an event.",
        bounds=(HOUR_MS, 3660 * DAY_MS),
        words={"auto": 0},
    )


@dataclass(frozen=True, slots=True)
class Log:
    """How long the embedded logs keep what they took."""

    retention_ms: int = key(
        "retention",
        SPAN,
        "auto",
        "How long records are kept; auto = widest window + `app.max_ahead` + 1h, the least.",
        bounds=(HOUR_MS, 3660 * DAY_MS),
        words={"auto": 0},
    )
    size_bytes_max: int = key(
        "size_max",
        SIZE,
        "64GiB",
        "Size of all partitions above which the oldest records already read are dropped.",
        bounds=(16 * MIB, 1 << 50),
        words={"unbounded": 0},
    )
    raw_retention_ms: int = key(
        "raw_retention",
        SPAN,
        "24h",
        "How long the raw log keeps raw events, here or on brokers; the embedded one never drops "
        "what the preprocessor's state still needs.",
        bounds=(HOUR_MS, 3660 * DAY_MS),
    )
    raw_size_bytes_max: int = key(
        "raw_size_max",
        SIZE,
        "16GiB",
        "Size of the embedded raw log above which the oldest events already taken are dropped.",
        bounds=(16 * MIB, 1 << 50),
        words={"unbounded": 0},
    )
