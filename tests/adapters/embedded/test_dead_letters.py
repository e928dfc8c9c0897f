"""The dead-letter file: kill -9, damage, full disks; the rest is in the conformance suite."""

import contextlib
import random
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from swapstats.adapters.embedded.dead_letters import (
    EmbeddedDeadLetterReader,
    EmbeddedDeadLetterStore,
)
from swapstats.errors import StoreCorrupt, StoreFull
from swapstats.model.effects import DeadLetter


def letter(offset: int, message: bytes = b"\xff{") -> DeadLetter:
    return DeadLetter(1, offset, offset, "malformed_json", "Expected an object", message)


def test_kill_keeps_every_acknowledged_put_whole(
    tmp_path: Path,
    start_writer: Callable[..., subprocess.Popen[str]],
    read_rounds: Callable[[subprocess.Popen[str], int], int],
    kill: Callable[[subprocess.Popen[str]], list[int]],
) -> None:
    process = start_writer("letters", str(tmp_path))
    last = [read_rounds(process, 50), *kill(process)][-1]
    with contextlib.closing(EmbeddedDeadLetterReader(tmp_path / "dead-letters.db")) as reader:
        offsets = sorted(found.offset for found in reader.scan(limit=1 << 30))
        assert reader.counts() == {"bad_side": len(offsets)}
    assert offsets == list(range(len(offsets)))
    assert len(offsets) in {(last + 1) * 5, (last + 2) * 5}


@pytest.mark.parametrize("column", ["message = x'00'", "append_ms = 99", "message = 'text'"])
def test_damaged_letter_is_named(tmp_path: Path, column: str) -> None:
    path = tmp_path / "dead-letters.db"
    with contextlib.closing(EmbeddedDeadLetterStore(path)) as store:
        store.put([letter(4), letter(5)])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f'UPDATE letters SET {column} WHERE "offset" = 4')
        connection.commit()
    with (
        contextlib.closing(EmbeddedDeadLetterReader(path)) as reader,
        pytest.raises(StoreCorrupt, match="partition 1, offset 4"),
    ):
        list(reader.scan())


def test_full_disk_keeps_none_of_a_put(small_disk: Path, fill_disk: Callable[[Path], Path]) -> None:
    store = EmbeddedDeadLetterStore(small_disk / "dead-letters.db")
    store.put([letter(0)])
    ballast = fill_disk(small_disk)
    many = [letter(at, random.randbytes(20_000)) for at in range(20)]
    for _ in range(2):
        with pytest.raises(StoreFull, match="free space"):
            store.put(many)
    assert list(store.scan()) == [letter(0)]
    ballast.unlink()
    store.put(many)
    assert list(store.scan()) == [*many[:0:-1], letter(0)]
    assert store.trim(5) == 15
    store.close()
