"""Parts for the tests of the embedded stores: a small disk, and a writer in another process."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WRITER_PROCESS = Path(__file__).with_name("writer_process.py")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB of its own; skipped where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def fill_disk() -> Callable[[Path], Path]:
    """Fills a small disk to the last block; returns the file to remove to free it."""

    def fill(place: Path) -> Path:
        ballast = place / "ballast"
        written = -1
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while written:
                written = file.write(bytes(4_096))
        return ballast

    return fill


@pytest.fixture
def read_rounds() -> Callable[[subprocess.Popen[str], int], int]:
    """Reads that many lines of a writer's output; returns the last number it acknowledged."""

    def read(process: subprocess.Popen[str], lines: int) -> int:
        assert process.stdout is not None
        return [int(process.stdout.readline()) for _ in range(lines)][-1]

    return read


@pytest.fixture
def kill() -> Callable[[subprocess.Popen[str]], list[int]]:
    """Kills a writer with SIGKILL; returns what else it had acknowledged by then."""

    def kill_it(process: subprocess.Popen[str]) -> list[int]:
        assert process.stdout is not None
        process.kill()
        process.wait()
        # Not `communicate`: it would pass over what `readline` has buffered already.
        rest = process.stdout.read()
        return [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    return kill_it


@pytest.fixture
def start_writer() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `writer_process.py` with arguments; what still runs is killed after the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(WRITER_PROCESS), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start
