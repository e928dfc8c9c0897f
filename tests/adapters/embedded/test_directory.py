"""The data directory: its lock across processes, its manifest, its key."""

import hashlib
import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from swapstats.adapters.embedded.directory import DataDirectory
from swapstats.errors import (
    InvariantBroken,
    KeyMismatch,
    SettingsMismatch,
    StoreCorrupt,
    StoreFormat,
    StoreFull,
    StoreLocked,
    UsageError,
)

StartWriter = Callable[..., subprocess.Popen[str]]


def test_second_writer_is_refused_by_pid_and_kill_frees_the_lock(
    tmp_path: Path, start_writer: StartWriter
) -> None:
    process = start_writer("lock", str(tmp_path / "data"))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(StoreLocked, match=rf"process {process.pid}\b"):
        DataDirectory.open(tmp_path / "data", writer=True)
    DataDirectory.open(tmp_path / "data", writer=False).close()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with DataDirectory.open(tmp_path / "data", writer=True):
        assert (tmp_path / "data" / "lock").read_text() == f"{os.getpid()}\n"


def test_writer_in_the_same_process_is_refused_until_closed(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path / "a" / "b", writer=True)
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        DataDirectory.open(tmp_path / "a" / "b", writer=True)
    first.close()
    first.close()
    DataDirectory.open(tmp_path / "a" / "b", writer=True).close()


def test_reader_needs_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        DataDirectory.open(tmp_path / "nowhere", writer=False)
    assert not (tmp_path / "nowhere").exists()


def test_manifest_is_written_once_and_compared(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, writer=True) as directory:
        assert directory.manifest() is None
        directory.ensure_manifest({"step_ms": 5_000, "widths_ms": (1, 2), "at_ms": None})
        written = (tmp_path / "manifest.json").read_bytes()
        directory.ensure_manifest({"widths_ms": [1, 2], "at_ms": None, "step_ms": 5_000})
    assert (tmp_path / "manifest.json").read_bytes() == written
    reader = DataDirectory.open(tmp_path, writer=False)
    assert reader.manifest() == {"step_ms": 5_000, "widths_ms": [1, 2], "at_ms": None}


def test_each_differing_setting_is_named_with_both_values(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, writer=True) as directory:
        directory.ensure_manifest({"step_ms": 5_000, "partitions": 4, "same": True, "old": 1})
        with pytest.raises(SettingsMismatch) as refused:
            directory.ensure_manifest({"step_ms": 1_000, "partitions": 12, "same": True, "new": []})
    message = str(refused.value)
    for part in (
        "step_ms: made with 5000, now 1000",
        "partitions: made with 4, now 12",
        "old: made with 1, now absent",
        "new: made with absent, now []",
    ):
        assert part in message
    assert "same" not in message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format":1}', b'{"format":"x"}', b"\xff"])
def test_damaged_manifest_is_corrupt(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)
    with (
        DataDirectory.open(tmp_path, writer=True) as directory,
        pytest.raises(StoreCorrupt, match=r"manifest\.json"),
    ):
        directory.ensure_manifest({})


def test_newer_manifest_is_refused(tmp_path: Path) -> None:
    newer = {"format": 2, "somewhere": "else"}
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(newer))
    with DataDirectory.open(tmp_path, writer=True) as directory, pytest.raises(StoreFormat):
        directory.ensure_manifest({})


def test_hash_key_is_made_once_and_private(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, writer=True) as directory:
        key, key_id = directory.hash_key(may_create=True)
        assert directory.hash_key(may_create=False) == (key, key_id)
    assert len(key) == 16
    assert key_id == hashlib.sha256(key).hexdigest()[:16]
    assert stat.S_IMODE((tmp_path / "hash.key").stat().st_mode) == 0o600
    assert DataDirectory.open(tmp_path, writer=False).hash_key(may_create=False)[0] == key
    assert not list(tmp_path.glob("*.new"))


def test_lost_or_damaged_key_says_what_to_do(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, writer=True) as directory:
        with pytest.raises(KeyMismatch, match=r"restore .* --rebuild"):
            directory.hash_key(may_create=False)
        assert not (tmp_path / "hash.key").exists()
        (tmp_path / "hash.key").write_bytes(b"short")
        with pytest.raises(KeyMismatch, match="was 5"):
            directory.hash_key(may_create=True)


def test_reader_writes_nothing(tmp_path: Path) -> None:
    reader = DataDirectory.open(tmp_path, writer=False)
    with pytest.raises(InvariantBroken):
        reader.ensure_manifest({})
    with pytest.raises(InvariantBroken):
        reader.hash_key(may_create=True)
    assert list(tmp_path.iterdir()) == []


def test_leftover_of_a_killed_write_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "manifest.json.new").write_bytes(b"{half")
    with DataDirectory.open(tmp_path, writer=True) as directory:
        assert directory.manifest() is None
        directory.ensure_manifest({"step_ms": 1})
        assert directory.manifest() == {"step_ms": 1}


def test_full_disk_leaves_no_manifest(small_disk: Path, fill_disk: Callable[[Path], Path]) -> None:
    with DataDirectory.open(small_disk, writer=True) as directory:
        ballast = fill_disk(small_disk)
        with pytest.raises(StoreFull, match="free space"):
            directory.ensure_manifest({"step_ms": 1})
        assert directory.manifest() is None
        ballast.unlink()
        directory.ensure_manifest({"step_ms": 1})
