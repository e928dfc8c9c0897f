"""What the roles on real servers take from the settings: addresses, options, topics, stores.

Passwords go into what clients are given and nowhere else: no message here quotes one.
"""

import contextlib
from collections.abc import Mapping
from typing import Final, Literal, cast
from urllib.parse import quote, urlsplit

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.subscription_options import BackPressure, SubscriptionOptions
from swapstats.adapters.kafka.writer import MESSAGE_BYTES_MAX
from swapstats.adapters.redis.checkpoints import RedisCheckpointStore
from swapstats.adapters.redis.dedupe import RedisDedupe
from swapstats.core.hash_key import HashKey
from swapstats.core.topic_plan import WantedTopic, log_topics
from swapstats.errors import SettingsError
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.retention import shortest_age_ms
from swapstats.settings import Settings

LETTERS_RETENTION_MS: Final = 30 * 86_400_000
"""How long a broker keeps dead letters: long enough to look at them after a holiday."""

PLACING_KEY: Final = HashKey.of(bytes(16))
"""Stands in where records are only placed into partitions: that goes by the bytes of the token
key, and the fingerprints this key would make are thrown away. Aggregators have a secret one."""

PAIRS_TIMEOUT_MS: Final = 1_000
"""Every batch waits for this answer, and can do without it."""

REDIS_PORT: Final = 6_379
_REDIS_SCHEMES: Final = ("redis", "rediss")


def kafka_address(settings: Settings) -> KafkaAddress:
    """Say where the brokers are and how to speak to them.

    Raises:
        SettingsError: no broker is configured, or a property that cannot be given.
    """
    ingest = settings.ingest
    if ingest.broker_type == "redis":
        raise SettingsError(
            f"Expected ingest.broker_type kafka or redpanda, was redis "
            f"({settings.origin_of('ingest.broker_type')}): the log in Redis is made by who opens "
            f"it first and has no topics to look after"
        )
    if ingest.broker_type == "embedded":
        raise SettingsError(
            f"Expected ingest.broker_type kafka or redpanda, was embedded "
            f"({settings.origin_of('ingest.broker_type')}): name the brokers of the log (`make "
            f"stack` starts some and writes a configuration), or use `swapstats run`, which does "
            f"everything in one process"
        )
    secret = _secret_properties(ingest.secret_properties.reveal())
    twice = sorted(ingest.properties.keys() & secret.keys())
    if twice:
        raise SettingsError(
            f"Expected each property of the Kafka client once, was {', '.join(twice)} in both "
            f"ingest.properties and ingest.secret_properties"
        )
    return KafkaAddress(",".join(ingest.brokers), {**ingest.properties, **secret})


def subscription_options(settings: Settings) -> SubscriptionOptions:
    """Say how this instance behaves in its group."""
    ingest = settings.ingest
    return SubscriptionOptions(
        member=ingest.static_member or None,
        session_timeout_ms=ingest.session_timeout_ms,
        back_pressure=cast(BackPressure, ingest.back_pressure),
        buffer_bytes_max=ingest.buffer_bytes_max,
    )


def first_start(settings: Settings) -> Literal["earliest", "latest"]:
    """Say where a partition without a checkpoint begins."""
    return "latest" if settings.ingest.start == "latest" else "earliest"


def wanted_topics(
    settings: Settings, *, topic: str = "", partitions: int = 0
) -> tuple[WantedTopic, ...]:
    """Say which topics the logs need: themselves, positions, dead letters, late records.

    Args:
        settings: the effective settings.
        topic: another log's topic than the configured one; the raw log's are left out then.
        partitions: another number than the configured one.

    Raises:
        SettingsError: a log of that kind would lose swaps.
    """
    shape = settings.ingest.topic_cfg
    shortest_ms = shortest_age_ms(settings.windows, settings.app.max_ahead_ms)
    swaps = log_topics(
        topic or settings.ingest.topic,
        partitions or shape.partitions,
        shape.replication,
        shape.retention_ms or shortest_ms,
        shape.cleanup_policy,
        shape.segment_ms,
        retention_min_ms=shortest_ms,
        letters_retention_ms=LETTERS_RETENTION_MS,
        message_bytes_max=MESSAGE_BYTES_MAX,
        redpanda=settings.ingest.broker_type == "redpanda",
    )
    return swaps if topic else swaps + _raw_topics(settings)


def _raw_topics(settings: Settings) -> tuple[WantedTopic, ...]:
    """The raw log, its positions and its dead letters; nothing of it is late."""
    ingest = settings.ingest
    return log_topics(
        ingest.raw_topic,
        ingest.raw_partitions,
        ingest.topic_cfg.replication,
        settings.log.raw_retention_ms,
        "delete",
        ingest.topic_cfg.segment_ms,
        retention_min_ms=0,
        letters_retention_ms=LETTERS_RETENTION_MS,
        message_bytes_max=MESSAGE_BYTES_MAX,
        redpanda=ingest.broker_type == "redpanda",
    )[:3]


def redis_url(settings: Settings) -> str:
    """Make the URL of Redis; it may hold the password, so it is for the client only.

    Raises:
        SettingsError: no address, or not one of a Redis.
    """
    redis = settings.stores.redis
    where = f"stores.redis.addr ({settings.origin_of('stores.redis.addr')})"
    if not redis.addr:
        raise SettingsError(
            f"{where}: Expected the address of Redis such as 127.0.0.1:6379, was none: start a "
            f"Redis and name it (`make stack` does both)"
        )
    scheme, user, host = _redis_place(redis.addr, where)
    password = quote(redis.password.reveal(), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"{scheme}://{login}{host}/{redis.db}"


def log_prefix(settings: Settings) -> str:
    """Name what Redis holds of one log: another one has offsets of its own."""
    return f"{settings.stores.redis.prefix}:{settings.ingest.topic}"


def nats_servers(settings: Settings) -> list[str]:
    """List the URLs of NATS, which may hold passwords; empty = there is none."""
    urls = settings.pubsub.nats.url.reveal().split(",")
    return [url.strip() for url in urls if url.strip()]


def checkpoint_store(settings: Settings) -> CheckpointStore:
    """Open the store of checkpoints that is configured.

    Raises:
        SettingsError: it lacks an address or a bucket.
        StoreError: the S3 server knows no conditional writes, or denies access.
        Transient: the S3 server cannot be reached.
    """
    if settings.stores.checkpoints == "redis":
        return RedisCheckpointStore(redis_url(settings), settings.stores.redis.prefix)
    s3 = settings.stores.s3
    if not s3.bucket:
        raise SettingsError(
            f"stores.s3.bucket ({settings.origin_of('stores.s3.bucket')}): Expected a bucket for "
            f"checkpoints, was none: make one and name it, or set stores.checkpoints to redis"
        )
    # its client is large, and most deployments keep checkpoints in Redis
    from swapstats.adapters.object_store.checkpoints import ObjectCheckpointStore
    from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3

    location = S3Location(s3.bucket, s3.endpoint, s3.region, s3.key_id, s3.secret.reveal())
    return ObjectCheckpointStore(Objects(open_s3(location), s3.prefix))


def pair_memory(settings: Settings) -> PairMemory | None:
    """Open what knows events for longer than the windows; None = nothing does.

    Raises:
        SettingsError: there is no address of Redis.
    """
    if settings.dedupe.store != "redis":
        return None
    ttl_ms = settings.dedupe.ttl_ms
    return RedisDedupe(
        redis_url(settings), log_prefix(settings), ttl_ms, timeout_ms=PAIRS_TIMEOUT_MS
    )


def _secret_properties(text: str) -> Mapping[str, str]:
    """Read `name=value` lines; `#` begins a comment line. A wrong line is not quoted."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or not equals or name in found:
            raise SettingsError(
                f"Expected ingest.secret_properties with one name=value a line and each name once, "
                f"was another line {number} (not shown)"
            )
        found[name] = value
    return found


def _redis_place(addr: str, where: str) -> tuple[str, str, str]:
    """Take an address apart: scheme, user, host and port."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(addr if "://" in addr else f"redis://{addr}")
        host = parts.hostname
        extra = parts.path.strip("/") + parts.query + parts.fragment
        if host and not extra and parts.scheme in _REDIS_SCHEMES and parts.password is None:
            host = f"[{host}]" if ":" in host else host
            return parts.scheme, parts.username or "", f"{host}:{parts.port or REDIS_PORT}"
    # not quoted: what is wrong with it may be a password
    raise SettingsError(
        f"{where}: Expected host:port or rediss://user@host:port, was another text: the "
        f"password goes into stores.redis.password and the database into stores.redis.db"
    )
