import pytest

from swapstats.testing.evm.assembly import answer, assemble, creation


def test_numbers_are_pushed_as_short_as_they_are() -> None:
    assert assemble("0 255 256 0x010203").hex() == "600060ff61010062010203"


def test_places_are_found_before_and_behind() -> None:
    assert assemble("@end jump begin: @begin jump end: stop").hex() == (
        "610009" + "56" + "5b" + "610004" + "56" + "5b" + "00"
    )


def test_words_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="opcode or a number"):
        assemble("add nonsense")
    with pytest.raises(ValueError, match="place 'nowhere'"):
        assemble("@nowhere jump")


def test_answers() -> None:
    assert answer(None) == "0 0 revert"
    assert answer(b"") == "0 0 return"
    assert assemble(answer(b"\x01")).hex() == "7f01" + "00" * 31 + "600052" + "6001" + "6000" + "f3"


def test_creation_copies_all_that_follows_it() -> None:
    code = creation(b"\x00" * 300)
    assert code[:3].hex() == "61012c"
    assert len(code) == 312
    assert code[5] == 12
