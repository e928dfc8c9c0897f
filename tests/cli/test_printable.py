"""What a terminal is never given: escape sequences, line ends, directions of other people."""

import doctest

import pytest

from swapstats.cli import printable as module
from swapstats.cli.printable import printable


@pytest.mark.parametrize(
    "text", ["", "WETH", "1:0xc02a", "\u00fc\u4e2d\U0001f680", "a [b] > *", "a b"]
)
def test_plain_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("code", [*range(32), 127, 0x9B, 0x200B, 0x202E, 0x2028, 0xFEFF])
def test_what_is_not_plain_is_written_as_an_escape(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert shown.isprintable()
    assert shown[:2] == "a\\"
    assert shown.encode().decode("unicode_escape") == f"a{chr(code)}b"


def test_the_example_holds() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted == 1
