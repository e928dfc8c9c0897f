"""Input files for the tests of `swapstats replay`: real recordings, woven and dressed up."""

import gzip
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import zstandard
from tests.end_to_end.replay_runs import Message, read_messages, wire_files, written

END_MS = 1_723_161_612_345
"""Where the woven recordings end: within a step, not at its edge."""
DAY_MS = 86_400_000
GOOD = (
    b'{"schema_version":1,"event_id":"bad:1","token_address":"WETH","side":"buy",'
    b'"amount_token":"1","amount_usd":"1","event_time":1723161612345}'
)
BAD_LINES = (
    *(b"{", b"null", b"[]", b'"swap"', b"\xff\xfe", b'{"schema_version":1}', b"{}{}", b"\x00"),
    GOOD.replace(b'"schema_version":1', b'"schema_version":2'),
    GOOD.replace(b'"event_id":"bad:1",', b""),
    GOOD.replace(b'"buy"', b'"BUY"'),
    GOOD.replace(b'token":"1"', b'token":"-1"'),
    GOOD.replace(b'usd":"1"', b'usd":1e3'),
    GOOD.replace(b"1723161612345", b'"2024-08-09T00:00:00"'),
    GOOD[:-1],
)


def lines_file(path: Path, lines: Sequence[bytes]) -> Path:
    """Write lines into a plain, .gz or .zst file, by its name."""
    text = b"".join(line + b"\n" for line in lines)
    if path.suffix == ".gz":
        text = gzip.compress(text, 1)
    if path.suffix == ".zst":
        text = zstandard.compress(text)
    path.write_bytes(text)
    return path


def split(rng: Random, folder: Path, name: str, lines: Sequence[bytes]) -> list[Path]:
    """Write lines into files of every kind, cut anywhere, in order."""
    cuts = sorted(rng.randrange(len(lines)) for _ in range(5))
    parts = [lines[start:stop] for start, stop in pairwise([0, *cuts, len(lines)])]
    endings = (".ndjson", ".ndjson.gz", ".ndjson.zst", ".ndjson", ".ndjson.gz", ".ndjson")
    files = [
        lines_file(folder / f"{name}-{at}{ending}", part)
        for at, (ending, part) in enumerate(zip(endings, parts, strict=True))
    ]
    files[3].write_bytes(b"\r\n".join(parts[3]))  # Windows line ends, none at the end
    return files


def woven(rng: Random, rows_max: int | None) -> list[Message]:
    """Real recordings moved so that they end together, with odd keys, no prices, large amounts.

    One covers four days and so brings swaps that are too old.
    """
    keys = ("BTC", "\U0001f680 a.b [c] > *", "\ufb00", None, None, None)
    messages: list[Message] = []
    for path, key in zip(wire_files(), keys, strict=True):
        found = read_messages(path)
        found = found[:: max(1, len(found) // rows_max)] if rows_max else found
        shift_ms = END_MS - max(message["event_time"] for message in found) - rng.randrange(9_000)
        for message in found:
            moved = message | {"event_time": message["event_time"] + shift_ms}
            if key is not None:
                moved["token_address"] = key
            if rng.random() < 0.1:
                moved["amount_usd"] = None
            elif rng.random() < 0.02:
                moved |= {"amount_usd": "9" * 12 + ".999999", "amount_token": "9" * 20 + ".5"}
            messages.append(moved)
    messages.sort(key=lambda message: int(message["event_time"]))
    return messages


def repeated(rng: Random, messages: Sequence[Message]) -> list[Message]:
    """Each message 1 to 3 times, in random order."""
    found = [message for message in messages for _ in range(rng.randint(1, 3))]
    rng.shuffle(found)
    return found


def with_reorgs(rng: Random, messages: Sequence[Message]) -> list[Message]:
    """Removals before and after adds, removals alone, and re-inclusions with other amounts."""
    arrivals: list[tuple[float, Message]] = []
    for at, message in enumerate(messages):
        arrivals.append((at, message))
        draw = rng.random()
        if draw < 0.3:
            arrivals.append((at + rng.randint(-2_000, 2_000), message | {"removed": True}))
        if draw < 0.15:
            again = message | {"inclusion": rng.randint(1, 3), "amount_token": "7.25"}
            arrivals.append((at + rng.randint(-2_000, 2_000), again))
            if draw < 0.05:
                arrivals.append((at + rng.randint(-2_000, 2_000), again | {"removed": True}))
        if draw > 0.9:  # of an event that never comes, some from after the end of all events
            event_ms = rng.choice((message["event_time"], END_MS + rng.randrange(10**8)))
            never = {"event_id": f"never:{at}", "removed": True, "event_time": event_ms}
            arrivals.append((at, message | never))
    return [message for _, message in sorted(arrivals, key=lambda arrival: arrival[0])]


def with_bad_lines(rng: Random, messages: Sequence[Message]) -> list[Message | bytes]:
    """Bad lines anywhere."""
    mixed: list[Message | bytes] = []
    for message in messages:
        mixed.append(message)
        if rng.random() < 0.05:
            mixed.append(rng.choice(BAD_LINES))
    return mixed


def lines_of(mixed: Sequence[Message | bytes]) -> list[bytes]:
    return [line if isinstance(line, bytes) else written(line) for line in mixed]


def unpacked(path: Path) -> list[bytes]:
    text = path.read_bytes()
    if path.suffix == ".gz":
        text = gzip.decompress(text)
    if path.suffix == ".zst":
        text = zstandard.decompress(text)
    return [line for line in text.replace(b"\r\n", b"\n").split(b"\n") if line]
