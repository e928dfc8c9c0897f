"""Inclusion numbers over what leaves, comes back, becomes final and is forgotten."""

import msgspec
import pytest
from tests.core.evm.blocks import header, swap

from swapstats.core.evm.inclusions import Inclusions
from swapstats.errors import Rejected

ONE, TWO = swap("0x1", header(5), 3), swap("0x2", header(5), 4)


def left(inclusions: Inclusions, height: int, *swaps: object) -> dict[str, str | None]:
    return inclusions.left(height, swaps)  # type: ignore[arg-type]


def test_an_event_that_never_left_has_inclusion_0() -> None:
    assert Inclusions().next(ONE) == 0


def test_each_time_it_comes_back_the_number_is_higher() -> None:
    inclusions = Inclusions()
    assert left(inclusions, 5, ONE) == {"gone/5": '[["0x1",3,1]]'}
    assert (inclusions.next(ONE), inclusions.next(TWO)) == (1, 0)
    again = msgspec.structs.replace(ONE, inclusion=1)
    assert left(inclusions, 7, again) == {"gone/5": None, "gone/7": '[["0x1",3,2]]'}
    assert inclusions.next(ONE) == 2


def test_the_same_transaction_at_another_index_is_another_event() -> None:
    inclusions = Inclusions()
    left(inclusions, 5, ONE)
    assert inclusions.next(msgspec.structs.replace(ONE, log_index=9)) == 0


def test_leaving_may_be_repeated() -> None:
    inclusions = Inclusions()
    first = left(inclusions, 5, ONE, TWO)
    assert left(inclusions, 5, ONE, TWO) == first
    assert len(inclusions) == 2


def test_what_is_final_is_forgotten_and_so_is_its_note() -> None:
    inclusions = Inclusions()
    left(inclusions, 5, ONE, TWO)
    assert inclusions.final([ONE]) == []
    assert inclusions.final([TWO]) == ["gone/5"]
    assert len(inclusions) == 0


def test_notes_restore_what_was_known() -> None:
    inclusions, restored = Inclusions(), Inclusions()
    notes = left(inclusions, 5, ONE) | left(inclusions, 6, TWO)
    restored.restore({key: str(text) for key, text in notes.items()} | {"block/5": "other"})
    assert (restored.next(ONE), restored.next(TWO), len(restored)) == (1, 1, 2)


@pytest.mark.parametrize("order", [("gone/5", "gone/7"), ("gone/7", "gone/5")])
def test_a_note_that_was_not_forgotten_in_time_changes_nothing(order: tuple[str, str]) -> None:
    texts = {"gone/5": '[["0x1",3,1]]', "gone/7": '[["0x1",3,2]]'}
    restored = Inclusions()
    restored.restore({key: texts[key] for key in order})
    assert restored.next(ONE) == 2


def test_the_lowest_are_forgotten_beyond_the_limit() -> None:
    inclusions = Inclusions(events_max=2)
    left(inclusions, 5, ONE)
    left(inclusions, 6, TWO)
    notes = left(inclusions, 7, swap("0x3", header(7)))
    assert notes == {"gone/5": None, "gone/7": '[["0x3",0,1]]'}
    assert (len(inclusions), inclusions.next(ONE), inclusions.next(TWO)) == (2, 0, 1)


@pytest.mark.parametrize(
    "note", [{"gone/x": "[]"}, {"gone/5": "{}"}, {"gone/5": "["}, {"gone/5": '[["0x1"]]'}]
)
def test_a_foreign_note_is_refused(note: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="from a copy"):
        Inclusions().restore(note)
