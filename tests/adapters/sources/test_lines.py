"""Cutting text into messages: every way of cutting into pieces gives the same messages."""

import random

import pytest

from swapstats.adapters.sources.lines import CUT_BYTES, LineBlock, LineCutter


def messages(text: bytes, sizes: list[int]) -> tuple[list[bytes], list[int]]:
    """Feed a text in pieces of the given sizes, again and again; messages and line ends."""
    cutter = LineCutter(100)
    found: list[bytes] = []
    ends: list[int] = []

    def keep(lines: LineBlock | None) -> None:
        if lines is not None:
            found.extend(lines.block.message(index) for index in range(len(lines)))
            ends.extend((lines.ends - 100).tolist())

    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        keep(cutter.feed(text[at : at + size]))
        at += size
        turn += 1
    keep(cutter.finish())
    return found, ends


@pytest.mark.parametrize(
    ("text", "expected", "ends"),
    [
        (b"", [], []),
        (b"\n\n\r\n", [], []),
        (b"a\nbc\n", [b"a", b"bc"], [2, 5]),
        (b"a\nbc", [b"a", b"bc"], [2, 4]),
        (b"a\r\nbc\r\n", [b"a", b"bc"], [3, 7]),
        (b"a\r\n\r\n\nbc\r", [b"a", b"bc"], [3, 9]),
        (b"\na", [b"a"], [2]),
        (b"a\rb\n", [b"a\rb"], [4]),
        (b"a\r\r\nb", [b"a\r", b"b"], [4, 5]),
        (b" \n", [b" "], [2]),
    ],
)
@pytest.mark.parametrize("sizes", [[1], [2], [3, 1], [1_000]])
def test_lines(text: bytes, expected: list[bytes], ends: list[int], sizes: list[int]) -> None:
    assert messages(text, sizes) == (expected, ends)


@pytest.mark.parametrize(
    "length", [CUT_BYTES - 2, CUT_BYTES - 1, CUT_BYTES, CUT_BYTES + 1, 5_000_000]
)
@pytest.mark.parametrize("tail", [b"\nb\n", b"\r\nb", b"", b"\n"])
def test_a_long_line_is_one_cut_message(length: int, tail: bytes) -> None:
    text = b"a\n" + b"x" * length + tail
    found, ends = messages(text, [300_000, 77_777])
    assert [len(message) for message in found[:2]] == [1, min(length, CUT_BYTES)]
    assert found[2:] == ([b"b"] if b"b" in tail else [])
    assert ends[1] == 2 + length + len(tail.partition(b"\n")[0] + tail.partition(b"\n")[1])
    assert messages(text, [len(text)]) == (found, ends)


def test_memory_of_an_endless_line_is_bounded() -> None:
    cutter = LineCutter()
    for _ in range(64):
        assert cutter.feed(b"x" * (1 << 20)) is None
        assert len(cutter._carry) <= CUT_BYTES
    lines = cutter.feed(b"\ny\n")
    assert lines is not None
    assert [len(lines.block.message(index)) for index in range(2)] == [CUT_BYTES, 1]
    assert lines.ends.tolist() == [(64 << 20) + 1, (64 << 20) + 3]


def test_any_pieces_give_the_same_messages() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(50):
        text = bytes(rng.choice(b"ab\n\n\r") for _ in range(rng.randrange(200)))
        sizes = [rng.randrange(1, 40) for _ in range(5)]
        whole, ends = messages(text, [1_000])
        assert messages(text, sizes) == (whole, ends)
        assert whole == [
            line.removesuffix(b"\r") for line in text.split(b"\n") if line.removesuffix(b"\r")
        ]
        for message, end in zip(whole, ends, strict=True):
            assert text[:end].rstrip(b"\r\n").endswith(message.rstrip(b"\r"))


def test_parts_of_a_block() -> None:
    lines = LineCutter().feed(b"a\nbb\nccc\n")
    assert lines is not None
    part = lines.part(1, 3)
    assert [part.block.message(index) for index in range(len(part))] == [b"bb", b"ccc"]
    assert part.ends.tolist() == [5, 9]
    assert part.block.bounds.tolist() == [0, 2, 5]
    assert lines.part(0, 3) is lines
