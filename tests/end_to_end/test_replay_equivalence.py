"""`swapstats replay` on real files equals a recount by hand, however the input is dressed up."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from tests.end_to_end.replay_inputs import (
    BAD_LINES,
    DAY_MS,
    END_MS,
    lines_file,
    lines_of,
    repeated,
    split,
    unpacked,
    with_bad_lines,
    with_reorgs,
    woven,
)
from tests.end_to_end.replay_runs import (
    Expected,
    Message,
    Report,
    assert_shape,
    count_fates,
    key_of,
    read_messages,
    recount,
    replayed,
    respelt,
    run_all,
    wire_files,
    written,
)

from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterReader


@pytest.fixture
def rng() -> Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return Random(seed)


@dataclass
class Case:
    """One replay: what it is called, its lines file by file, and its flags."""

    name: str
    files: list[Path]
    flags: Sequence[object] = ()


def report_of(folder: Path, case: Case) -> Path:
    return folder / f"{case.name}.json"


def command_line(folder: Path, case: Case, data: str = "data") -> list[object]:
    directory = folder / data / case.name
    paths = ["--data-dir", directory, "--report", report_of(folder, case)]
    clock = () if "--clock=wall" in case.flags else ("--clock", "event")
    return ["replay", *case.files, *paths, *clock, *case.flags]


def reports(folder: Path, cases: Sequence[Case]) -> list[Report]:
    outcomes = run_all([command_line(folder, case) for case in cases])
    for case, outcome in zip(cases, outcomes, strict=True):
        assert outcome.status == 0, (case.name, outcome.stderr)
    return [Report.read(report_of(folder, case)) for case in cases]


def variants(
    rng: Random, folder: Path, messages: Sequence[Message], flags: Sequence[object] = ()
) -> dict[str, Case]:
    """The same swaps in every dress; all must give the same T and the same tokens."""
    shuffled = rng.sample(messages, len(messages))
    tangle = with_bad_lines(rng, repeated(rng, messages))
    dressed = [line if isinstance(line, bytes) else respelt(rng, line) for line in tangle]
    texts: dict[str, tuple[Sequence[bytes], Sequence[object]]] = {
        "in-order": (lines_of(messages), ()),
        "one-partition": (lines_of(messages), ("--partitions", 1)),
        "twelve-partitions": (lines_of(messages), ("--partitions", 12)),
        "shuffled": (lines_of(shuffled), ()),
        "repeated": (lines_of(repeated(rng, messages)), ("--partitions", 1)),
        "respelt": ([respelt(rng, message) for message in messages], ()),
        "bad-lines": (lines_of(with_bad_lines(rng, messages)), ("--partitions", 1)),
    }
    cases = {
        name: Case(name, [lines_file(folder / f"{name}.ndjson", lines)], [*flags, *more])
        for name, (lines, more) in texts.items()
    }
    cases["split"] = Case("split", split(rng, folder, "split", lines_of(messages)), flags)
    tangled = split(rng, folder, "tangled", dressed)
    cases["tangled"] = Case("tangled", tangled, flags)
    cases["tangled-12"] = Case("tangled-12", tangled, [*flags, "--partitions", 12])
    return cases


def expect_same(
    folder: Path, cases: dict[str, Case], expected: Expected, step_ms: int = 5_000
) -> dict[str, Report]:
    """Run the cases: all as expected, all with the same bytes."""
    found = dict(zip(cases, reports(folder, list(cases.values())), strict=True))
    first = next(iter(found.values()))
    for name, report in found.items():
        assert_shape(report, expected, step_ms)
        assert report.stable == first.stable, name
    return found


def read_back(case: Case) -> list[Message | None]:
    """The messages of a case as they lie in its files, None for a bad one."""
    found: list[Message | None] = []
    for path in case.files:
        lines = path.read_bytes().splitlines()
        found += [None if line in BAD_LINES else json.loads(line) for line in lines]
    return found


def test_every_real_file_alone_and_all_together(tmp_path: Path) -> None:
    files = wire_files()
    cases = [Case(path.name, [path]) for path in files]
    cases += [Case("all", files), Case("all-1", files, ("--partitions", 1))]
    messages = [read_messages(path) for path in files]
    every = [message for found in messages for message in found]
    for case, found, report in zip(
        cases, [*messages, every, every], reports(tmp_path, cases), strict=True
    ):
        assert_shape(report, recount(found))
        assert report.counters["ingested"] == len(found), case.name
        if len(case.files) == 1 or "--partitions" in case.flags:
            assert report.counters == count_fates(found), case.name


def test_the_same_swaps_in_every_dress(tmp_path: Path, rng: Random) -> None:
    messages = woven(rng, 1_000)
    cases = variants(rng, tmp_path, messages)
    expected = recount(messages)
    assert len(expected.tokens) == 5
    assert [key for key, _ in expected.tokens] == sorted({key_of(one) for one in messages})
    found = expect_same(tmp_path, cases, expected)
    for name in ("one-partition", "repeated", "bad-lines"):
        assert found[name].counters == count_fates(read_back(cases[name])), name
    for name in ("bad-lines", "tangled-12"):
        texts = [line for path in cases[name].files for line in unpacked(path)]
        bad = Counter(line for line in texts if line in BAD_LINES)
        assert found[name].counters["ingested"] == len(texts)
        assert found[name].counters["dead_letters"] == bad.total() > 0
        letters = EmbeddedDeadLetterReader(tmp_path / "data" / name / "dead-letters.db")
        assert Counter(letter.message for letter in letters.scan(limit=10**6)) == bad
        letters.close()


def test_removals_and_reinclusions_in_every_dress(tmp_path: Path, rng: Random) -> None:
    messages = with_reorgs(rng, woven(rng, 1_000))
    expected = recount(messages)
    assert expected.tokens != recount(one for one in messages if not one.get("removed")).tokens
    cases = variants(rng, tmp_path, messages)
    found = expect_same(tmp_path, cases, expected)
    assert found["in-order"].counters["removed"] > 0
    assert found["in-order"].counters["cancelled"] > 0
    assert found["one-partition"].counters == count_fates(messages)
    assert found["repeated"].counters == count_fates(read_back(cases["repeated"]))


def test_a_contradiction_is_a_dead_letter_and_the_first_stands(tmp_path: Path, rng: Random) -> None:
    messages = woven(rng, 500)
    mixed: list[bytes] = []
    for message in messages:
        mixed.append(written(message))
        if message["event_time"] > END_MS - DAY_MS // 2 and rng.random() < 0.1:
            other = "0.5" if float(message["amount_token"]) != 0.5 else "0.25"
            mixed.append(written(message | {"amount_token": other}))
    case = Case("conflicts", [lines_file(tmp_path / "conflicts.ndjson", mixed)])
    (report,) = reports(tmp_path, [case])
    assert_shape(report, recount(messages))
    assert report.counters["dead_letters"] == len(mixed) - len(messages) > 0


def test_at_moves_the_windows_and_nothing_else(tmp_path: Path, rng: Random) -> None:
    messages = with_reorgs(rng, woven(rng, 500))
    newest_ms = recount(messages).as_of
    edge_ms = END_MS // 5_000 * 5_000
    moments = {
        "mid": END_MS - 200_123,
        "hours-before": END_MS - 7_654_321,
        "newest": newest_ms,
        "edge": edge_ms - 60_000,
        "before-edge": edge_ms - 60_001,
        "days-after": END_MS * 2,
        "before-all": messages[0]["event_time"] - 10 * DAY_MS,
        "day-after": END_MS + DAY_MS,
    }
    tangled = [respelt(rng, message) for message in repeated(rng, messages)]
    files = {
        "straight": [lines_file(tmp_path / "straight.ndjson", lines_of(messages))],
        "tangled": split(rng, tmp_path, "tangled", tangled),
    }
    cases = {
        (name, dress, count): Case(
            f"{name}-{dress}-{count}", files[dress], ("--at", at, "--partitions", count)
        )
        for name, at in moments.items()
        for dress, count in (("straight", 1), ("straight", 4), ("tangled", 12))
    }
    found = dict(zip(cases, reports(tmp_path, list(cases.values())), strict=True))
    for name, at in moments.items():
        expected = recount(messages, at=at)
        assert bool(expected.tokens) == (name not in ("before-all", "days-after", "day-after"))
        assert found[name, "straight", 1].counters == count_fates(messages, at=at)
        for (moment, dress, count), report in found.items():
            if moment == name:
                assert_shape(report, expected)
                assert report.stable == found[name, "straight", 1].stable, (name, dress, count)
    (plain,) = reports(tmp_path, [Case("plain", files["straight"])])
    assert found["newest", "tangled", 12].stable == plain.stable


SHAPES = {
    "short": ({"1m": 60_000, "10m": 600_000}, "1s", 1_000),
    "odd": ({"70m": 4_200_000, "7s": 7_000, "168h": 604_800_000}, "7s", 7_000),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_other_windows_and_steps(tmp_path: Path, rng: Random, shape: str) -> None:
    windows, step, step_ms = SHAPES[shape]
    messages = with_reorgs(rng, woven(rng, 500))
    flags = ("--windows", ",".join(windows), "--bucket-step", step)
    expected = recount(messages, step_ms=step_ms, windows=windows)
    cases = variants(rng, tmp_path, messages, flags)
    found = expect_same(tmp_path, cases, expected, step_ms)
    fates = count_fates(messages, step_ms=step_ms, widest_ms=max(windows.values()))
    assert found["one-partition"].counters == fates


def test_standard_input_between_files_in_a_process_of_its_own(tmp_path: Path, rng: Random) -> None:
    messages = woven(rng, 500)
    lines = lines_of(messages)
    files = split(rng, tmp_path, "part", lines)
    middle = b"".join(line + b"\n" for line in unpacked(files[2]))
    report = tmp_path / "report.json"
    inputs = [*files[:2], "-", *files[3:]]
    arguments = (*inputs, "--data-dir", tmp_path / "data", "--clock", "event", "--report", report)
    for _ in range(2):  # the second time everything is done already
        done = replayed(*arguments, stdin=middle)
        assert done.returncode == 0, done.stderr
        assert done.stdout == b""
        assert_shape(Report.read(report), recount(messages))
        assert Report.read(report).counters["ingested"] == len(messages)
    to_stdout = replayed(*inputs, "--data-dir", tmp_path / "data", stdin=middle)
    assert to_stdout.returncode == 0
    assert to_stdout.stdout == report.read_bytes()


def contents(directory: Path) -> dict[str, str]:
    """Digest of every file that the data directory keeps."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.name != "lock"
    }


def test_another_set_on_the_same_directory_is_refused_and_harms_nothing(
    tmp_path: Path, rng: Random
) -> None:
    messages = woven(rng, 300)
    files = split(rng, tmp_path, "part", lines_of(messages))
    case = Case("one", files, ("--partitions", 3))
    (first,) = reports(tmp_path, [case])
    before = contents(tmp_path / "data" / "one")
    same = ("--partitions", 3)
    others: dict[str, tuple[list[Path], tuple[object, ...]]] = {
        "files: made with": (files[:-1], same),
        "files: made": (files[::-1], same),
        "partitions": (files, ("--partitions", 4)),
        "at": (files, (*same, "--at", END_MS)),
        "step": (files, (*same, "--bucket-step", "10s")),
        "windows": (files, (*same, "--windows", "5m,1h")),
        "clock": (files, (*same, "--clock=wall")),
    }
    lines = [command_line(tmp_path, Case("one", *other)) for other in others.values()]
    for name, outcome in zip(others, run_all(lines, processes=1), strict=True):
        assert outcome.status in (1, 2), name
        assert outcome.stderr.startswith("swapstats: Expected "), outcome.stderr
        assert name in outcome.stderr
    assert contents(tmp_path / "data" / "one") == before
    (again,) = reports(tmp_path, [case])
    assert again.text == first.text
    assert set(contents(tmp_path / "data" / "one")) == set(before)


@pytest.mark.prove
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("reorgs", [False, True])
@pytest.mark.parametrize(
    "windows",
    [("5m,1h,24h", "5s", None), ("1m,10m", "1s", None), ("5m,1h,24h", "5s", END_MS - 1_000_000)],
    ids=["usual", "short", "at"],
)
def test_everything_times_everything(
    tmp_path: Path, rng: Random, windows: tuple[str, str, int | None], reorgs: bool
) -> None:
    names, step, at = windows
    widths = {"5m": 300_000, "1h": 3_600_000, "24h": DAY_MS, "1m": 60_000, "10m": 600_000}
    chosen = {name: widths[name] for name in names.split(",")}
    step_ms = int(step.removesuffix("s")) * 1_000
    flags: list[object] = ["--windows", names, "--bucket-step", step]
    flags += [] if at is None else ["--at", at]
    streams: dict[str, Callable[[], list[Message]]] = {
        path.name: lambda path=path: read_messages(path)  # type: ignore[misc] # bound now
        for path in wire_files()
    }
    streams["all"] = lambda: [one for path in wire_files() for one in read_messages(path)]
    streams["woven"] = lambda: woven(rng, None)
    for name, stream in streams.items():
        folder = tmp_path / name
        folder.mkdir()
        messages = with_reorgs(rng, stream()) if reorgs else stream()
        expected = recount(messages, step_ms=step_ms, windows=chosen, at=at)
        expect_same(folder, variants(rng, folder, messages, flags), expected, step_ms)
