import pytest

from swapstats.testing.evm.abi import call_data, encoded


def words(content: bytes) -> list[str]:
    return [content[at : at + 32].hex().lstrip("0") for at in range(0, len(content), 32)]


def test_the_example_of_the_specification() -> None:
    """`f(uint256,uint32[],bytes10,bytes)` of the ABI's own page."""
    data = call_data(
        "f(uint256,uint32[],bytes10,bytes)", 0x123, [0x456, 0x789], b"1234567890", b"Hello, world!"
    )
    assert data[:4].hex() == "8be65246"
    assert [word.rstrip("0") or "0" for word in words(data[4:])] == [
        "123",
        "8",
        "3132333435363738393",
        "e",
        "2",
        "456",
        "789",
        "d",
        "48656c6c6f2c20776f726c6421",
    ]


def test_numbers_below_zero_and_addresses() -> None:
    assert encoded("int24", -1) == b"\xff" * 32
    assert encoded("bool", True)[-1] == 1
    assert encoded("address", "0x" + "ab" * 20) == bytes(12) + b"\xab" * 20
    assert encoded("bytes32", "0x" + "cd" * 32) == b"\xcd" * 32


def test_tuples_that_do_not_grow_are_written_in_place() -> None:
    assert words(encoded("((uint8,uint8),uint8)", ((1, 2), 3))) == ["1", "2", "3"]


def test_tuples_that_grow_are_written_at_the_end() -> None:
    found = words(encoded("((uint8,string),uint8)", ((1, "a"), 3)))
    assert found == ["40", "3", "1", "40", "1", "61" + "0" * 62]


def test_nothing_is_nothing() -> None:
    assert encoded("()", ()) == b""
    assert words(encoded("(bytes)", (b"",))) == ["20", ""]


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="type of the ABI"):
        encoded("fixed128x18", 1)


def test_a_wrong_count_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        call_data("transfer(address,uint256)", 1)
