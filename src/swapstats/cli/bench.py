"""`swapstats bench`: what this machine makes of it, in less than a minute."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.core.shard_config import ShardConfig
from swapstats.ports.observer import Silent
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.bench.quick import BenchStores, Sizes, measure_quickly
from swapstats.wiring.embedded import NoFanOut, embedded_aggregator


def bench_command(
    *,
    folder: Annotated[Path | None, Parameter(name=["--dir"])] = None,
    output: Path | None = None,
) -> int:
    """Measure this machine: the full path against bare decoding, the kernels, the memory.

    Takes less than a minute on one core. Stores are made in a temporary folder and thrown away.
    Ends with status 1 if a figure misses its target.

    Parameters
    ----------
    folder
        Where the temporary stores are made, for the disk in question; default: the system's
        folder for temporary files.
    output
        Folder where the figures are written as JSON.
    """
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description:>16}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks = {}

    def tell(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done)

    with bars:
        found = measure_quickly(
            lambda partitions: open_bench_stores(folder, partitions), tell, Sizes()
        )
    print(found.text())
    if output is not None:
        print(f"written to {found.save(output)}")
    return 1 if found.missed else 0


@contextmanager
def open_bench_stores(folder: Path | None, partitions: int) -> Iterator[BenchStores]:
    """Make empty embedded stores in a temporary folder.

    Args:
        folder: where the temporary folder is made; None = the system's place.
        partitions: of the log.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="swapstats-bench-") as name:
        place = Path(name)
        log = EmbeddedSwapLog(place / "log.db", partitions)
        checkpoints = EmbeddedCheckpointStore(place / "checkpoints.db")
        dead_letters = EmbeddedDeadLetterStore(place / "dead-letters.db")

        def make_aggregator(
            config: ShardConfig, now_ms: Callable[[], int], options: AggregatorOptions
        ) -> Aggregator:
            return embedded_aggregator(
                lambda partition: replace(config, partition=partition),
                log,
                checkpoints,
                dead_letters,
                NoFanOut(),
                Silent(),
                now_ms,
                options,
            )

        try:
            yield BenchStores(log, checkpoints, make_aggregator)
        finally:
            dead_letters.close()
            checkpoints.close()
            log.close()
