"""The preprocessor's loop: what is written, what is noted, and what any crash leaves behind."""

import threading
from collections.abc import Sequence

import pytest
from tests.roles.preprocess.rig import CountingMachine, Rig, counting

from swapstats.adapters.embedded.log import FAULT_POINTS
from swapstats.errors import Rejected, StoreCorrupt, StoreFull, Transient
from swapstats.model.preprocessed import Candle, Preprocessed
from swapstats.model.record import RecordBatch
from swapstats.model.saved_state import SavedState
from swapstats.model.writer import Writer
from swapstats.ports.raw_machine import Machine
from swapstats.roles.preprocess.run import Preprocess
from swapstats.testing.eventually import eventually
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash

MESSAGES = [b"a", b"skip", b"b", b"bad one", b"c"]
SWAPS = [b"a after 0", b"b after 2", b"c after 4"]


def stopped() -> threading.Event:
    stop = threading.Event()
    stop.set()
    return stop


def test_swaps_are_written_with_how_far_the_raw_log_is_taken(rig: Rig) -> None:
    rig.write(*MESSAGES)
    life = rig.life()
    assert life.turn() == 5
    assert rig.swaps() == SWAPS
    assert rig.log.position("preprocess/0") == "5@1"
    assert life.status.unread == 0


def test_refused_events_are_letters_where_they_stand_unless_filtered_on_purpose(rig: Rig) -> None:
    rig.write(*MESSAGES)
    rig.life().turn()
    letters = list(rig.letters.scan())
    assert [(letter.partition, letter.offset, letter.message) for letter in letters] == [
        (0, 3, b"bad one")
    ]
    assert letters[0].reason == "bad_json"


def test_a_stop_leaves_a_state_and_a_restart_goes_on_from_it(rig: Rig) -> None:
    rig.write(*MESSAGES)
    life = rig.life()
    life.turn()
    life.run(stopped())
    assert rig.states.load(0) == SavedState(1, 5, b"5")
    assert life.safe_offsets() == [5]
    rig.crash()
    rig.write(b"d")
    rig.life().turn()
    assert rig.swaps() == [*SWAPS, b"d after 5"]
    assert rig.log.position("preprocess/0") == "6@2"


def test_what_was_written_before_a_crash_is_not_written_again(rig: Rig) -> None:
    rig.write(*MESSAGES)
    life = rig.life()
    life.turn()
    assert rig.states.load(0) is None
    rig.crash()
    rig.write(b"d")
    rig.life().turn()
    assert rig.swaps() == [*SWAPS, b"d after 5"]
    assert len(list(rig.letters.scan())) == 1


@pytest.mark.parametrize("batch_bytes_max", [1, 6])
def test_a_batch_that_ends_elsewhere_than_before_the_crash_changes_nothing(
    rig: Rig, batch_bytes_max: int
) -> None:
    rig.write(*MESSAGES)
    rig.life(batch_bytes_max=3).turn()  # stands in the middle of what the next life reads at once
    assert rig.swaps() == SWAPS[:1]
    rig.crash()
    life = rig.life(batch_bytes_max=batch_bytes_max)
    while life.turn():
        pass
    assert rig.swaps() == SWAPS


@pytest.mark.parametrize("point", [point for point in FAULT_POINTS if point != "log.trim"])
def test_a_kill_at_any_step_of_an_append_loses_and_doubles_nothing(rig: Rig, point: str) -> None:
    rig.write(*MESSAGES)
    rig.plan = FaultPlan([Fault(point)])
    life = rig.life()
    with pytest.raises(InjectedCrash):
        life.turn()
    life.save()  # a state that is ahead of what came of it must not be saved
    assert rig.states.load(0) is None
    rig.crash()
    rig.life().turn()
    assert rig.swaps() == SWAPS


def test_a_full_disk_ends_it_and_leaves_no_state_ahead(rig: Rig) -> None:
    rig.write(*MESSAGES)
    rig.plan = FaultPlan([Fault("log.commit", "full")])
    life = rig.life()
    with pytest.raises(StoreFull):
        life.turn()
    life.leave()
    assert rig.states.load(0) is None


def test_a_newer_owner_ends_the_writing_of_the_older_one(rig: Rig) -> None:
    rig.write(b"a")
    old = rig.life()
    old.turn()
    rig.write(b"b")
    new = rig.life()
    new.turn()
    new.save()
    rig.write(b"c")
    old.save()
    assert old.turn() == 2  # read, and left alone
    assert rig.swaps() == [b"a after 0", b"b after 1"]
    assert rig.states.load(0) == SavedState(2, 2, b"2")
    assert old.status.places == ()


def test_what_a_former_owner_wrote_once_more_does_not_stand_in_the_way(rig: Rig) -> None:
    rig.write(b"a", b"b")
    old = rig.life(batch_bytes_max=1)
    old.restore()
    new = rig.life()
    new.turn()
    new.save()
    old.turn()  # writes what is there already, and a lower offset under a lower epoch
    assert rig.log.position("preprocess/0") == "1@1"
    rig.crash()
    rig.write(b"c")
    rig.life().turn()
    assert rig.swaps()[-1] == b"c after 2"
    assert set(rig.swaps()) == {b"a after 0", b"b after 1", b"c after 2"}


def test_a_swap_log_that_lost_its_end_is_told(rig: Rig) -> None:
    rig.write(b"a", b"b")
    life = rig.life()
    life.turn()
    life.save()
    rig.opened.close()
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (rig.path / name).unlink(missing_ok=True)
    rig.opened.pop_all()
    rig.open()
    with pytest.raises(StoreCorrupt, match="--rebuild"):
        rig.life().restore()
    rig.life(rebuild=True).turn()
    assert rig.swaps() == [b"a after 0", b"b after 1"]


def test_a_state_of_other_rules_is_told_with_what_to_do(rig: Rig) -> None:
    rig.write(b"a")
    epoch = rig.states.acquire(0)
    rig.states.save(0, SavedState(epoch, 1, b"of other rules"))
    with pytest.raises(Rejected, match="start with --rebuild"):
        rig.life().restore()


def test_a_rebuild_makes_the_state_again_and_writes_nothing_twice(rig: Rig) -> None:
    rig.write(*MESSAGES)
    life = rig.life()
    life.turn()
    life.save()
    rig.crash()
    rig.write(b"d")
    life = rig.life(rebuild=True)
    life.turn()
    life.save()
    assert rig.swaps() == [*SWAPS, b"d after 5"]
    assert rig.states.load(0) == SavedState(2, 6, b"6")


def test_no_state_passes_a_letter_that_is_not_stored(rig: Rig) -> None:
    is_safe = False
    rig.write(*MESSAGES)
    life = rig.life(
        letters_safe=lambda partition, offset: (partition, offset) == (0, 5) and is_safe
    )
    life.turn()
    life.save()
    assert rig.states.load(0) is None
    life.turn()
    assert "dead letters" in life.status.problem
    is_safe = True
    life.save()
    assert rig.states.load(0) == SavedState(1, 5, b"5")


class AwayCandles:
    """Takes candles once it is back."""

    def __init__(self) -> None:
        self.is_away = True
        self.kept: dict[tuple[str, int], Candle] = {}

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        if self.is_away:
            raise Transient("Expected Postgres, was away")
        self.kept.update({(candle.token, candle.minute_ms): candle for candle in candles})


class CandleMachine(CountingMachine):
    """Makes a candle of each record as well."""

    def apply(self, batch: RecordBatch) -> Preprocessed:
        first = self.taken
        made = super().apply(batch)
        made.candles.extend(candle(minute) for minute in range(first, self.taken))
        return made


def candle(minute: int) -> Candle:
    return Candle(
        token="T",
        minute_ms=minute * 60_000,
        open="1",
        high="2",
        low="1",
        close="2",
        volume_usd="3",
        volume_token="4",
        trades=1,
    )


def with_candles(blob: bytes | None) -> Machine:
    return CandleMachine(0 if blob is None else int(blob))


def test_candles_that_cannot_be_stored_keep_the_state_and_at_last_the_reading(rig: Rig) -> None:
    store = AwayCandles()
    rig.write(b"a", b"b", b"c")
    life = rig.life(with_candles, candles=store, waiting_max=2, batch_bytes_max=2)
    assert life.turn() == 2
    life.save()
    assert rig.states.load(0) is None
    assert life.turn() == 0  # no room for what it would lead to
    assert "Postgres" in life.status.problem
    store.is_away = False

    def everything() -> bool:
        life.turn()
        return len(store.kept) == 3

    eventually(everything, 5_000, "all candles to be stored")
    life.save()
    assert rig.states.load(0) == SavedState(1, 3, b"3")
    assert rig.swaps() == [b"a after 0", b"b after 1", b"c after 2"]


def test_partitions_stand_by_themselves(rig: Rig) -> None:
    rig.opened.close()
    rig.opened.pop_all()
    for name in ("raw.db", "raw.db-wal", "raw.db-shm"):
        (rig.path / name).unlink(missing_ok=True)
    rig.partitions = 2
    rig.open()
    rig.write(b"a", partition=0)
    rig.write(b"b", b"c", partition=1)
    life = rig.life()
    life.turn()
    life.save()
    assert sorted(rig.swaps()) == [b"a after 0", b"b after 0", b"c after 1"]
    assert rig.log.positions("preprocess/") == {"preprocess/0": "1@1", "preprocess/1": "2@1"}
    assert (rig.states.load(0), rig.states.load(1)) == (
        SavedState(1, 1, b"1"),
        SavedState(1, 2, b"2"),
    )


def test_a_partition_given_up_leaves_a_state_and_one_lost_leaves_none(rig: Rig) -> None:
    rig.write(b"a")
    life: Preprocess = rig.life(counting)
    life.turn()
    life.lost([0])
    life.save()
    assert rig.states.load(0) is None
    other = rig.life()
    other.turn()
    other.leave()
    assert rig.states.load(0) == SavedState(2, 1, b"1")
