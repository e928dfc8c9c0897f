"""Cells begun and found, against their twins and against a look at every cell."""

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.heaps import Ground

from swapstats.core.kernels import cell_index as compiled
from swapstats.core.kernels.records import (
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELLS,
)
from swapstats.core.kernels.reference import cell_index as plain


def expect_found(ground: Ground, record: NDArray[np.int64], others: list[int]) -> None:
    """Expect every token to be found where its last cell is."""
    last = {words[0] % (1 << 32): cell for cell, words in enumerate(ground.cells(record))}
    for token in (*last, *others):
        found = compiled.find_cell(ground.words.view(np.int64), ground.halves, record, token)
        assert found == last.get(token, -1)


@pytest.mark.parametrize("seed", range(20))
def test_any_history(seed: int) -> None:
    """Cells of few tokens or many, blocks and indexes made anew in between; room is scarce."""
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed, slots=1)
    record = ground.records[0]
    tokens = [rng.choice((rng.randrange(1 << 31), rng.randrange(64))) for _ in range(60)]
    others = [(1 << 31) - 1, 0, rng.randrange(1 << 31)]
    room = rng.choice((0, 0, 900))
    wanted: list[int] = []
    for _ in range(rng.randint(1, 120)):
        step = rng.random()
        if step < 0.03:
            size = 32
            while size <= len(wanted):
                size *= 2
            ground.run(
                compiled.make_index, plain.make_index, ground.words, record,
                size << rng.randint(0, 2), *ground.memory, room=lambda: room,
            )  # fmt: skip
        elif step < 0.06 and record[CELL_CAPACITY]:
            capacity = len(wanted) + rng.randint(1, 4)
            ground.run(
                compiled.grow_cells, plain.grow_cells, ground.words, record, capacity,
                *ground.memory, room=lambda: room,
            )  # fmt: skip
            assert record[CELL_CAPACITY] == capacity
        else:
            token = rng.choice(tokens)
            cell = ground.run(
                compiled.begin_cell, plain.begin_cell, ground.words, record, token,
                rng.choice((1, 3, 100)), *ground.memory, room=lambda: room,
            )  # fmt: skip
            assert cell == len(wanted)
            wanted.append(token)
            if rng.random() < 0.5:
                at = int(record[CELLS]) + 6 * cell
                ground.words.view(np.int64)[at] += rng.randrange(-5, 5) << 32
        assert [words[0] % (1 << 32) for words in ground.cells(record)] == wanted
        expect_found(ground, record, others)
    assert ground.refusals


def test_an_index_is_doubled_when_three_quarters_full() -> None:
    ground = Ground(slots=1)
    record = ground.records[0]
    ground.put_cells(0, [[token, 0, 0, 0, 0, 0] for token in range(23)])
    ground.run(compiled.make_index, plain.make_index, ground.words, record, 32, *ground.memory)
    for count, size in ((24, 32), (25, 64)):
        ground.run(
            compiled.begin_cell, plain.begin_cell, ground.words, record, 100 + count, 1,
            *ground.memory,
        )  # fmt: skip
        assert record[[CELL_COUNT, CELL_INDEX_SIZE]].tolist() == [count, size]
    expect_found(ground, record, [99])


def test_a_new_cell_is_empty_whatever_lay_there() -> None:
    ground = Ground(seed=1, slots=1)
    record = ground.records[0]
    ground.run(compiled.begin_cell, plain.begin_cell, ground.words, record, 9, 1, *ground.memory)
    assert ground.cells(record) == [[9, 0, 0, 0, 0, 0]]
    assert record[CELL_INDEX] == 0


@pytest.mark.parametrize("count", [0, 13, 14, 15, 16, 17, 4_095, 4_096, 4_097])
@pytest.mark.parametrize("more", [1, 2, 3, 17])
def test_what_pays_for_an_index(count: int, more: int) -> None:
    many = count + more > 16 and (more > 2 or count > 4_096)
    assert compiled.wants_index(count, more) == many
