"""Cells begun by hand, of both forms: where they lie and where their places are."""

from types import ModuleType

import pytest
from tests.core.kernels.heaps import Ground

from swapstats.core.kernels import cell_index as compiled
from swapstats.core.kernels.records import CELL_CAPACITY, CELL_COUNT, CELL_INDEX, CELLS
from swapstats.core.kernels.reference import cell_index as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])


@both
@pytest.mark.parametrize(
    ("count", "more", "capacity"),
    [(0, 1, 1), (0, 16, 16), (0, 60, 16), (0, 100, 25), (8, 1, 12), (8, 6, 14), (100, 400, 200)],
)
def test_room_for_what_may_come(twin: ModuleType, count: int, more: int, capacity: int) -> None:
    ground = Ground()
    if count:
        ground.put_cells(0, [[3, 0, 0, 0, 0, 0]] * count)
    ground.make_room(6 * capacity)
    record = ground.records[0]
    assert twin.begin_cell(ground.words, record, 9, more, *ground.memory) == count
    assert record[[CELL_CAPACITY, CELL_COUNT]].tolist() == [capacity, count + 1]
    assert ground.bump[0] == ground.bump[1]
    assert ground.live.sum() == 6 * capacity


@both
def test_words_of_a_new_cell(twin: ModuleType) -> None:
    ground = Ground(seed=5)
    ground.put_cells(0, [[(7 << 32) + 4, 1, 2, 3, 4, 5]])
    ground.make_room(100)
    record = ground.records[0]
    at = int(ground.bump[0])
    twin.begin_cell(ground.words, record, (1 << 31) - 1, 1, *ground.memory)
    assert record[CELLS] == at
    assert ground.words[at : at + 12].tolist() == [
        (7 << 32) + 4, 1, 2, 3, 4, 5, (1 << 31) - 1, 0, 0, 0, 0, 0
    ]  # fmt: skip


@both
def test_the_newest_cell_of_a_token_has_its_place(twin: ModuleType) -> None:
    """Three tokens want the first place and one the second; each goes on to the next free."""
    home = {token: (token * 0x9E3779B97F4A7C15 % (1 << 64) >> 32) % 32 for token in range(99)}
    first, second, third = [token for token in home if home[token] == 0][:3]
    other = next(token for token in home if home[token] == 1)
    ground = Ground()
    tokens = [first, second, other, first, third]
    ground.put_cells(0, [[token, 0, 0, 0, 0, 0] for token in tokens])
    ground.make_room(16)
    record = ground.records[0]
    assert twin.make_index(ground.words, record, 32, *ground.memory)
    places = ground.halves[2 * record[CELL_INDEX] :][:32].tolist()
    assert places == [4, 2, 3, 5, *[0] * 28]


@both
def test_no_room(twin: ModuleType) -> None:
    ground = Ground()
    ground.put_cells(0, [[4, 0, 0, 0, 0, 0]])
    before = ground.records.tolist()
    record = ground.records[0]
    assert twin.begin_cell(ground.words, record, 9, 1, *ground.memory) == -1
    assert ground.bump[2] == 12
    assert not twin.make_index(ground.words, record, 64, *ground.memory)
    assert not twin.grow_cells(ground.words, record, 5, *ground.memory)
    assert ground.bump[2] == 30
    assert ground.records.tolist() == before
