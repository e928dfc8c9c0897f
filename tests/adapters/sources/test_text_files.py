"""Reading text: kinds are told apart, skipping is exact, memory is bounded, damage is named."""

import gzip
import io
import os
import random
from pathlib import Path
from threading import Event

import pytest
import zstandard

from swapstats.adapters.sources.text_files import (
    ZSTD_PIECE_BYTES,
    RawInput,
    Text,
    open_raw,
    open_text,
)
from swapstats.errors import Rejected

TEXT = b"".join(b"%d\n" % number for number in range(200_000))
KINDS = {
    "plain": TEXT,
    "a.gz": gzip.compress(TEXT),
    "a.zst": zstandard.ZstdCompressor().compress(TEXT),
    "magic-gz": gzip.compress(TEXT),
    "magic-zst": zstandard.ZstdCompressor(write_checksum=True).compress(TEXT),
}


def opened(tmp_path: Path, name: str, stored: bytes) -> tuple[RawInput, Text]:
    path = tmp_path / name
    path.write_bytes(stored)
    raw = open_raw(str(path), io.BytesIO(), Event())
    return raw, open_text(raw, str(path))


def rest(text: Text) -> bytes:
    return b"".join(iter(text.read, b""))


@pytest.mark.parametrize("name", KINDS)
def test_kinds(tmp_path: Path, name: str) -> None:
    raw, text = opened(tmp_path, name, KINDS[name])
    assert rest(text) == TEXT
    assert raw.done_bytes == raw.total_bytes == len(KINDS[name])
    raw.close()


@pytest.mark.parametrize("name", KINDS)
def test_skipping(tmp_path: Path, name: str) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    places = [0, 1, 4, 5, len(TEXT) - 1, len(TEXT)]
    places += [random.Random(seed).randrange(len(TEXT)) for _ in range(5)]
    for place in places:
        raw, text = opened(tmp_path, name, KINDS[name])
        assert text.skip(place) == place
        assert rest(text) == TEXT[place:]
        raw.close()
    raw, text = opened(tmp_path, name, KINDS[name])
    assert text.skip(len(TEXT) + 1) == len(TEXT)
    raw.close()


@pytest.mark.parametrize("stored", [b"", b"a", b"abc", b"\x1f", b"\x28\xb5\x2f"])
def test_short_plain_files(tmp_path: Path, stored: bytes) -> None:
    raw, text = opened(tmp_path, "plain", stored)
    assert rest(text) == stored
    raw.close()


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_every_cut_is_noticed(tmp_path: Path, name: str) -> None:
    stored = KINDS[name]
    for cut in (1, 5, 20, len(stored) // 2, len(stored) - 1):
        raw, text = opened(tmp_path, f"cut-{name}", stored[:-cut])
        with pytest.raises(Rejected, match=f"cut-{name}, was cut off after"):
            rest(text)
        raw.close()


def test_a_bomb_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    size = 200_000_000
    bombs = {
        "b.zst": zstandard.ZstdCompressor().compress(bytes(size)),
        "b.gz": gzip.compress(bytes(size), 1),
    }
    for name, stored in bombs.items():
        raw, text = opened(tmp_path, name, stored)
        sizes = [len(piece) for piece in iter(text.read, b"")]
        assert sum(sizes) == size
        assert max(sizes) <= ZSTD_PIECE_BYTES // 4 * (128 << 10)
        raw.close()


@pytest.mark.parametrize("name", KINDS)
def test_a_pipe_is_told_apart_like_a_file(name: str) -> None:
    stored = KINDS[name][:60_000] if name == "plain" else KINDS[name]
    stored = stored if len(stored) < 65_000 else gzip.compress(TEXT[:10_000])
    reader, writer = os.pipe()
    os.write(writer, stored)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        raw = open_raw("-", pipe, Event())
        text = open_text(raw, "-")
        assert TEXT.startswith(rest(text))
        assert (raw.total_bytes, raw.can_seek) == (0, False)


def test_a_silent_pipe_can_be_stopped() -> None:
    reader, writer = os.pipe()
    stopped = Event()
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        raw = RawInput(pipe, stopped)
        stopped.set()
        assert raw.read() == b""
    os.close(writer)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"readable file .*, was No such file"):
        open_raw(str(tmp_path / "gone"), io.BytesIO(), Event())
