import hashlib

import pytest

from swapstats.testing.evm import keccak
from swapstats.testing.evm.keccak import keccak256, selector, topic


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_known_hashes(content: bytes, expected: str) -> None:
    assert keccak256(content).hex() == expected


@pytest.mark.parametrize("size", [0, 1, 134, 135, 136, 137, 271, 272, 1_000])
def test_with_the_padding_of_sha3_it_is_sha3(size: int) -> None:
    """The same permutation and block size: hashlib holds the rest of it to account."""
    content = bytes(number % 251 for number in range(size))
    assert keccak._sponge(content, 0x06) == hashlib.sha3_256(content).digest()


def test_selectors_and_topics_are_those_of_the_standards() -> None:
    assert selector("balanceOf(address)").hex() == "70a08231"
    assert (
        topic("Transfer(address,address,uint256)")
        == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    )
    assert (
        topic("Swap(address,uint256,uint256,uint256,uint256,address)")
        == "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
    )
