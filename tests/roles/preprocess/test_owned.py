"""Taking a partition of the raw log over: what fits together, and what does not."""

import pytest
from tests.roles.preprocess.rig import Rig

from swapstats.errors import OffsetGone, StoreCorrupt
from swapstats.model.record import MessageBlock
from swapstats.model.saved_state import SavedState


def note(rig: Rig, text: str) -> None:
    rig.log.append(MessageBlock.of([]), rig.log_places(0), 1, {"preprocess/0": text})


def test_a_raw_log_that_lost_what_the_state_needs_is_told(rig: Rig) -> None:
    rig.write(b"a")
    life = rig.life()
    life.turn()
    life.save()
    rig.write(b"b", append_ms=life_ms(rig, 1))
    rig.write(b"c", append_ms=life_ms(rig, 2))
    rig.raw.trim(life_ms(rig, 2), 0, [2])
    assert rig.raw.start_offsets() == [2]
    with pytest.raises(OffsetGone, match="--accept-gap to go on at 2"):
        rig.life().restore()
    rig.life(accept_gap=True).turn()
    assert rig.swaps() == [b"a after 0", b"c after 1"]


def test_a_raw_log_shorter_than_the_state_is_told(rig: Rig) -> None:
    rig.write(b"a")
    rig.states.save(0, SavedState(rig.states.acquire(0), 9, b"9"))
    with pytest.raises(OffsetGone, match="--accept-gap to go on at 1"):
        rig.life().restore()


def test_a_lost_state_begins_where_the_raw_log_does_and_writes_nothing_twice(rig: Rig) -> None:
    rig.write(b"a", b"b")
    note(rig, "1@3")
    rig.life().turn()
    assert rig.swaps() == [b"b after 1"]


def test_a_lost_state_and_a_raw_log_that_begins_later_is_a_gap(rig: Rig) -> None:
    rig.write(b"a", b"b", b"c")
    rig.write(b"d", append_ms=life_ms(rig, 2))
    rig.raw.trim(life_ms(rig, 2), 0, [3])
    note(rig, "1@3")
    with pytest.raises(OffsetGone, match="offset 1, was 3 to 4"):
        rig.life().restore()


def test_a_note_that_is_none_is_told(rig: Rig) -> None:
    note(rig, "somewhere")
    with pytest.raises(StoreCorrupt, match="OFFSET@EPOCH"):
        rig.life().restore()


def life_ms(rig: Rig, later: int) -> int:
    return rig.now_ms + later
