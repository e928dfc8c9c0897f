"""`swapstats replay` killed again and again: the same report, and no restart goes far back."""

import contextlib
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import pytest
from tests.end_to_end.replay_runs import (
    Message,
    Report,
    assert_shape,
    clean_environment,
    count_fates,
    recount,
    replay_command,
    replayed,
    written,
)

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterReader
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.errors import StoreError
from swapstats.testing.eventually import eventually

START_MS = 1_704_412_801_234
RATE = 3_000
"""Messages a second: slow enough to be killed at a chosen place."""
TIMEOUT_MS = 60_000
SHORT_INTERVAL = {"SWAPSTATS_APP_SNAPSHOT_INTERVAL": "100ms"}
BEHIND_MS_MAX = 5_000
WRITE_MS_MAX = 5_000
"""One write of a checkpoint, and waiting for a turn on a busy machine; a stream of which nothing
was saved is further behind."""


@pytest.fixture
def rng() -> Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return Random(seed)


def market(rng: Random, count: int) -> list[Message | None]:
    """A stream of an hour: late, repeated, taken back and put back swaps, and bad lines (None)."""
    found: list[Message | None] = []
    for number in range(count):
        message: Message = {
            "schema_version": 1,
            "event_id": f"x:{number}",
            "token_address": f"T{min(int(rng.expovariate(0.2)), 40)}",
            "side": rng.choice(("buy", "sell")),
            "amount_token": f"{rng.randrange(10**6)}.{rng.randrange(10**18):018}",
            "amount_usd": rng.choice((None, f"{rng.randrange(10**6)}.{rng.randrange(10**6):06}")),
            "event_time": START_MS + number * 3_600_000 // count + rng.randrange(-200_000, 1_000),
        }
        draw = rng.random()
        earlier = found[rng.randrange(len(found))] if found else None
        if draw < 0.05 or earlier is None:
            found.append(None if draw < 0.01 else message)
        elif draw < 0.1:
            found.append(earlier)
        elif draw < 0.2:
            found.append(earlier | {"removed": True})
        elif draw < 0.25:
            found.append(earlier | {"inclusion": rng.randint(1, 2), "amount_token": "3.5"})
        else:
            found.append(message)
    return found


@dataclass
class Life:
    """One process: when its first message reached the log, and when it was killed."""

    first_append_ms: int
    end_ms: int


@dataclass
class Standing:
    """What the stores hold, by partition."""

    ends: list[int]
    saved: list[int]
    revisions: int


@dataclass
class Recording:
    """One replay of one recording, process after process."""

    folder: Path
    messages: list[Message | None]
    flags: list[object]
    environment: dict[str, str] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)

    def __post_init__(self) -> None:
        half = len(self.messages) // 2
        self.files = [self.folder / "first.ndjson", self.folder / "second.ndjson"]
        for path, part in zip(
            self.files, (self.messages[:half], self.messages[half:]), strict=True
        ):
            lines = [b"{bad" if message is None else written(message) for message in part]
            path.write_bytes(b"".join(line + b"\n" for line in lines))

    @property
    def directory(self) -> Path:
        return self.folder / "data"

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    def arguments(self, directory: Path, report: Path) -> list[object]:
        flags = [*self.flags, "--data-dir", directory, "--report", report]
        return [*self.files, "--clock", "event", *flags]

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*replay_command(*self.arguments(self.directory, self.report)), f"--rate={RATE}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(**self.environment),
        )

    def standing(self) -> Standing | None:
        """Look into the stores, beside the process or after it; None before they are made."""
        try:
            with (
                closing(EmbeddedSwapLogReader(self.directory / "log.db")) as log,
                closing(EmbeddedCheckpointReader(self.directory / "checkpoints.db")) as store,
            ):
                ends = log.end_offsets()
                found = [store.load(partition) for partition in range(len(ends))]
        except StoreError:
            return None
        headers = [checkpoint.header if checkpoint else None for checkpoint in found]
        return Standing(
            ends,
            [header.next_offset if header else 0 for header in headers],
            sum(header.revision for header in headers if header),
        )

    def has_appended(self, count: int) -> bool:
        try:
            with closing(EmbeddedSwapLogReader(self.directory / "log.db")) as log:
                return sum(log.end_offsets()) >= count
        except StoreError:  # not made yet
            return False

    def revisions(self) -> int:
        standing = self.standing()
        return standing.revisions if standing else 0

    def append_ms(self, offsets: list[int]) -> int | None:
        """When the first record at or after these offsets was appended; None if there is none."""
        with closing(EmbeddedSwapLogReader(self.directory / "log.db")) as log:
            batches = [log.read(partition, offset, 1) for partition, offset in enumerate(offsets)]
        return min(
            (int(batch.append_ms[0]) for batch in batches if batch is not None), default=None
        )

    def delivered_count(self) -> int:
        """Messages before the place where the source goes on, as the log remembers it."""
        with closing(EmbeddedSwapLogReader(self.directory / "log.db")) as log:
            position = log.position("replay")
        if position is None:
            return 0
        place = json.loads(position)
        texts = [path.read_bytes() for path in self.files[: place["file"] + 1]]
        texts[-1] = texts[-1][: place["offset"]]
        return sum(text.count(b"\n") for text in texts)

    def ended(self, before: Standing | None) -> Standing | None:
        """Note the end of a life, right after it; returns what it left."""
        end_ms = time.time_ns() // 1_000_000
        standing = self.standing()
        if standing is None:
            return None
        assert sum(standing.ends) == self.delivered_count()
        first_ms = self.append_ms(before.ends if before else [0] * len(standing.ends))
        if first_ms is not None:
            self.lives.append(Life(first_ms, end_ms))
        return standing

    def behind_ms(self, standing: Standing) -> int:
        """How much of the stream, in time spent streaming, the next start must go back."""
        oldest_ms = self.append_ms(standing.saved)
        if oldest_ms is None:
            return 0
        return sum(
            max(0, life.end_ms - max(life.first_append_ms, oldest_ms)) for life in self.lives
        )

    def finish(self) -> Report:
        """Start it a last time, let it end, and compare with the recount."""
        process = self.start()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        report = Report.read(self.report)
        swaps = [message for message in self.messages if message is not None]
        assert_shape(report, recount(swaps))
        standing = self.standing()
        assert standing is not None
        assert standing.saved == standing.ends
        assert sum(standing.ends) == report.counters["ingested"] == len(self.messages)
        with closing(EmbeddedDeadLetterReader(self.directory / "dead-letters.db")) as letters:
            kept = sum(letters.counts().values())
        assert kept == report.counters["dead_letters"] == len(self.messages) - len(swaps)
        return report


def kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def wait_for_moment(
    rng: Random, recording: Recording, process: subprocess.Popen[bytes], target: int
) -> None:
    """Return at a moment to kill: at a place of the stream, at a checkpoint, or at any time."""
    kind = rng.choice(("place", "place", "checkpoint", "any"))
    if kind == "any":
        let_run(process, rng.uniform(0.2, 2.5))
        return
    wait(process, partial(recording.has_appended, target), f"{target} messages in the log")
    if kind == "checkpoint":
        revisions = recording.revisions()
        wait(process, lambda: recording.revisions() > revisions, "another checkpoint")
    let_run(process, rng.uniform(0, 0.05))


def wait(process: subprocess.Popen[bytes], condition: Callable[[], bool], what: str) -> None:
    """Wait for something that the process does."""
    eventually(lambda: condition() or process.poll() is not None, TIMEOUT_MS, what)
    assert process.poll() is None, process.communicate()


def let_run(process: subprocess.Popen[bytes], span_s: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(span_s)


def kill_many(rng: Random, folder: Path, kills: int, partitions: int) -> None:
    messages = market(rng, kills * RATE * 3 // 5 + 2 * RATE)
    recording = Recording(folder, messages, ["--partitions", partitions], SHORT_INTERVAL)
    before: Standing | None = None
    checkpointed = 0
    for number in range(kills):
        process = recording.start()
        target = (len(messages) - RATE) * (number + rng.random()) / kills
        wait_for_moment(rng, recording, process, int(target))
        kill(process)
        after = recording.ended(before)
        if after is not None:
            behind_ms = recording.behind_ms(after)
            print(f"kill {number + 1}: {after}, {behind_ms} ms behind")
            assert behind_ms <= BEHIND_MS_MAX + WRITE_MS_MAX
            assert before is None or after.ends >= before.ends
            assert before is None or after.saved >= before.saved
            checkpointed += after.revisions > 0
        before = after
    assert checkpointed >= kills * 2 // 3
    report = recording.finish()
    calm = folder / "calm.json"
    done = replayed(*recording.arguments(folder / "calm", calm))
    assert done.returncode == 0, done.stderr
    assert report.stable == Report.read(calm).stable


def test_killed_a_dozen_times(tmp_path: Path, rng: Random) -> None:
    kill_many(rng, tmp_path, kills=12, partitions=4)


@pytest.mark.prove
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("partitions", [1, 4])
def test_killed_a_hundred_times(tmp_path: Path, rng: Random, partitions: int) -> None:
    kill_many(rng, tmp_path, kills=100, partitions=partitions)


def test_a_restart_goes_back_five_seconds_at_most(tmp_path: Path, rng: Random) -> None:
    """With the usual cadence; lives shorter than it must not add up."""
    spans_s = [6.0 + rng.random() / 2, 2.2, 2.2, 2.2]
    messages = market(rng, int(sum(spans_s) + 3) * RATE)
    recording = Recording(tmp_path, messages, ["--partitions", 1])
    before: Standing | None = None
    for span_s in spans_s:
        process = recording.start()
        begun = sum(before.ends) if before else 0
        wait(process, partial(recording.has_appended, begun + 1), "a message")
        let_run(process, span_s)
        kill(process)
        before = recording.ended(before)
        assert before is not None
        behind_ms = recording.behind_ms(before)
        print(f"after {span_s} s: {before}, {behind_ms} ms behind")
        assert behind_ms <= BEHIND_MS_MAX + WRITE_MS_MAX
    report = recording.finish()
    assert report.counters == count_fates(messages)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_leaves_a_last_checkpoint(
    tmp_path: Path, rng: Random, number: signal.Signals, status: int
) -> None:
    messages = market(rng, 8 * RATE)
    recording = Recording(tmp_path, messages, ["--partitions", 2])
    saved = 0
    for part in (0.2, 0.5):
        process = recording.start()
        target = int(len(messages) * part)
        wait(process, partial(recording.has_appended, target), "messages in the log")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == status, said
        assert said == b""
        assert not recording.report.exists()
        standing = recording.standing()
        assert standing is not None
        assert sum(standing.saved) >= target - RATE // 2 > saved  # the cadence is 5 s: not yet due
        saved = sum(standing.saved)
    recording.finish()
