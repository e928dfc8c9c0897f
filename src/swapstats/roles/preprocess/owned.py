"""A partition of the raw log that this process owns, and how it is taken over."""

from dataclasses import dataclass

from swapstats.errors import OffsetGone, Rejected, StoreCorrupt
from swapstats.model.writer import Writer
from swapstats.ports.raw_machine import Machine, MakeMachine
from swapstats.ports.state_store import StateStore
from swapstats.ports.swap_log import SwapLogReader


@dataclass(slots=True)
class OwnedPartition:
    """Where a partition stands.

    Attributes:
        partition: of the raw log.
        writer: the owner: name of the partition, and its epoch.
        machine: its state.
        next_offset: the machine holds exactly the records before it.
        noted: outputs of records below it are in the swap log, and that is noted there.
        saved: offset of the newest saved state.
        append_ms: append time of the newest record taken; 0 = none yet.
    """

    partition: int
    writer: Writer
    machine: Machine
    next_offset: int
    noted: int
    saved: int
    append_ms: int = 0


def note_name(partition: int) -> str:
    """Name under which the swap log notes how far a partition of the raw log was taken."""
    return f"preprocess/{partition}"


def note_text(offset: int, epoch: int) -> str:
    """What is noted: the next raw offset, and under which epoch."""
    return f"{offset}@{epoch}"


def take_over(
    partition: int,
    first: int,
    end: int,
    make: MakeMachine,
    store: StateStore,
    log: SwapLogReader,
    *,
    raw_name: str = "raw",
    rebuild: bool = False,
    accept_gap: bool = False,
) -> OwnedPartition:
    """Become a partition's owner and bring back its state.

    Args:
        partition: of the raw log.
        first: first offset the raw log still holds.
        end: offset its next record will get.
        make: makes the machine.
        store: where states are kept.
        log: the swap log, which notes what it has.
        raw_name: of the raw log, where writers are told apart.
        rebuild: make the state from the raw log again.
        accept_gap: go on where the raw log begins or ends although the state asks for another
            offset.

    Raises:
        OffsetGone: the raw log no longer holds the offset to go on from, or ends before it.
        StoreCorrupt: the state cannot be read, or the swap log lost what was made before it.
        Rejected: the state was made with other rules or by another version.
    """
    writer = Writer(f"{raw_name}/{partition}", store.acquire(partition))
    noted, noted_epoch = _noted(log.position(note_name(partition)))
    saved = None if rebuild else store.load(partition)
    if saved is None:
        if noted is not None and noted < first and not accept_gap:
            raise _gone(partition, noted, first, end)
        return OwnedPartition(partition, writer, make(None), first, noted or 0, first)
    try:
        machine = make(saved.blob)
    except Rejected as error:
        raise Rejected(
            f"{error}; to go on with these rules, start with --rebuild: prices are made from what "
            f"the raw log still holds, and swaps that are in the swap log are not written again"
        ) from error
    next_offset = saved.next_offset
    if not first <= next_offset <= end:
        if not accept_gap:
            raise _gone(partition, next_offset, first, end)
        next_offset = first if next_offset < first else end
    elif noted is None or (noted < next_offset and noted_epoch >= saved.epoch):
        # Under a lower epoch it would be a former owner's, who wrote once more.
        raise StoreCorrupt(
            f"Expected the swap log to have what was made of partition {partition} of the raw log "
            f"up to offset {next_offset}, was {noted}: its end is lost (power loss, or an older "
            f"copy); start with --rebuild to make it again from the raw log"
        )
    return OwnedPartition(
        partition, writer, machine, next_offset, max(noted or 0, next_offset), next_offset
    )


def _noted(text: str | None) -> tuple[int | None, int]:
    if text is None:
        return None, 0
    offset, _, epoch = text.partition("@")
    try:
        return int(offset), int(epoch)
    except ValueError as error:
        raise StoreCorrupt(
            f"Expected OFFSET@EPOCH as the swap log's note of the preprocessor, was {text!r}: "
            "another program writes positions of this log"
        ) from error


def _gone(partition: int, wanted: int, first: int, end: int) -> OffsetGone:
    return OffsetGone(
        f"Expected partition {partition} of the raw log to hold offset {wanted}, was {first} to "
        f"{end}: start with --accept-gap to go on at {first if wanted < first else end} without "
        f"what is gone, and raise `log.raw_retention`"
    )
