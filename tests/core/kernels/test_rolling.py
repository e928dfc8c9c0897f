"""Rolling sums against their twins and plain sums: carries through all words, whole buckets."""

from random import Random

import numpy as np
import pytest
from tests.core.kernels.heaps import Ground
from tests.core.kernels.sums import AMOUNT_MAX, TOKENS, USD_MAX, Board, Trade, as_stats
from tests.core.kernels.twins import agree

from swapstats.core.kernels import cells, rolling
from swapstats.core.kernels.reference import cells as plain_cells
from swapstats.core.kernels.reference import rolling as plain
from swapstats.model.stats import ROW_WORDS, WindowStats, from_row, to_row


def random_cell(rng: Random) -> list[int]:
    half = (1 << 31) - 1
    unpriced, buys = (rng.choice((0, 1, -1, half, -half, rng.randint(-9, 9))) for _ in range(2))
    trades = rng.choice((0, 1, -1, half, -half))
    return [
        rng.randrange(TOKENS) + (unpriced << 32),
        (buys << 32) + trades,
        *(rng.choice((0, 1, -1, 1 << 62, -(1 << 62), rng.randint(-99, 99))) for _ in range(2)),
        rng.choice((0, 1, -1, (1 << 63) - 1, -(1 << 63))),
        rng.choice((0, 1, -1, 3 << 60, -(3 << 60))),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_whole_buckets_enter_and_leave(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    board = Board(Ground(seed), widths=(1, 1, 1))
    ground = board.ground
    for slot in range(3):
        if rng.random() < 0.8:
            ground.put_cells(slot, [random_cell(rng) for _ in range(rng.choice((1, 5, 30)))])
    slots = rng.sample(range(3), rng.randint(0, 3))
    count = agree(rolling.shift, plain.shift, *board.shifted(slots, 1, 1, stamp=1))
    sums = [ground.sums(ground.records[slot]) for slot in slots]
    touched = {token for each in sums for token in each}
    assert sorted(board.changed[:count].tolist()) == sorted(touched)
    for token in range(TOKENS):
        parts = [each[token] for each in sums if token in each]
        total = tuple(sum(part) for part in zip(*parts, strict=True)) if parts else (0,) * 6
        assert board.stats(token, 1) == as_stats(total)
    assert not board.rolling[:, (0, 2)].any()
    rows = np.zeros((len(slots), ROW_WORDS), dtype=np.int64)
    for token in (0, TOKENS - 1):
        rows[:] = 0
        agree(
            rolling.sum_token, plain.sum_token, ground.words, ground.records,
            np.array(slots, dtype=np.int32), token, rows,
        )  # fmt: skip
        assert [from_row(row) for row in rows] == [
            as_stats(each.get(token, (0, 0, 0, 0, 0, 0))) for each in sums
        ]
    rng.shuffle(slots)
    again = agree(rolling.shift, plain.shift, *board.shifted(slots, 1, -1, stamp=1))
    assert again == 0
    assert not board.rolling.any()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "start",
    [
        WindowStats(vol_usd=(1 << 64) - 1, vol_token=(1 << 64) - 1, buy_usd=(1 << 64) - 1),
        WindowStats(vol_usd=-(1 << 64), vol_token=-(1 << 128), buy_usd=-1),
        WindowStats(vol_usd=1 << 64, vol_token=1 << 128, buy_usd=1 << 64),
        WindowStats(vol_usd=(1 << 126), vol_token=(1 << 128) - 1, buy_usd=(1 << 126) - 1),
        WindowStats(vol_token=((1 << 64) - 1) << 64),
        WindowStats(vol_usd=10**18 << 60, vol_token=10**38 << 60, buy_usd=10**18 << 60),
        WindowStats(vol_usd=-(10**18) << 60, vol_token=-(10**38) << 60, trades=-(1 << 60)),
        WindowStats(vol_usd=-1, vol_token=-1, buy_usd=-1),
        WindowStats(),
    ],
)
def test_carries_and_borrows_through_all_words(start: WindowStats, sign: int) -> None:
    """128 and 192 bits, from where one more unit changes every word."""
    for amount, value in ((1, 1), (0, 0), (AMOUNT_MAX, USD_MAX), ((1 << 64) - 1, 2), (1 << 64, 1)):
        board = Board()
        board.rolling[2, 0] = to_row(start)
        board.ground.run(
            cells.add, plain_cells.add, *board.arguments({0: [Trade(2, amount, value, sign=sign)]})
        )
        after = board.stats(2)
        assert after.vol_token == start.vol_token + sign * amount
        assert after.vol_usd == start.vol_usd + sign * value
        assert after.buy_usd == start.buy_usd + sign * value
        assert after.trades == start.trades + sign
        agree(rolling.shift, plain.shift, *board.shifted([0], 0, -1, stamp=2))
        assert board.rolling[2, 0].tolist() == to_row(start).tolist()


@pytest.mark.parametrize("high", [0, 1, -1, (1 << 31) - 1, -(1 << 31) + 1])
@pytest.mark.parametrize("low", [0, 1, -1, (1 << 31) - 1, -(1 << 31)])
def test_two_signed_counts_in_a_word(high: int, low: int) -> None:
    word = (high << 32) + low
    assert rolling.low_half(word) == low
    assert rolling.high_half(word - low) == high
