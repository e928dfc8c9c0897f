"""The hash key: its words, its public name, and keys of a wrong length."""

import pytest

from swapstats.core.hash_key import HashKey
from swapstats.errors import KeyMismatch


def test_words_are_little_endian() -> None:
    key = HashKey.of(bytes(range(16)))
    assert int(key.k0) == 0x0706050403020100
    assert int(key.k1) == 0x0F0E0D0C0B0A0908


def test_the_name_is_stable_and_tells_keys_apart() -> None:
    key = HashKey.of(b"0123456789abcdef")
    assert key.key_id == "9f9f5111f7b27a78"
    assert HashKey.of(b"0123456789abcdeg").key_id != key.key_id


def test_the_name_does_not_hold_the_secret() -> None:
    secret = b"0123456789abcdef"
    key = HashKey.of(secret)
    assert secret.hex()[:8] not in key.key_id
    assert f"{int(key.k0):x}"[:8] not in key.key_id


@pytest.mark.parametrize("count", [0, 15, 17, 32])
def test_a_key_of_another_length(count: int) -> None:
    with pytest.raises(KeyMismatch, match=f"16 bytes, was {count}"):
        HashKey.of(bytes(count))
