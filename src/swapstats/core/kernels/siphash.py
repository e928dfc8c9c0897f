"""SipHash-1-3: the keyed hash behind fingerprints, content checks and the token table.

Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); 1-3 is the variant
that Rust, Ruby and CPython use against hash flooding. Keys are two uint64 words.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import part
from swapstats.core.kernels.words import load_word

U64 = np.uint64
_C0 = np.uint64(0x736F6D6570736575)
_C1 = np.uint64(0x646F72616E646F6D)
_C2 = np.uint64(0x6C7967656E657261)
_C3 = np.uint64(0x7465646279746573)
_FF = np.uint64(0xFF)


@part
def _rotl(x: np.uint64, count: int) -> np.uint64:
    return (x << U64(count)) | (x >> U64(64 - count))


@part
def _round(
    v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    v0 += v1
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 += v3
    v3 = _rotl(v3, 16) ^ v2
    v0 += v3
    v3 = _rotl(v3, 21) ^ v0
    v2 += v1
    v1 = _rotl(v1, 17) ^ v2
    v2 = _rotl(v2, 32)
    return v0, v1, v2, v3


@part
def hash_bytes(
    data: NDArray[np.uint8],
    start: int,
    count: int,
    suffix: np.uint64,
    with_suffix: bool,
    k0: np.uint64,
    k1: np.uint64,
) -> np.uint64:
    """Hash `count` bytes, length-prefixed and zero-padded to words, then an optional word.

    The hashed text is `uint64le(count) || bytes || zeros to a multiple of 8 [|| uint64le(suffix)]`.
    """
    v0 = k0 ^ _C0
    v1 = k1 ^ _C1
    v2 = k0 ^ _C2
    v3 = k1 ^ _C3
    word = U64(count)
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    full = count // 8
    at = start
    for _ in range(full):
        word = load_word(data, at)
        at += 8
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    words = full + 1
    rest = count - full * 8
    if rest > 0:
        word = U64(0)
        for i in range(rest):
            word |= U64(data[at + i]) << U64(8 * i)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
        words += 1
    if with_suffix:
        v3 ^= suffix
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= suffix
        words += 1
    last = U64((words * 8) & 0xFF) << U64(56)
    v3 ^= last
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= last
    v2 ^= _FF
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@part
def _absorb(
    v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64, word: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    return v0, v1, v2, v3


@part
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
    """Hash the six words that a duplicate or a removal must repeat bit for bit."""
    v0 = k0 ^ _C0
    v1 = k1 ^ _C1
    v2 = k0 ^ _C2
    v3 = k1 ^ _C3
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, token_hash)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, flags)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, lo)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, hi)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, usd)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, event_ms)
    v0, v1, v2, v3 = _absorb(v0, v1, v2, v3, U64(48) << U64(56))
    v2 ^= _FF
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3
