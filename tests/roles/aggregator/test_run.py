"""The aggregator's loop, driven by hand: what it carries out, and in which order."""

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import SPEC, START_MS, Rig, drain, held, shown, swap

from swapstats.errors import StoreFull, Transient
from swapstats.model.series import SeriesAnswer
from swapstats.testing.eventually import eventually
from swapstats.testing.faults import Fault, FaultPlan
from swapstats.testing.wire_streams import StreamShape, bad_message, random_stream, shuffled

BAD = b"not a swap"


def test_records_become_windows_updates_and_counters(wide_rig: Rig) -> None:
    aggregator, watched = wide_rig.living()
    wide_rig.append(*(swap(n, START_MS, f"T{n % 7}") for n in range(30)), swap(1, START_MS, "T1"))
    assert drain(aggregator) == 31
    assert held(aggregator) == wide_rig.recounted(START_MS)
    assert shown(watched.published) == held(aggregator)
    assert aggregator.status.counters["applied"] == 30 == watched.counted["applied"]
    assert aggregator.status.counters["duplicates"] == 1
    assert aggregator.status.token_count == 7 == watched.token_count
    assert {place.partition for place in aggregator.status.places} == {0, 1, 2}
    assert all(place.next_offset == place.end_offset for place in aggregator.status.places)


@pytest.mark.parametrize("seed", range(4))
def test_any_stream_gives_what_a_recount_gives(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    rig = Rig(tmp_path, 3)
    try:
        aggregator, watched = rig.living(chunk_bytes_max=700)
        shape = StreamShape(swaps=60, start_ms=START_MS - 50_000, span_ms=70_000, step_ms=1_000)
        messages = shuffled(rng, random_stream(rng, shape))
        messages += [bad_message(rng, START_MS, START_MS + 3_600_000)[1] for _ in range(20)]
        rng.shuffle(messages)
        while messages:
            count = rng.randint(1, 20)
            rig.append(*messages[:count])
            del messages[:count]
            drain(aggregator)
            rig.clock.advance(rng.choice((1, 500, 5_000)))
            aggregator.turn()
            if rng.random() < 0.3:
                aggregator.checkpoint()
                aggregator, watched = rig.living(chunk_bytes_max=700)
        rig.clock.advance(1_000)
        aggregator.turn()
        assert held(aggregator) == rig.recounted(rig.clock.wall_ms())
        assert shown(watched.published) == held(aggregator)
    finally:
        rig.close()


def test_time_alone_empties_the_windows_and_says_so(rig: Rig) -> None:
    aggregator, watched = rig.living()
    rig.append(swap(1, START_MS))
    drain(aggregator)
    rig.clock.advance(SPEC.widest_ms - 1_000)
    aggregator.turn()
    assert [stats.trades for stats in held(aggregator)["BTC"]] == [0, 1]
    rig.clock.advance(1_000)
    aggregator.turn()
    assert held(aggregator) == {} == shown(watched.published)
    assert watched.published[-1].t_ms == START_MS + SPEC.widest_ms


def test_no_tick_before_its_time(rig: Rig) -> None:
    aggregator, watched = rig.living(tick_ms=100)
    published = len(watched.published)
    rig.clock.advance(99)
    aggregator.turn()
    assert len(watched.published) == published
    rig.clock.advance(1)
    aggregator.turn()
    assert len(watched.published) == published + 1


def test_nothing_is_published_before_the_old_end_of_the_log_is_passed(wide_rig: Rig) -> None:
    first, before = wide_rig.living()
    wide_rig.append(*(swap(n, START_MS, f"T{n % 5}") for n in range(20)))
    drain(first)
    first.checkpoint()
    wide_rig.append(*(swap(n, START_MS, f"T{n % 5}") for n in range(20, 60)))
    drain(first)

    aggregator, watched = wide_rig.aggregator(chunk_bytes_max=400)
    assert (aggregator.status.phase, aggregator.status.progress) == ("restoring", 0.0)
    aggregator.restore()
    progress = [aggregator.status.progress]
    while not aggregator.status.ready:
        assert aggregator.status.phase == "catching up"
        assert watched.published == []
        assert aggregator.turn() > 0
        progress.append(aggregator.status.progress)
    assert progress == sorted(progress)
    assert progress[0] == 0.5
    assert progress[-1] == 1.0
    assert len(progress) > 3
    assert aggregator.status.phase == "live"
    assert shown(watched.published) == held(aggregator) == held(first)
    # the first words of the new life are newer than the last of the old one
    assert min(update.seq for update in watched.published) > max(u.seq for u in before.published)
    assert {update.offset for update in watched.published} == set(wide_rig.log.end_offsets())


def test_records_that_come_during_the_restore_do_not_put_it_off(rig: Rig) -> None:
    rig.append(swap(1, START_MS))
    aggregator, _ = rig.aggregator()
    aggregator.restore()
    rig.append(*(swap(n, START_MS) for n in range(2, 50)))
    aggregator.turn()
    assert aggregator.status.ready


def test_an_empty_log_is_live_at_once(rig: Rig) -> None:
    aggregator, _ = rig.aggregator()
    aggregator.restore()
    assert aggregator.status.ready
    assert aggregator.status.places[0].lag_ms == 0


# Dead letters


def test_dead_letters_are_kept_once_however_often_a_crash_repeats_them(rig: Rig) -> None:
    rig.append(swap(1, START_MS), BAD, swap(2, START_MS), b'{"schema_version":2}')
    for _ in range(3):  # each life ends without a checkpoint
        rig.living()
    assert rig.letters.put_calls == [[1, 3]] * 3
    kept = list(rig.letters.store.scan())
    assert [(letter.offset, letter.message) for letter in kept] == [
        (3, b'{"schema_version":2}'),
        (1, BAD),
    ]
    aggregator, _ = rig.living()
    assert aggregator.status.counters["dead_letters"] == 2


def test_one_bad_message_costs_only_itself(rig: Rig) -> None:
    good = [swap(n, START_MS) for n in range(50)]
    rig.append(*good[:20], BAD, *good[20:])
    aggregator, _ = rig.living()
    assert held(aggregator)["BTC"][0].trades == 50
    assert rig.letters.store.counts() == {"malformed_json": 1}


def test_a_dead_letter_that_cannot_be_kept_stops_everything(rig: Rig) -> None:
    """It is put before the state that counts it can be saved: the next life puts it again."""
    aggregator, _ = rig.living()
    rig.append(BAD)

    def full(letters: object) -> None:
        raise StoreFull("no room")

    rig.letters.put = full  # type: ignore[method-assign] # a full disk
    with pytest.raises(StoreFull):
        aggregator.turn()
    del rig.letters.put
    rig.living()
    assert rig.letters.store.counts() == {"malformed_json": 1}


# Checkpoints


def test_a_checkpoint_is_taken_when_it_is_due_and_something_changed(rig: Rig) -> None:
    aggregator, watched = rig.living(snapshot_interval_ms=60_000)
    rig.append(swap(1, START_MS))
    drain(aggregator)
    aggregator.checkpoint_if_due()
    assert rig.checkpoints.load(0) is None
    aggregator.checkpoint()
    saved = rig.checkpoints.load(0)
    assert saved is not None
    assert saved.header.next_offset == 1
    assert watched.snapshots == [0]
    aggregator.checkpoint()
    assert watched.snapshots == [0], "nothing changed, and T has not aged"
    rig.clock.advance(60_000)
    aggregator.turn()
    aggregator.checkpoint()
    assert watched.snapshots == [0, 0], "T alone is saved once a minute"


def test_the_cadence_runs_by_itself(rig: Rig) -> None:
    aggregator, watched = rig.living(snapshot_interval_ms=1)
    rig.append(swap(1, START_MS))
    drain(aggregator)

    def saved() -> bool:
        aggregator.checkpoint_if_due()
        return watched.snapshots != []

    eventually(saved, 60_000, "a checkpoint")


def test_a_restart_that_had_to_catch_up_saves_at_once(rig: Rig) -> None:
    rig.append(swap(1, START_MS))
    aggregator, watched = rig.living(snapshot_interval_ms=3_600_000)
    aggregator.checkpoint_if_due()
    eventually(lambda: watched.snapshots, 60_000, "a checkpoint")
    aggregator.checkpoint()
    again, watched = rig.living(snapshot_interval_ms=3_600_000)
    again.checkpoint_if_due()
    assert watched.snapshots == [], "nothing to catch up with: not due yet"


def test_safe_offsets_leave_what_the_two_newest_checkpoints_need(wide_rig: Rig) -> None:
    aggregator, _ = wide_rig.living()
    assert aggregator.safe_offsets() == [0, 0, 0]
    token = "BTC"
    wide_rig.append(swap(0, START_MS, token))
    drain(aggregator)
    (partition,) = [p for p, end in enumerate(wide_rig.log.end_offsets()) if end]
    aggregator.checkpoint()
    assert aggregator.safe_offsets() == [0, 0, 0]
    for number in (1, 2):
        wide_rig.append(swap(number, START_MS, token))
        drain(aggregator)
        aggregator.checkpoint()
        assert aggregator.safe_offsets()[partition] == number
    assert sum(aggregator.safe_offsets()) == 2


def test_a_failed_checkpoint_is_told_and_the_one_before_stands(tmp_path: Path) -> None:
    plan = FaultPlan([Fault("checkpoint.header", "full", nth=2)])
    rig = Rig(tmp_path, faults=plan)
    try:
        aggregator, _ = rig.living()
        rig.append(swap(1, START_MS))
        drain(aggregator)
        aggregator.checkpoint()
        rig.append(swap(2, START_MS))
        drain(aggregator)
        with pytest.raises(StoreFull, match="room"):
            aggregator.checkpoint()
        again, _ = rig.living()
        assert held(again) == rig.recounted(START_MS)
        assert held(again)["BTC"][0].trades == 2
    finally:
        rig.close()


# Lag


def test_lag_is_the_age_of_what_is_not_read_yet(rig: Rig) -> None:
    aggregator, _ = rig.living(chunk_bytes_max=1)
    rig.append(swap(1, START_MS), swap(2, START_MS))
    rig.clock.advance(700)
    aggregator.turn()
    assert aggregator.status.places[0].lag_ms == 700
    aggregator.turn()
    assert aggregator.status.places[0].lag_ms == 0


def test_a_silence_is_no_lag(rig: Rig) -> None:
    """The record read last is an hour old; what waits unread has only just come."""
    aggregator, _ = rig.living(chunk_bytes_max=1)
    rig.append(swap(1, START_MS))
    drain(aggregator)
    rig.clock.advance(3_600_000)
    aggregator.turn()
    rig.clock.advance(5)
    rig.append(swap(2, START_MS + 3_600_000), swap(3, START_MS + 3_600_000))
    aggregator._look_around()
    assert aggregator.status.places[0].lag_ms == 5


# The event clock


def test_all_shards_share_the_newest_event_time(wide_rig: Rig) -> None:
    aggregator, watched = wide_rig.living(now_ms=lambda: 0, event_clock=True)
    old = [swap(n, START_MS, f"T{n}") for n in range(9)]
    wide_rig.append(*old)
    drain(aggregator)
    assert {shard.t_ms for shard in aggregator.shards.values()} == {START_MS}
    wide_rig.append(swap(99, START_MS + 4_500, "T0"))
    drain(aggregator)
    ends = {shard.windows.end_ms for shard in aggregator.shards.values()}
    assert ends == {START_MS + 5_000}
    assert aggregator.share_t() == START_MS + 4_500
    assert {shard.t_ms for shard in aggregator.shards.values()} == {START_MS + 4_500}
    wide_rig.append(swap(100, START_MS + 5_000, "T0"))
    drain(aggregator)
    assert [stats[0].trades for key, stats in sorted(held(aggregator).items()) if key != "T0"] == [
        0
    ] * 8, "every window of 5 s has moved past START_MS"
    assert shown(watched.published) == held(aggregator)


def test_within_a_step_no_other_shard_is_ticked(wide_rig: Rig) -> None:
    aggregator, watched = wide_rig.living(now_ms=lambda: 0, event_clock=True)
    wide_rig.append(*(swap(n, START_MS, f"T{n}") for n in range(9)))
    drain(aggregator)
    published = len(watched.published)
    wide_rig.append(swap(50, START_MS + 10, "T0"))
    aggregator.turn()
    assert len(watched.published) == published + 1


# Series


def test_series_are_answered_between_two_batches(rig: Rig) -> None:
    aggregator, _ = rig.living()
    rig.append(swap(1, START_MS - 2_500), swap(2, START_MS), swap(3, START_MS))
    drain(aggregator)
    answer = aggregator.request_series("BTC", 0, 60_000)
    assert aggregator.wake.is_set()
    assert not answer.done()
    aggregator.turn()
    series = answer.result(0)
    assert (series.as_of_ms, series.step_ms) == (START_MS, 1_000)
    assert [(start - START_MS, stats.trades) for start, stats in series.points] == [
        (-3_000, 1),
        (0, 2),
    ]
    unknown = aggregator.request_series("NOBODY", 0, 60_000)
    aggregator.turn()
    assert unknown.result(0).points == []


def test_a_request_nobody_waits_for_any_more_is_passed_over(rig: Rig) -> None:
    aggregator, _ = rig.living()
    gone = aggregator.request_series("BTC", 0, 60_000)
    kept = aggregator.request_series("BTC", 0, 60_000)
    assert gone.cancel()
    aggregator.turn()
    assert kept.done()


def test_too_many_requests_are_refused_and_the_loop_goes_on(rig: Rig) -> None:
    aggregator, _ = rig.living()
    waiting: list[Future[SeriesAnswer]] = []
    with pytest.raises(Transient, match="too many"):
        waiting.extend(aggregator.request_series("BTC", 0, 1_000) for _ in range(10_000))
    assert len(waiting) > 100
    aggregator.turn()
    assert all(answer.done() for answer in waiting)
    aggregator.request_series("BTC", 0, 1_000)


# The loop


def test_the_loop_drains_and_leaves_a_last_checkpoint(rig: Rig) -> None:
    aggregator, _ = rig.aggregator(snapshot_interval_ms=3_600_000)
    aggregator.restore()
    rig.append(*(swap(n, START_MS) for n in range(100)))
    drained = threading.Event()
    drained.set()
    aggregator.run(threading.Event(), drained)
    saved = rig.checkpoints.load(0)
    assert saved is not None
    assert saved.header.next_offset == 100


def test_a_stopped_loop_leaves_a_last_checkpoint_and_refuses_who_still_waits(rig: Rig) -> None:
    rig.append(swap(1, START_MS))
    aggregator, _ = rig.living()
    waiting = aggregator.request_series("BTC", 0, 1_000)
    stop = threading.Event()
    stop.set()
    aggregator.run(stop)
    assert rig.checkpoints.load(0) is not None
    with pytest.raises(Transient, match="stopped"):
        waiting.result(0)


def test_the_loop_wakes_for_what_is_appended(rig: Rig) -> None:
    """The tick is an hour long: only the wake-up can have made it look."""
    aggregator, _ = rig.aggregator(tick_ms=3_600_000)
    aggregator.restore()
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        loop = pool.submit(aggregator.run, stop)
        rig.append(swap(1, START_MS))
        aggregator.wake.set()
        eventually(
            lambda: aggregator.status.counters.get("applied") == 1, 60_000, "the swap to be applied"
        )
        stop.set()
        aggregator.wake.set()
        loop.result(10)
