"""Where the log is, chosen once by `ingest.broker_type`: everything the roles open of it.

The embedded log is not among them: `swapstats run` opens it with its other stores.
"""

from dataclasses import replace
from typing import Final, Protocol

from swapstats.adapters.kafka.dead_letters import KafkaDeadLetters
from swapstats.adapters.kafka.log import KafkaSwapLog, KafkaSwapLogReader, Keying
from swapstats.adapters.kafka.subscription import KafkaSubscription
from swapstats.adapters.redis.dead_letters import RedisDeadLetters
from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.adapters.redis.streams_reader import RedisSwapLogReader
from swapstats.adapters.redis.streams_subscription import RedisStreamsSubscription
from swapstats.core.raw_placing import raw_keys
from swapstats.errors import SettingsError
from swapstats.ports.dead_letters import DeadLetterStore
from swapstats.ports.swap_log import SwapLog, SwapLogReader
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.retention import shortest_age_ms
from swapstats.settings import Settings
from swapstats.wiring.brokers import (
    PLACING_KEY,
    kafka_address,
    log_prefix,
    redis_url,
    subscription_options,
)

LETTERS_DELIVERY_MS: Final = 10_000
"""How long dead letters wait for their acknowledgement before they are put again."""

FOR_EVER_MS: Final = -1


class Transport(Protocol):
    """A kind of place for the log."""

    @property
    def kept_ms(self) -> int | None:
        """After how long its writer drops records; None = it does so by itself, or never."""
        ...

    def prepare(self) -> None:
        """Make what nobody else makes.

        Raises:
            SettingsMismatch: the log has another number of partitions.
            Transient: it cannot be reached.
        """
        ...

    def open_log(self, delivery_ms: int) -> SwapLog:
        """Open the log for writing; a write is given up after about so long."""
        ...

    def open_reader(self) -> SwapLogReader:
        """Open the log for reading."""
        ...

    def subscribe(self, owner: PartitionOwner) -> SwapSubscription:
        """Become a member of the group."""
        ...

    def open_letters(self) -> DeadLetterStore:
        """Open the place of dead letters."""
        ...


class KafkaTransport:
    """Topics on Kafka or Redpanda.

    Args:
        settings: the effective settings, of the raw log those of `raw_settings`.
        keys_of: what records are keyed by; None = the token keys of swaps.

    Raises:
        SettingsError: no broker is configured, or a property that cannot be given.
    """

    def __init__(self, settings: Settings, keys_of: Keying | None = None) -> None:
        self._settings = settings
        self._keys_of = keys_of
        self._address = kafka_address(settings)
        self._topic = settings.ingest.topic

    @property
    def kept_ms(self) -> int | None:
        """None: brokers drop records by the topic's retention."""
        return None

    def prepare(self) -> None:
        """Do nothing: `swapstats topics` makes topics."""

    def open_log(self, delivery_ms: int) -> SwapLog:
        """Open the topic for writing; see `KafkaSwapLog`."""
        partitions = self._settings.ingest.topic_cfg.partitions
        return KafkaSwapLog(
            self._address,
            self._topic,
            PLACING_KEY,
            partitions,
            delivery_ms=delivery_ms,
            keys_of=self._keys_of,
        )

    def open_reader(self) -> SwapLogReader:
        """Open the topic for reading; see `KafkaSwapLogReader`."""
        return KafkaSwapLogReader(self._address, self._topic)

    def subscribe(self, owner: PartitionOwner) -> SwapSubscription:
        """Become a member of the consumer group; see `KafkaSubscription`."""
        group = self._settings.ingest.group_id
        options = subscription_options(self._settings)
        return KafkaSubscription(self._address, self._topic, group, owner, options)

    def open_letters(self) -> DeadLetterStore:
        """Open the topic of dead letters; see `KafkaDeadLetters`."""
        return KafkaDeadLetters(self._address, self._topic, delivery_ms=LETTERS_DELIVERY_MS)


class RedisTransport:
    """Streams in the Redis of `stores.redis`.

    Args:
        settings: the effective settings, of the raw log those of `raw_settings`.
        is_raw: whether it is the raw log, from which no windows are made.

    Raises:
        SettingsError: no address of Redis, or what only Kafka knows.
    """

    def __init__(self, settings: Settings, *, is_raw: bool = False) -> None:
        self._settings = settings
        self._url = redis_url(settings)
        self._prefix = log_prefix(settings)
        shape, ingest = settings.ingest.topic_cfg, settings.ingest
        shortest_ms = shortest_age_ms(settings.windows, settings.app.max_ahead_ms)
        self._kept_ms = shape.retention_ms or shortest_ms
        if not is_raw and FOR_EVER_MS != self._kept_ms < shortest_ms:
            dotted = "ingest.topic_cfg.retention_ms"
            raise SettingsError(
                f"{dotted} ({settings.origin_of(dotted)}): Expected at least {shortest_ms} ms "
                f"(widest window + app.max_ahead + 1h), 0 or -1, was {self._kept_ms} ms: the state "
                f"could not be rebuilt"
            )
        if ingest.back_pressure != "block":
            raise SettingsError(
                f"ingest.back_pressure ({settings.origin_of('ingest.back_pressure')}): Expected "
                f"block with ingest.broker_type redis, was {ingest.back_pressure}: records wait in "
                f"Redis as they are"
            )

    @property
    def kept_ms(self) -> int | None:
        """As `ingest.topic_cfg.retention_ms` says."""
        return None if self._kept_ms == FOR_EVER_MS else self._kept_ms

    def prepare(self) -> None:
        """Make the log if there is none."""
        self.open_log(0).close()

    def open_log(self, delivery_ms: int) -> SwapLog:
        """Open the streams for writing, or make them; see `RedisSwapLog`."""
        del delivery_ms  # Redis answers at once or not at all
        return RedisSwapLog(self._url, self._prefix, self._settings.ingest.topic_cfg.partitions)

    def open_reader(self) -> SwapLogReader:
        """Open the streams for reading; see `RedisSwapLogReader`."""
        return RedisSwapLogReader(self._url, self._prefix)

    def subscribe(self, owner: PartitionOwner) -> SwapSubscription:
        """Become a member of the group; see `RedisStreamsSubscription`."""
        ingest = self._settings.ingest
        return RedisStreamsSubscription(
            self._url,
            self._prefix,
            ingest.group_id,
            owner,
            member=ingest.static_member or None,
            session_ms=ingest.session_timeout_ms,
            batch_bytes_max=ingest.read_bytes_max,
        )

    def open_letters(self) -> DeadLetterStore:
        """Open the dead letters of the log; see `RedisDeadLetters`."""
        letters_max = self._settings.app.dead_letters_max
        return RedisDeadLetters(self._url, self._prefix, letters_max=letters_max)


def transport(settings: Settings) -> Transport:
    """Choose where the log is.

    Raises:
        SettingsError: it is embedded, or what it needs is not configured.
    """
    if settings.ingest.broker_type == "redis":
        return RedisTransport(settings)
    return KafkaTransport(settings)


def raw_transport(settings: Settings) -> Transport:
    """Choose where the raw log is: beside the swap log, under `ingest.raw_topic`.

    Raises:
        SettingsError: it is embedded, or what it needs is not configured.
    """
    raw = raw_settings(settings)
    if settings.ingest.broker_type == "redis":
        return RedisTransport(raw, is_raw=True)
    return KafkaTransport(raw, raw_keys)


def raw_settings(settings: Settings) -> Settings:
    """The settings as they are for the raw log: its topic, its shape, its group."""
    ingest = settings.ingest
    shape = replace(
        ingest.topic_cfg,
        partitions=ingest.raw_partitions,
        retention_ms=settings.log.raw_retention_ms,
    )
    member = f"{ingest.static_member}-raw" if ingest.static_member else ""
    return replace(
        settings,
        ingest=replace(
            ingest,
            topic=ingest.raw_topic,
            group_id=f"{ingest.group_id}-preprocess",
            static_member=member,
            start="earliest",
            back_pressure="block",
            topic_cfg=shape,
        ),
    )
