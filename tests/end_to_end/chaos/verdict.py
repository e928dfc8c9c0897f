"""The end of a run: what the log says, held against everything that was and is told."""

import json
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.service_process import swapstats
from tests.end_to_end.stack_roles import MarketFeed, as_stats, recounted

from swapstats.cli.answers import read_answer
from swapstats.model.stats import WindowStats
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import Settings
from swapstats.testing.eventually import eventually
from swapstats.wiring.server_reading import ServerReaders

AUDIT_S_MAX = 600.0
ARCHIVE_MS_MAX = 120_000
_READ_BYTES = 1 << 20
_HASH_SLICES = 100

Windows = dict[str, dict[str, WindowStats]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was proved.

    Attributes:
        messages: in the log, repeated ones too.
        tokens: whose every window was compared at every API.
        compared: windows compared.
        answers: given during the run and proved afterwards.
    """

    messages: int
    tokens: int
    compared: int
    answers: int


def expect_right(deployment: Deployment, seen: Seen, directory: Path) -> Verdict:
    """Prove that nothing is lost or doubled; the market has stopped and everything caught up."""
    assert not seen.complaints, "\n".join(seen.complaints)
    settings, log = deployment.settings, deployment.feed.log
    messages = expect_all_written(deployment.feed)
    tokens, compared = expect_windows(deployment, settings, log, deployment.api_names())
    answers = expect_answers(settings, seen.samples, directory)
    expect_audit(deployment.stack.config_path)
    expect_archive(deployment.stack.config_path, settings)
    return Verdict(messages, tokens, compared, answers)


def expect_all_written(feed: MarketFeed) -> int:
    """Every message the market wrote is in the log; returns how many records are there."""
    log = feed.log
    found = [hash(message) for message in _messages(feed)]
    wanted: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    for begins_ms in range(feed.begins_ms, feed.at_ms, 100 * _HASH_SLICES):
        ends_ms = min(feed.at_ms, begins_ms + 100 * _HASH_SLICES)
        wanted.append(np.array([hash(each) for each in feed.messages(begins_ms, ends_ms)]))
    missing = np.setdiff1d(np.concatenate(wanted), np.array(found))
    assert not len(missing), f"{len(missing)} messages of the market are not in the log"
    assert len(found) == sum(log.end_offsets())
    return len(found)


def _messages(feed: MarketFeed) -> Iterable[bytes]:
    ends = feed.log.end_offsets()
    for partition, end in enumerate(ends):
        offset = 0
        while offset < end:
            batch = feed.log.read(partition, offset, _READ_BYTES)
            assert batch is not None
            for row in range(len(batch)):
                yield batch.message(row)
            offset = batch.next_offset


def expect_windows(
    deployment: Deployment, settings: Settings, log: SwapLogReader, names: Iterable[str]
) -> tuple[int, int]:
    """Every window of every token at these APIs is what the log says; returns (tokens, windows)."""
    names = list(names)
    told = {name: told_windows(deployment, name) for name in names}
    ends = {answer["end"] for answers in told.values() for answer in answers.values()}
    recounts = {
        end: recounted(
            log,
            settings.windows,
            end - 1,
            settings.app.max_ahead_ms,
            settings.app.grace_ms,
        )
        for end in ends
    }
    compared = 0
    for name, answers in told.items():
        wanted_keys = {key for windows in recounts.values() for key in windows}
        assert set(answers) >= wanted_keys, f"{name} does not know {wanted_keys - set(answers)}"
        for key, answer in answers.items():
            wanted = recounts[answer["end"]].get(key, {})
            for window in settings.windows.names:
                held = as_stats(answer[f"w{window}"])
                log_says = wanted.get(window, WindowStats())
                assert held == log_says, f"{name}: {key} {window}: {held}, the log says {log_says}"
                compared += 1
    return len(told[names[0]]), compared


def told_windows(deployment: Deployment, name: str) -> dict[str, dict[str, Any]]:
    """What an API says of every token it knows, by key."""
    keys: set[str] = set()
    for sort in ("asc", "desc"):
        path = f"/api/overview?window=24h&sort=token&order={sort}&limit=500"
        keys |= {row["token"] for row in deployment.ask(name, path)["rows"]}
    assert len(keys) == deployment.ask(name, "/api/status")["tokens"]
    return {
        key: deployment.ask(
            name, f"/api/tokens/{urllib.parse.quote(key, safe='')}/stats?numbers=string"
        )
        for key in sorted(keys)
    }


def expect_answers(settings: Settings, samples: list[dict[str, Any]], directory: Path) -> int:
    """Prove answers given during the run, as `swapstats audit --answer` does; returns how many."""
    readers = ServerReaders.open(settings)
    try:
        for number, sample in enumerate(samples):
            file = directory / f"answer-{number}.json"
            file.write_text(json.dumps(sample), encoding="utf-8")
            audit = readers.auditor.audit_answer(
                read_answer(file),
                grace_ms=settings.app.grace_ms,
                late=settings.app.late,
                max_ahead_ms=settings.app.max_ahead_ms,
                plain=False,
            )
            assert not audit.differences, (sample, audit.differences)
    finally:
        readers.close()
    return len(samples)


def expect_audit(config: Path) -> None:
    """`swapstats audit` finds no difference."""
    audit = swapstats("audit", "--config", config, timeout_s=AUDIT_S_MAX)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "no difference" in audit.stdout


def expect_archive(config: Path, settings: Settings) -> None:
    """Where a configuration has an archive, it holds what the log holds, once."""
    if not settings.stores.clickhouse.dsn.reveal():
        return

    def whole() -> bool:
        audit = swapstats("audit", "--config", config, timeout_s=AUDIT_S_MAX)
        assert audit.returncode == 0, audit.stdout + audit.stderr
        assert "archive" in audit.stdout
        return "behind" not in audit.stdout

    eventually(whole, ARCHIVE_MS_MAX, "the archive to have everything that checkpoints hold")
    check = swapstats("archive", "check", "--config", config, timeout_s=AUDIT_S_MAX)
    assert check.returncode == 0, check.stdout + check.stderr


def expect_moved(config: Path) -> str:
    """Old parts of the archive lie on S3; returns how it lies, for people."""
    disks: dict[str, tuple[int, int]] = {}
    told: dict[str, Any] = {}

    def has_moved() -> bool:
        status = swapstats("archive", "status", "--json", "--config", config, timeout_s=60)
        assert status.returncode == 0, status.stdout + status.stderr
        told.update(json.loads(status.stdout))
        for part in told["disks"]:
            if part["table"] == "raw_swaps":
                disks[part["disk"]] = (part["parts"], part["rows"])
        return disks.get("s3_cold", (0, 0))[1] > 0

    eventually(has_moved, ARCHIVE_MS_MAX, "old parts on S3")
    lies = ", ".join(
        f"{rows} rows in {parts} parts on {disk}" for disk, (parts, rows) in disks.items()
    )
    return f"{lies}; {told['s3_errors']} errors of S3 since its last start"
