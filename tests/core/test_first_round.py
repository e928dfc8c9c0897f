from dataclasses import replace

import numpy as np

from swapstats.core.first_round import FirstRound
from swapstats.model.effects import StatsUpdate, TokenName

ROWS = np.zeros((1, 1, 13), dtype=np.int64)


def update(partition: int, seq: int, t_ms: int, *, token: int = 0) -> StatsUpdate:
    return StatsUpdate(
        partition=partition,
        epoch=1,
        seq=seq,
        offset=seq,
        t_ms=t_ms,
        end_ms=t_ms,
        complete_since_ms=0,
        names=(TokenName(token, f"T{token}", None),),
        token_ids=np.array([token], dtype=np.int32),
        rows=ROWS,
    )


def test_the_first_words_wait_and_the_one_furthest_behind_comes_first() -> None:
    told: list[StatsUpdate] = []
    first_round = FirstRound(told.append)
    first_round.take(update(0, 1, 300))
    first_round.take(update(1, 1, 100))
    assert (told, first_round.partitions, first_round.is_over) == ([], 2, False)
    first_round.end()
    assert [one.partition for one in told] == [1, 0]
    assert first_round.is_over
    assert first_round.partitions == 0
    first_round.end()
    later = update(0, 2, 400)
    first_round.take(later)
    assert told[2] is later


def test_what_is_held_of_a_partition_becomes_one_update() -> None:
    told: list[StatsUpdate] = []
    first_round = FirstRound(told.append)
    first_round.take(update(0, 1, 100, token=0))
    first_round.take(update(0, 2, 200, token=1))
    first_round.end()
    assert [(one.seq, one.token_ids.tolist()) for one in told] == [(2, [0, 1])]


def test_a_whole_update_takes_the_place_of_what_came_before() -> None:
    told: list[StatsUpdate] = []
    first_round = FirstRound(told.append)
    first_round.take(update(0, 1, 100))
    whole = replace(update(0, 2, 200, token=1), whole=True)
    first_round.take(whole)
    first_round.end()
    assert told == [whole]
