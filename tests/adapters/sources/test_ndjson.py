"""Replay of files: formats, resume at every place, shift, pace, damage and progress."""

import asyncio
import gzip
import io
import json
import os
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from swapstats.adapters.sources.lines import CUT_BYTES
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected
from swapstats.ports.source import Source
from swapstats.testing.manual_clock import ManualClock

FIRST_MS = 1_700_000_000_000
BLOCK = 4_096


def swap_lines(count: int, first_ms: int = FIRST_MS, step_ms: int = 10) -> list[bytes]:
    return [
        b'{"schema_version":1,"event_id":"t:%d","event_time":%d,"pad":"%s"}'
        % (number, first_ms + number * step_ms, b"x" * (number * 7 % 90))
        for number in range(count)
    ]


LINES = swap_lines(2_000)
TEXT = b"\n".join(LINES) + b"\n"
LONG_LINES = swap_lines(12_000)
LONG_TEXT = b"\n".join(LONG_LINES) + b"\n"


def gzip_members(text: bytes) -> bytes:
    half = len(text) // 2
    return gzip.compress(text[:half]) + gzip.compress(text[half:]) + b"\0" * 700_000


def zstd_frames(text: bytes) -> bytes:
    packer = zstandard.ZstdCompressor()
    half = len(text) // 2
    return packer.compress(text[:half]) + packer.compress(text[half:])


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "a.ndjson": lambda text: text,
    "a.ndjson.gz": gzip.compress,
    "b.gz": gzip_members,
    "no-name-gz": gzip.compress,
    "a.ndjson.zst": zstandard.ZstdCompressor().compress,
    "b.zst": zstd_frames,
    "no-name-zst": zstandard.ZstdCompressor().compress,
}


def source(paths: Sequence[Path | str], **options: Any) -> NdjsonSource:
    options.setdefault("block_bytes", BLOCK)
    options.setdefault("clock", SystemClock())
    return NdjsonSource([str(path) for path in paths], **options)


async def read(
    replay: Source, position: str | None = None, batches_max: int | None = None
) -> list[tuple[list[bytes], str]]:
    found: list[tuple[list[bytes], str]] = []
    async with aclosing(replay.open(position)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            block = batch.block
            found.append(([block.message(index) for index in range(len(block))], batch.position))
            if len(found) == batches_max:
                break
    return found


def joined(found: list[tuple[list[bytes], str]]) -> list[bytes]:
    return [message for messages, _ in found for message in messages]


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_gives_the_same_and_resumes_everywhere(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name](LONG_TEXT))
    found = await read(source([path]))
    assert joined(found) == LONG_LINES
    assert len(found) > 3
    for number, (_, position) in enumerate(found):
        rest = await read(source([path]), position)
        assert joined(rest) == joined(found[number + 1 :])


@pytest.mark.parametrize("name", FORMATS)
async def test_resume_after_every_message(tmp_path: Path, name: str) -> None:
    """Paced batches end anywhere, so every line end must be a place to resume from."""
    lines = swap_lines(60)
    path = tmp_path / name
    path.write_bytes(FORMATS[name](b"\r\n".join(lines)))
    offset = 0
    for number, line in enumerate(lines):
        offset += len(line) + (2 if number < len(lines) - 1 else 0)
        rest = await read(source([path]), json.dumps({"file": 0, "offset": offset}))
        assert joined(rest) == lines[number + 1 :]


async def test_several_files_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / "1.gz", tmp_path / "2.ndjson", tmp_path / "empty", tmp_path / "3.zst"]
    parts = [LINES[:700], LINES[700:900], [], LINES[900:]]
    for path, part in zip(paths, parts, strict=True):
        pack = FORMATS["a.ndjson" + path.suffix.replace(".ndjson", "")]
        path.write_bytes(pack(b"\n".join(part)))  # no newline at the end
    replay = source(paths)
    found = await read(replay)
    assert joined(found) == LINES
    status = replay.status()
    assert status.state == "done"
    assert status.done_bytes == status.total_bytes == sum(path.stat().st_size for path in paths)
    for number, (_, position) in enumerate(found):
        assert joined(await read(source(paths), position)) == joined(found[number + 1 :])


@pytest.mark.parametrize("name", ["a.ndjson", "no-name-gz", "no-name-zst"])
async def test_standard_input_is_read_as_a_pipe(name: str) -> None:
    packed = FORMATS[name](TEXT)
    positions = [None, json.dumps({"file": 0, "offset": len(LINES[0]) + 1})]
    for skipped, position in enumerate(positions):
        reader, writer = os.pipe()

        def write(handle: int = writer) -> None:
            with os.fdopen(handle, "wb") as pipe:
                pipe.write(packed)

        thread = threading.Thread(target=write)
        thread.start()
        with os.fdopen(reader, "rb") as stdin:
            found = await read(source(["-"], stdin=stdin), position)
        thread.join()
        assert joined(found) == LINES[skipped:]


async def test_a_slow_pipe_delivers_what_it_has_and_a_silent_one_can_be_left() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin:
        batches = source(["-"], stdin=stdin).open(None)
        os.write(writer, b"first\nsecond\nthi")
        batch = await anext(batches)
        assert [batch.block.message(index) for index in range(len(batch.block))] == [
            b"first",
            b"second",
        ]
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        os.close(writer)


async def test_standard_input_without_a_handle() -> None:
    assert joined(await read(source(["-"], stdin=io.BytesIO(TEXT)))) == LINES


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"])
async def test_a_huge_line_is_one_cut_message(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name](b"a\n" + b"y" * 60_000_000 + b"\nb\n"))
    found = await read(source([path]))
    assert [len(message) for message in joined(found)] == [1, CUT_BYTES, 1]
    for number, (_, position) in enumerate(found):
        assert joined(await read(source([path]), position)) == joined(found[number + 1 :])


def damaged(packed: bytes, how: str) -> bytes:
    middle = len(packed) * 2 // 3
    if how == "cut off":
        return packed[:middle]
    return (
        packed[:middle]
        + bytes(255 - byte for byte in packed[middle : middle + 40])
        + packed[middle + 40 :]
    )


@pytest.mark.parametrize("how", ["cut off", "damaged"])
@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.ndjson.zst"])
async def test_what_came_before_the_damage_counts(tmp_path: Path, name: str, how: str) -> None:
    lines = [
        line + b"%064x" % random.Random(number).getrandbits(256)
        for number, line in enumerate(swap_lines(40_000))
    ]
    packed = FORMATS[name](b"\n".join(lines))
    path = tmp_path / name
    path.write_bytes(damaged(packed, how))
    replay = source([path])
    found: list[bytes] = []
    position = None
    with pytest.raises(Rejected, match=r"Expected whole .* after [0-9]+ bytes") as failure:
        async for batch in replay.open(None):
            found += [batch.block.message(index) for index in range(len(batch.block))]
            position = batch.position
    assert name in str(failure.value)
    assert how in str(failure.value)
    # Deflate has no checksum before the end of a member: the last letters may be wrong ones.
    sound = len(found) if how == "cut off" or name.endswith("zst") else 20_000
    assert found[:sound] == lines[:sound]
    assert len(found) > 20_000
    assert replay.status().state == "failed"
    path.write_bytes(packed)
    if sound == len(found):
        assert joined(await read(source([path]), position)) == lines[sound:]


@pytest.mark.parametrize(
    ("name", "packed"), [("a.gz", b""), ("a.zst", b""), ("a.gz", b"plain\n"), ("a.zst", b"plain\n")]
)
async def test_a_name_that_promises_too_much(tmp_path: Path, name: str, packed: bytes) -> None:
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(Rejected, match=name):
        await read(source([tmp_path / name]))


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"])
async def test_a_shorter_file_than_the_position(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name](TEXT))
    _, position = (await read(source([path])))[-1]
    path.write_bytes(FORMATS[name](TEXT[:-1]))
    with pytest.raises(Rejected, match="put the file back"):
        await read(source([path]), position)
    path.write_bytes(FORMATS[name](TEXT + b"more\n"))
    assert joined(await read(source([path]), position)) == [b"more"]


async def test_missing_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(TEXT)
    second.write_bytes(b"last\n")
    position = json.dumps({"file": 1, "offset": 0})
    first.unlink()
    assert joined(await read(source([first, second]), position)) == [b"last"]
    with pytest.raises(Rejected, match=r"readable file .*first"):
        await read(source([first, second]))
    with pytest.raises(Rejected, match="readable file"):
        await read(source([tmp_path]))


@pytest.mark.parametrize(
    "position",
    [
        "",
        "{}",
        "17",
        '{"file":2,"offset":0}',
        '{"file":-1,"offset":0}',
        '{"file":0,"offset":-1}',
        '{"file":0,"offset":0,"other":1}',
    ],
)
async def test_positions_of_something_else(tmp_path: Path, position: str) -> None:
    (tmp_path / "a").write_bytes(TEXT)
    with pytest.raises(Rejected, match="Expected"):
        await read(source([tmp_path / "a"] * 2), position)


class PassingClock(ManualClock):
    """Waiting is what lets this clock advance."""

    async def sleep(self, seconds: float) -> None:
        self.advance(max(1, round(seconds * 1_000)))
        await asyncio.sleep(0)


async def timed(
    replay: NdjsonSource, clock: PassingClock, position: str | None = None
) -> list[tuple[int, bytes, str]]:
    found = []
    async for batch in replay.open(position):
        found += [
            (clock.monotonic_ms(), batch.block.message(index), batch.position)
            for index in range(len(batch.block))
        ]
    return found


@pytest.mark.parametrize(
    ("options", "last_ms"),
    [
        ({"speed": 1.0}, 19_990),
        ({"speed": 10.0}, 1_999),
        ({"rate": 1_000.0}, 1_999),
        ({"speed": 10.0, "rate": 100.0}, 19_990),
        ({}, 0),
    ],
)
async def test_pace(tmp_path: Path, options: dict[str, float], last_ms: int) -> None:
    (tmp_path / "a").write_bytes(TEXT)
    clock = PassingClock(FIRST_MS, 77)
    found = await timed(source([tmp_path / "a"], clock=clock, sleep=clock.sleep, **options), clock)
    assert [message for _, message, _ in found] == LINES
    assert 0 <= found[-1][0] - 77 - last_ms <= 20
    halfway = found[1_000][0] - 77
    assert 0 <= halfway - last_ms / 2 <= 20


async def test_each_file_has_its_own_recorded_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n".join(swap_lines(101, FIRST_MS)))
    (tmp_path / "b").write_bytes(b"\n".join(swap_lines(101, FIRST_MS - 10**10)))
    clock = PassingClock(FIRST_MS, 0)
    replay = source([tmp_path / "a", tmp_path / "b"], clock=clock, speed=1.0, sleep=clock.sleep)
    found = await timed(replay, clock)
    assert 2_000 <= found[-1][0] <= 2_040


async def test_a_long_pause_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n".join(swap_lines(2, step_ms=30_000)))
    clock = PassingClock(FIRST_MS, 0)
    told = set()

    async def sleep(seconds: float) -> None:
        told.add(replay.status().state)
        await clock.sleep(seconds)

    replay = source([tmp_path / "a"], clock=clock, speed=1.0, sleep=sleep)
    await timed(replay, clock)
    assert "waiting" in told


def event_ms(message: bytes) -> int:
    value = json.loads(message)["event_time"]
    assert isinstance(value, int)
    return value


async def test_shift_to_now_and_the_same_shift_after_a_resume(tmp_path: Path) -> None:
    second = swap_lines(300, FIRST_MS - 10**9)
    (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "b").write_bytes(b"no json\n" + b"\n".join(second))
    paths = [tmp_path / "a.gz", tmp_path / "b"]
    clock = ManualClock(FIRST_MS + 10**10, 0)
    found = await read(source(paths, clock=clock, shift_to_now=True))
    messages = joined(found)
    assert [event_ms(message) for message in messages[:2_000]] == [
        FIRST_MS + 10**10 + 10 * number for number in range(2_000)
    ]
    assert messages[2_000] == b"no json"
    assert [event_ms(message) for message in messages[2_001:]] == [
        FIRST_MS + 10**10 + 10 * number for number in range(300)
    ]
    for before, after in zip(LINES, messages, strict=False):
        assert json.loads(before) | {"event_time": 0} == json.loads(after) | {"event_time": 0}
    for number, (_, position) in enumerate(found):
        clock = ManualClock(FIRST_MS + 2 * 10**10, 5)
        rest = joined(await read(source(paths, clock=clock, shift_to_now=True), position))
        here = json.loads(position)["file"]
        same = [m for m, p in found[number + 1 :] if json.loads(p)["file"] == here]
        kept = [message for part in same for message in part]
        assert rest[: len(kept)] == kept


async def test_removals_move_with_their_adds(tmp_path: Path) -> None:
    add = b'{"event_id":"e","event_time":"2024-01-05T00:00:00.5Z"}'
    removal = b'{"event_id":"e","event_time":1704412800500,"removed":true}'
    (tmp_path / "a").write_bytes(b"\n".join([add, removal, add]))
    clock = ManualClock(1_704_412_800_500 + 86_400_000, 0)
    messages = joined(await read(source([tmp_path / "a"], clock=clock, shift_to_now=True)))
    assert messages == [
        add.replace(b"01-05", b"01-06"),
        removal.replace(b"1704412800500", b"1704499200500"),
        add.replace(b"01-05", b"01-06"),
    ]


async def test_a_shifted_replay_catches_up_after_a_stop(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TEXT)
    clock = PassingClock(FIRST_MS * 1, 0)
    options = {"speed": 1.0, "shift_to_now": True}
    clock.jump(10**9)
    found = await read(
        source([tmp_path / "a"], clock=clock, sleep=clock.sleep, **options), None, 100
    )
    position = found[-1][1]
    last_ms = event_ms(joined(found)[-1])
    assert abs(clock.wall_ms() - last_ms) <= 20
    clock.jump(5_000)  # down for five seconds
    rest = await timed(
        source([tmp_path / "a"], clock=clock, sleep=clock.sleep, **options), clock, position
    )
    now = rest[0][0]
    assert 480 <= sum(at == now for at, _, _ in rest) <= 520
    assert abs(event_ms(rest[-1][1]) - clock.wall_ms()) <= 20
    with pytest.raises(Rejected, match="shifted as before"):
        await read(source([tmp_path / "a"], clock=clock), position)


async def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    lines = [
        line + b"%064x" % random.Random(number).getrandbits(256)
        for number, line in enumerate(swap_lines(30_000))
    ]
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    replay = source([path])
    assert replay.status().state == "connecting"
    seen = []
    async for _ in replay.open(None):
        seen.append(replay.status().done_bytes)
        assert replay.status().total_bytes == path.stat().st_size
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert replay.status().done_bytes == path.stat().st_size


async def test_the_loop_is_free_while_a_file_is_read(tmp_path: Path) -> None:
    """Reading happens beside the loop: a consumer that does nothing sees other tasks run."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\n".join(swap_lines(50_000)), 1))
    turns = 0
    done = asyncio.Event()

    async def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    batches = len(await read(source([path], block_bytes=1 << 20)))
    done.set()
    await counting
    assert turns > 2 * batches
