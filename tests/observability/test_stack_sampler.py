"""The sampler against threads whose work is known."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swapstats.observability.stack_sampler import CpuShares, StackProfile, sample_stacks


def burn_for_the_profile(stop: threading.Event) -> int:
    total = 0
    while not stop.is_set():
        total += sum(range(200))
    return total


def wait_for_the_profile(stop: threading.Event) -> None:
    stop.wait()


@contextmanager
def working() -> Iterator[None]:
    stop = threading.Event()
    threads = [
        threading.Thread(target=burn_for_the_profile, args=(stop,), name="burner;one"),
        threading.Thread(target=wait_for_the_profile, args=(stop,), name="waiter"),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def weight_of(profile: StackProfile, word: str) -> int:
    return sum(
        weight for stack, weight in profile.weights.items() if any(word in part for part in stack)
    )


def test_wall_mode_sees_every_thread_but_its_own() -> None:
    with working():
        profile = sample_stacks(300, threading.Event(), mode="wall")
    assert profile.mode == "wall"
    assert profile.sample_count >= 3
    for word in ("burn_for_the_profile", "wait_for_the_profile"):
        # The first look may come before a new thread has entered its function.
        assert weight_of(profile, word) in (profile.sample_count - 1, profile.sample_count)
    assert weight_of(profile, "sample_stacks") == 0


@pytest.mark.skipif(not CpuShares.available(), reason="this system does not tell CPU time apart")
def test_cpu_mode_weighs_work_and_not_waiting() -> None:
    with working():
        profile = sample_stacks(400, threading.Event())
    assert profile.mode == "cpu"
    burnt_us = weight_of(profile, "burn_for_the_profile")
    assert burnt_us > 20 * weight_of(profile, "wait_for_the_profile")
    assert 0 < burnt_us <= 1_000 * (profile.cpu_ms + 20)


def test_folded_lines_are_what_flame_graph_tools_read() -> None:
    with working():
        profile = sample_stacks(200, threading.Event(), mode="wall")
    lines = profile.folded().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[^;\n]+(;[^;\n]+)* \d+", line)
    (burner,) = {line.split(";")[0] for line in lines if "burn_for_the_profile" in line}
    assert burner == "burner,one"
    assert re.search(
        r"burn_for_the_profile \(observability/test_stack_sampler\.py:\d+\)", profile.folded()
    )


def test_table_shares_own_and_total() -> None:
    profile = StackProfile(
        mode="wall",
        weights={("t", "a", "b"): 3, ("t", "a"): 1, ("t", "a", "b", "a"): 4},
        sample_count=8,
        span_ms=80,
        cpu_ms=40,
    )
    text = profile.table()
    assert text.startswith("8 samples in 80 ms; the process used 40 ms of CPU time")
    assert " 62.5% 100.0%  a\n" in text
    assert " 37.5%  87.5%  b\n" in text
    assert profile.table(limit=1).count("%  ") == 1


def test_an_empty_profile_has_an_empty_table() -> None:
    profile = StackProfile("cpu", {}, 0, 0, 0)
    assert profile.folded() == ""
    assert profile.table().endswith("function\n")


def test_stops_when_told() -> None:
    stop = threading.Event()
    stop.set()
    start_ns = time.monotonic_ns()
    assert sample_stacks(60_000, stop).sample_count == 0
    assert time.monotonic_ns() - start_ns < 10_000_000_000


def test_threads_that_are_gone_use_nothing() -> None:
    shares = CpuShares()
    assert shares.used_us(None) == 0
    assert shares.used_us(2**22 + 1) == 0
