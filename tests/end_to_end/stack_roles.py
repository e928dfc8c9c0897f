"""Roles as processes on real servers, and what the log in Kafka says they must show."""

import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path

from tests.end_to_end.service_process import ServiceProcess, clean_environment

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.core.column_recount import ColumnRecount
from swapstats.core.decode import choose_partitions
from swapstats.core.demo_market import DemoMarket
from swapstats.core.hash_key import HashKey
from swapstats.model.record import MessageBlock
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.ports.swap_log import SwapLog, SwapLogReader

ANY_KEY = HashKey.of(bytes(16))
SLICE_MS = 100


class RoleProcess(ServiceProcess):
    """One life of one role.

    Args:
        role: the command, such as `aggregate` or `collect evm`.
        config: the stack's configuration.
        said_dir: where its log lines are kept, a file for each life.
        arguments: further ones.
    """

    def __init__(self, role: str, config: Path, said_dir: Path, *arguments: str) -> None:
        name = role.replace(" ", "-")
        life = sum(1 for _ in said_dir.glob(f"{name}.*.log"))
        self._said = said_dir / f"{name}.{life}.log"
        command = [sys.executable, "-m", "swapstats", *role.split(), "--config", str(config)]
        command += ["--log-format", "json", *arguments]
        for name in ("prometheus", "pprof"):
            command += ["--set", f"metrics.{name}=127.0.0.1:0"]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )


class LogFeed:
    """The demo market, written into a log by this process.

    Args:
        log: where to.
        begins_ms: time of its first slice.
        seed: of the market.
        tokens: how many.
        rate: new swaps a second.
        again_percent: of each slice's messages, written twice on top of the market's duplicates.

    Attributes:
        log: where it is written.
        begins_ms: time of its first slice.
        at_ms: time of the next slice to be written; all before it are acknowledged.
    """

    def __init__(
        self,
        log: SwapLog,
        begins_ms: int,
        seed: int,
        *,
        tokens: int = 200,
        rate: int = 1_000,
        again_percent: int = 0,
    ) -> None:
        self.log = log
        self._market = DemoMarket(seed, tokens, rate)
        self._again_percent = again_percent
        self.begins_ms = self.at_ms = begins_ms // SLICE_MS * SLICE_MS

    def write(self, slices: int, at_once: int = 1) -> int:
        """Append the next tenths of a second of the market; returns how many messages.

        Args:
            slices: how many.
            at_once: slices appended as one block.

        Raises:
            Transient: the block was not acknowledged; the next call writes it again.
        """
        count = 0
        stop_ms = self.at_ms + slices * SLICE_MS
        while self.at_ms < stop_ms:
            next_ms = min(stop_ms, self.at_ms + at_once * SLICE_MS)
            block = MessageBlock.of(self.messages(self.at_ms, next_ms))
            partitions = choose_partitions(block, ANY_KEY, self.log.partition_count, self.at_ms)
            self.log.append(block, partitions, self.at_ms, {})
            self.at_ms = next_ms
            count += len(block)
        return count

    def messages(self, begins_ms: int, ends_ms: int) -> list[bytes]:
        """What is written for a span of the market: always the same."""
        found: list[bytes] = []
        for at_ms in range(begins_ms, ends_ms, SLICE_MS):
            told = self._market.slice(at_ms)
            found += told
            if self._again_percent:
                step = 100 // self._again_percent
                found += told[at_ms // SLICE_MS % step :: step]
        return found


class MarketFeed(LogFeed):
    """The same into a topic; `more` as `LogFeed` has it."""

    def __init__(
        self, address: KafkaAddress, topic: str, begins_ms: int, seed: int, **more: int
    ) -> None:
        super().__init__(KafkaSwapLog(address, topic, ANY_KEY), begins_ms, seed, **more)


def recounted(
    log: SwapLogReader, spec: WindowSpec, t_ms: int, max_ahead_ms: int, grace_ms: int
) -> dict[str, dict[str, WindowStats]]:
    """What the whole log says of every token at T: key -> window name -> statistics."""
    found: dict[str, dict[str, WindowStats]] = {}
    starts, ends = log.start_offsets(), log.end_offsets()
    for partition in range(log.partition_count):
        recount = ColumnRecount(spec, t_ms, ANY_KEY, max_ahead_ms, grace_ms, refuses_late=False)
        offset = starts[partition]
        while offset < ends[partition]:
            batch = log.read(partition, offset, 1 << 20)
            assert batch is not None
            recount.feed(batch)
            offset = batch.next_offset
        for key, stats in recount.windows().items():
            found[key] = dict(zip(spec.names, stats, strict=True))
    return found


def as_stats(told: dict[str, object]) -> WindowStats:
    """A window of an answer, as exact integers."""

    def scaled(name: str, digits: int) -> int:
        with localcontext(prec=100):
            return int(Decimal(str(told[name])).scaleb(digits))

    return WindowStats(
        vol_usd=scaled("vol_usd", 6),
        vol_token=scaled("vol_token", 18),
        trades=scaled("trades", 0),
        buy=scaled("buy", 0),
        sell=scaled("sell", 0),
        buy_usd=scaled("buy_usd", 6),
        sell_usd=scaled("sell_usd", 6),
        unpriced=scaled("unpriced", 0),
    )
