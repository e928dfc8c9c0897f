"""Plain twin of `kernels.siphash`: SipHash by the paper, for any number of rounds."""

import numpy as np
from numpy.typing import NDArray

_WORD = 1 << 64


def siphash(text: bytes, k0: int, k1: int, rounds: int, last_rounds: int) -> int:
    """Hash a text by SipHash-`rounds`-`last_rounds`, as the paper of 2012 gives it."""
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        _mix(v, rounds)
        v[0] ^= word
    v[2] ^= 0xFF
    _mix(v, last_rounds)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _mix(v: list[int], rounds: int) -> None:
    for _ in range(rounds):
        for a, b, turn_b, turn_a in ((0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32)):
            v[a] = (v[a] + v[b]) % _WORD
            v[b] = _turned(v[b], turn_b) ^ v[a]
            v[a] = _turned(v[a], turn_a)


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) % _WORD


def hash_bytes(
    data: NDArray[np.uint8],
    start: int,
    count: int,
    suffix: np.uint64,
    with_suffix: bool,
    k0: np.uint64,
    k1: np.uint64,
) -> np.uint64:
    """Hash `count || bytes || zeros to a multiple of 8 [|| suffix]` by SipHash-1-3."""
    text = data[start : start + count].tobytes()
    text = count.to_bytes(8, "little") + text + bytes(-count % 8)
    if with_suffix:
        text += int(suffix).to_bytes(8, "little")
    return np.uint64(siphash(text, int(k0), int(k1), 1, 3))


def hash_content(
    token_hash: np.uint64,
    flags: np.uint64,
    lo: np.uint64,
    hi: np.uint64,
    usd: np.uint64,
    event_ms: np.uint64,
    k0: np.uint64,
    k1: np.uint64,
) -> np.uint64:
    """Hash the six words end to end by SipHash-1-3."""
    text = b"".join(
        int(word).to_bytes(8, "little") for word in (token_hash, flags, lo, hi, usd, event_ms)
    )
    return np.uint64(siphash(text, int(k0), int(k1), 1, 3))
