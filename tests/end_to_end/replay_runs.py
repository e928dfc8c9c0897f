"""What the tests of `swapstats replay` share: messages, command lines as processes, a recount.

The recount (`recount`, `count_fates`) is written from the definitions alone, with whole numbers
and dictionaries, and imports nothing of swapstats: it is what the command must equal.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import pytest

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[3] / "shared/data")) / "wire"
STEP_MS = 5_000
WINDOWS = {"5m": 300_000, "1h": 3_600_000, "24h": 86_400_000}
GRACE_MS = 120_000
COUNTERS = (
    *("ingested", "applied", "duplicates", "removed", "cancelled"),
    *("too_old", "late", "late_refused", "dead_letters"),
)
PROCESSES = 2

Message = dict[str, Any]
"""One swap as its producer wrote it: the fields of its JSON object, amounts as strings."""
Pairs = list[tuple[str, Any]]


def wire_files() -> list[Path]:
    """The real recordings; skips the test where they are absent."""
    files = sorted(DATA.glob("*.ndjson.gz"))
    if not files:
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    return files


def read_messages(path: Path) -> list[Message]:
    with gzip.open(path, "rb") as lines:
        return [json.loads(line) for line in lines]


# The recount


@dataclass(frozen=True)
class Expected:
    """What the report must hold; `tokens` as pairs, so that their order is compared too."""

    as_of: int
    tokens: Pairs


def scaled(text: str, digits: int) -> int:
    whole, _, places = text.partition(".")
    return int(whole + places.ljust(digits, "0"))


def unscaled(value: int, digits: int) -> str:
    return f"{value // 10**digits}.{value % 10**digits:0{digits}d}"


def pair_of(message: Message) -> tuple[str, int]:
    return message["event_id"], message.get("inclusion", 0)


def key_of(message: Message) -> str:
    chain = f"{message['chain_id']}:" if "chain_id" in message else ""
    return f"{chain}{message['token_address']}"


def recount(
    messages: Iterable[Message],
    *,
    step_ms: int = STEP_MS,
    windows: Mapping[str, int] = WINDOWS,
    at: int | None = None,
) -> Expected:
    """Two sets and a loop: a pair counts if it was added and not removed."""
    added: dict[tuple[str, int], Message] = {}
    removed: set[tuple[str, int]] = set()
    for message in messages:
        if message.get("removed"):
            removed.add(pair_of(message))
        else:
            added.setdefault(pair_of(message), message)
    newest_ms = max((message["event_time"] for message in added.values()), default=0)
    t_ms = newest_ms if at is None else at
    end_ms = t_ms // step_ms * step_ms + step_ms
    sums: dict[str, dict[str, dict[str, int]]] = {}
    for pair, message in added.items():
        for name, width_ms in windows.items():
            if pair not in removed and end_ms - width_ms <= message["event_time"] < end_ms:
                of_token = sums.setdefault(key_of(message), {})
                _add(of_token.setdefault(name, _nothing()), message)
    return Expected(t_ms, [(key, _window_pairs(sums[key], windows)) for key in sorted(sums)])


def _nothing() -> dict[str, int]:
    return dict.fromkeys(
        ("vol_usd", "vol_token", "trades", "buy", "sell", "buy_usd", "sell_usd", "unpriced"), 0
    )


def _add(sums: dict[str, int], message: Message) -> None:
    usd = scaled(message["amount_usd"] or "0", 6)
    sums["vol_usd"] += usd
    sums["vol_token"] += scaled(message["amount_token"], 18)
    sums["trades"] += 1
    sums[message["side"]] += 1
    sums[f"{message['side']}_usd"] += usd
    sums["unpriced"] += message["amount_usd"] is None


def _window_pairs(of_token: dict[str, dict[str, int]], windows: Iterable[str]) -> Pairs:
    places = {"vol_usd": 6, "buy_usd": 6, "sell_usd": 6, "vol_token": 18}
    pairs: Pairs = []
    for name in windows:
        sums = of_token.get(name, _nothing())
        fields = [
            (field, unscaled(value, places[field]) if field in places else value)
            for field, value in sums.items()
        ]
        pairs.append((f"w{name}", fields))
    return pairs


def count_fates(
    messages: Iterable[Message | None],
    *,
    step_ms: int = STEP_MS,
    widest_ms: int = 86_400_000,
    at: int | None = None,
) -> dict[str, int]:
    """The counters of one partition that reads these messages in this order; None = a bad one."""
    counters = dict.fromkeys(COUNTERS, 0)
    added: set[tuple[str, int]] = set()
    removed: set[tuple[str, int]] = set()
    t_ms = newest_ms = 0
    for message in messages:
        counters["ingested"] += 1
        if message is None:
            counters["dead_letters"] += 1
            continue
        pair, event_ms, is_removal = pair_of(message), message["event_time"], message.get("removed")
        late = not is_removal and event_ms < newest_ms - GRACE_MS
        if not is_removal:
            newest_ms = t_ms = max(newest_ms, event_ms)
        end_ms = (t_ms if at is None else at) // step_ms * step_ms + step_ms
        mine, other = (removed, added) if is_removal else (added, removed)
        if event_ms < end_ms - widest_ms:
            counters["too_old"] += 1
            continue
        if pair in mine:
            counters["duplicates"] += 1
        elif is_removal:
            counters["removed" if pair in other else "cancelled"] += 1
        else:
            counters["cancelled" if pair in other else "applied"] += 1
            counters["late"] += late and pair not in other
        mine.add(pair)
    return counters


# How a message is written


def written(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def respelt(rng: Random, message: Message) -> bytes:
    """The same swap in other words: numbers for strings, RFC 3339, no event_id where composed."""
    texts = {name: json.dumps(value) for name, value in message.items()}
    parts = [str(message.get(name)) for name in ("chain_id", "tx_hash", "log_index")]
    if "None" not in parts and message["event_id"] == ":".join(parts) and rng.random() < 0.7:
        del texts["event_id"]
    for name in ("amount_token", "amount_usd"):
        if message[name] is None:
            del texts[name]
        else:
            short = message[name].rstrip("0").rstrip(".") if "." in message[name] else message[name]
            texts[name] = rng.choice((short, f'"{short}"', message[name]))
    if not message.get("removed") and rng.random() < 0.5:
        texts.pop("removed", None)
    if rng.random() < 0.7:
        zone = timezone(timedelta(minutes=rng.choice((0, 60, -330))))
        moment = datetime.fromtimestamp(message["event_time"] // 1_000, UTC).astimezone(zone)
        moment = moment.replace(microsecond=message["event_time"] % 1_000 * 1_000)
        texts["event_time"] = f'"{moment.isoformat(timespec="milliseconds")}"'
    members = [f'"{name}":{text}' for name, text in texts.items()]
    members += rng.choice(([], ['"x":{"side":[1e9,null]}'], ['"note" : "\\"}{"']))
    rng.shuffle(members)
    return ("{" + rng.choice((",", " , ")).join(members) + "}").encode()


# Reports and processes


@dataclass(frozen=True)
class Report:
    """A report as it was written."""

    text: str

    @staticmethod
    def read(path: Path) -> "Report":
        return Report(path.read_text(encoding="utf-8"))

    @property
    def pairs(self) -> Pairs:
        """The document in the order in which it was written, objects as lists of pairs."""
        return list(json.loads(self.text, object_pairs_hook=list))

    @property
    def as_of(self) -> int:
        return int(dict(self.pairs)["as_of"])

    @property
    def counters(self) -> dict[str, int]:
        return dict(dict(self.pairs)["counters"])

    @property
    def token_pairs(self) -> Pairs:
        return list(dict(self.pairs)["tokens"])

    @property
    def stable(self) -> tuple[int, str]:
        """What no change of order, spelling or partitions may change: T, and the exact text."""
        return self.as_of, self.text[self.text.index('"tokens"') :]


def assert_shape(report: Report, expected: Expected, step_ms: int = STEP_MS) -> None:
    """The report is the one expected, in every name, order and digit, and its counters add up."""
    assert [name for name, _ in report.pairs] == ["as_of", "step_ms", "counters", "tokens"]
    assert dict(report.pairs)["step_ms"] == step_ms
    assert report.as_of == expected.as_of
    assert report.token_pairs == expected.tokens
    counters = report.counters
    assert tuple(counters) == COUNTERS
    fates = set(COUNTERS) - {"ingested", "late"}
    assert counters["ingested"] == sum(counters[fate] for fate in fates)
    assert counters["late"] <= counters["applied"] + counters["late_refused"]


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything that would set the command's settings."""
    ours = ("SWAPSTATS_", "WINDOWS", "BUCKET_STEP")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | extra


def replay_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "swapstats", "replay", *map(str, arguments)]


def replayed(
    *arguments: object, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one replay as a process of its own, to its end."""
    return subprocess.run(
        replay_command(*arguments),
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        env=clean_environment(**environment),
    )


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    status: int
    stderr: str


# One interpreter for many command lines: starting one costs twenty times a small replay.
_MANY = """
import contextlib, io, json, sys
from swapstats.cli.app import main
for line in sys.stdin:
    sys.argv, status, said = ["swapstats", *json.loads(line)], None, io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as end:
            status = end.code
    print(json.dumps([status, said.getvalue()]), flush=True)
"""


def run_all(command_lines: Sequence[Sequence[object]], processes: int = PROCESSES) -> list[Outcome]:
    """Run many command lines in a few processes; those of several must not share a directory."""
    lines = [json.dumps([str(part) for part in line]) for line in command_lines]
    found: dict[int, Outcome] = {}

    def work(first: int) -> None:
        mine = range(first, len(lines), processes)
        process = subprocess.run(
            [sys.executable, "-c", _MANY],
            input="".join(f"{lines[index]}\n" for index in mine),
            capture_output=True,
            text=True,
            timeout=1_200,
            check=False,
            env=clean_environment(),
        )
        assert process.returncode == 0, process.stderr
        for index, line in zip(mine, process.stdout.splitlines(), strict=True):
            found[index] = Outcome(*json.loads(line))

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(work, range(processes)))
    return [found[index] for index in range(len(lines))]
