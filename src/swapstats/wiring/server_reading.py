"""Real servers, opened for reading beside the processes that use them."""

import contextlib
from dataclasses import dataclass
from typing import Self

from swapstats.adapters.redis.cluster_facts import RedisClusterFacts
from swapstats.core.hash_key import HashKey
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import Settings
from swapstats.wiring.auditing import Auditor
from swapstats.wiring.brokers import checkpoint_store, redis_url
from swapstats.wiring.transport import transport


@dataclass(frozen=True, slots=True)
class ServerReaders:
    """What an auditor needs of a deployment.

    Attributes:
        auditor: what audits it.
        opened: what is released at the end.
    """

    auditor: Auditor
    opened: contextlib.ExitStack

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Connect to the servers of a configuration.

        Raises:
            SettingsError: a server is not named.
            Transient: a server cannot be reached.
        """
        with contextlib.ExitStack() as opened:
            facts = RedisClusterFacts(redis_url(settings), settings.stores.redis.prefix)
            opened.callback(facts.close)
            log = transport(settings).open_reader()
            opened.callback(log.close)
            checkpoints = checkpoint_store(settings)
            opened.callback(checkpoints.close)
            key = HashKey.of(facts.hash_key())
            auditor = Auditor(_BrokerLog(log), log.partition_count, checkpoints, key)
            return cls(auditor, opened.pop_all())

    def close(self) -> None:
        """Release every connection."""
        self.opened.close()


class _BrokerLog:
    """The log as an auditor reads it; a broker checks its records itself."""

    def __init__(self, log: SwapLogReader) -> None:
        self._log = log

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return self._log.start_offsets()

    def read_past_damage(
        self, partition: int, offset: int, bytes_max: int
    ) -> tuple[RecordBatch | None, tuple[str, ...], int]:
        """Read records; nothing is ever damaged."""
        batch = self._log.read(partition, offset, bytes_max)
        return batch, (), offset if batch is None else batch.next_offset
