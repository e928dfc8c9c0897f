"""kill -9 while batches go into the real engine: nothing lost, nothing doubled, views included."""

import json
import os
import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path
from random import Random

import pytest
from tests.adapters.clickhouse.batches import AMOUNT, NOW_MS

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.roles.archive_carrier import FAULT_POINTS
from swapstats.testing.eventually import eventually

PROGRAM = Path(__file__).with_name("kill_process.py")
ROOT = Path(__file__).parents[3]
START_MS = 60_000


def _start(directory: Path, seed: int, end: int, point: str, nth: int) -> subprocess.Popen[bytes]:
    arguments = [str(directory), str(seed), str(end), point, str(nth)]
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )


def _kill_one_life(directory: Path, seed: int, chance: Random) -> None:
    """Let it work and be killed: at a step of its own, or from outside at any moment."""
    planned = chance.random() < 0.5
    point = chance.choice(FAULT_POINTS) if planned else ""
    (directory / "working").unlink(missing_ok=True)
    process = _start(directory, seed, 0, point, chance.randint(1, 25))
    try:
        eventually(
            lambda: (directory / "working").exists() or process.poll() is not None,
            START_MS,
            "the process to work",
        )
        process.wait(20.0 if planned else chance.uniform(0.05, 1.0))
    except subprocess.TimeoutExpired:
        assert not planned, "the planned kill never came"
        process.kill()
    _, errors = process.communicate()
    assert process.returncode == -9, errors.decode()


def _prove(directory: Path, kills: int, seed: int) -> None:
    print(f"seed {seed}")
    chance = Random(seed)
    (directory / "base").write_text(str(NOW_MS))
    for life in range(kills):
        _kill_one_life(directory, life + 1, chance)
    journal = EmbeddedArchiveJournal(directory / "journal.db")
    noted = max((note.next_offset for note in journal.notes(0)), default=0)
    journal.close()
    checkpoint = directory / "checkpoint"
    begun = int(checkpoint.read_text()) if checkpoint.exists() else 0
    end = max(noted, begun) // 10 * 10 + 500
    last = _start(directory, kills + 1, end, "", 0)
    output, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors.decode()
    found = json.loads(output)
    tens = end // 10
    trades = 7 * tens - tens
    assert [int(value) for value in found["raw"][:3]] == [8 * tens, 8 * tens, trades]
    assert [int(value) for value in found["late"]] == [tens, tens]
    with localcontext(prec=80):
        volume = trades * Decimal(AMOUNT)
        assert Decimal(found["raw"][3]) == volume
        assert [(int(count), Decimal(sum_)) for count, sum_ in found["views"]] == [
            (trades, volume),
            (trades, volume),
        ]
    assert found["differences"] == {"hourly": [], "daily": []}


def test_a_dozen_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    _prove(tmp_path, kills=12, seed=20_261)


@pytest.mark.prove
@pytest.mark.timeout(1_200)
def test_fifty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    _prove(tmp_path, kills=50, seed=20_262)
