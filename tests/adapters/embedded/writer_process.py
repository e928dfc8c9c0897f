"""A writer to be killed: writes predictable content and prints a line for all that it was promised.

writer_process.py lock DIR                      hold the directory's lock until stdin closes
writer_process.py log DIR [POINT:NTH]           append for ever (or until killed at a point)
writer_process.py checkpoints DIR [POINT:NTH]   save revisions for ever, likewise
writer_process.py letters DIR                   put dead letters for ever
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.directory import DataDirectory
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta, CheckpointHeader
from swapstats.model.effects import DeadLetter
from swapstats.model.record import MessageBlock
from swapstats.testing.faults import Fault, FaultPlan

PARTITIONS = 3


def hold_lock(path: Path) -> None:
    with DataDirectory.open(path, writer=True):
        print("ready", flush=True)
        sys.stdin.read()


def append_for_ever(path: Path, faults: FaultPlan) -> None:
    log = EmbeddedSwapLog(path / "log.db", PARTITIONS, faults=faults)
    # Goes on where the log stands, as a source does: round r holds r % 40 messages a partition.
    for round_ in itertools.count(int(log.position("demo") or -1) + 1):
        messages = [
            b"%d/%d/%d " % (round_, partition, at) * 20
            for at in range(round_ % 40)
            for partition in range(PARTITIONS)
        ]
        partitions = np.tile(np.arange(PARTITIONS, dtype=np.int32), round_ % 40)
        log.append(MessageBlock.of(messages), partitions, round_, {"demo": str(round_)})
        print(round_, flush=True)


def delta_of(revision: int, epoch: int) -> CheckpointDelta:
    """Revision r changes buckets r..r+9 (and all held, each 16th time) to `r` repeated."""
    min_bucket = revision - 5
    full = revision % 16 == 0
    numbers = range(max(0, min_bucket) if full else revision, revision + 10)
    return CheckpointDelta(
        CheckpointHeader(
            format=CHECKPOINT_FORMAT,
            shard=0,
            epoch=epoch,
            revision=revision,
            t_ms=revision,
            newest_ms=0,
            complete_since_ms=0,
            next_offset=revision,
            min_bucket=min_bucket,
            token_count=0,
            step_ms=1,
            widths_ms=(1,),
            key_id="",
            clock="wall",
            counters={},
            reasons={},
        ),
        dict.fromkeys(numbers, b"%d " % revision * 500),
        b"%d" % revision,
        full=full,
    )


def save_for_ever(path: Path, faults: FaultPlan) -> None:
    store = EmbeddedCheckpointStore(path / "checkpoints.db", faults=faults)
    epoch = store.acquire(0)
    found = store.load(0)
    for revision in itertools.count(1 if found is None else found.header.revision + 1):
        store.save(delta_of(revision, epoch))
        print(revision, flush=True)


def put_for_ever(path: Path) -> None:
    store = EmbeddedDeadLetterStore(path / "dead-letters.db")
    for round_ in itertools.count():
        store.put(
            [DeadLetter(0, round_ * 5 + at, round_, "bad_side", "", b"%d" % at) for at in range(5)]
        )
        print(round_, flush=True)


def main(what: str, directory: str, fault: str = "") -> None:
    path = Path(directory)
    point, _, nth = fault.partition(":")
    faults = FaultPlan([Fault(point, "kill", int(nth))] if fault else [])
    if what == "lock":
        hold_lock(path)
    elif what == "log":
        append_for_ever(path, faults)
    elif what == "checkpoints":
        save_for_ever(path, faults)
    else:
        put_for_ever(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
