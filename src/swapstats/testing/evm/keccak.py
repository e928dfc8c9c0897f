"""Keccak-256, plainly: for selectors, topics, addresses and signatures of test transactions.

It is Keccak as chains use it, not the later SHA-3 of hashlib, which pads differently. Slow (about a
thousand short texts a second): never for production.
"""

from functools import cache
from typing import Final

_RATE_BYTES: Final = 136
_PADDING: Final = 0x01
_LANES: Final = 25
_ROUNDS: Final = 24
_MASK: Final = (1 << 64) - 1


def keccak256(content: bytes) -> bytes:
    """Hash `content`.

    >>> keccak256(b"").hex()[:16]
    'c5d2460186f7233c'
    """
    return _sponge(content, _PADDING)


def _sponge(content: bytes, padding: int) -> bytes:
    padded = bytearray(content) + bytes([padding])
    padded += bytes(-len(padded) % _RATE_BYTES)
    padded[-1] |= 0x80
    state = [0] * _LANES
    for begin in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            at = begin + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


@cache
def selector(signature: str) -> bytes:
    """First four bytes of the hash of a function's signature.

    >>> selector("transfer(address,uint256)").hex()
    'a9059cbb'
    """
    return keccak256(signature.encode())[:4]


@cache
def topic(signature: str) -> str:
    """Hash of an event's signature, as logs show it.

    >>> topic("Sync(uint112,uint112)")[:10]
    '0x1c411e9a'
    """
    return "0x" + keccak256(signature.encode()).hex()


def _permute(state: list[int]) -> None:
    """Keccak-f[1600] in place; lane (x, y) is at x + 5 * y."""
    mask, moves = _MASK, _moves()
    moved = [0] * _LANES
    for constant in _round_constants():
        a, b, c, d, e = (
            state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
            for x in range(5)
        )
        mixed = (
            e ^ (b << 1 | b >> 63) & mask,
            a ^ (c << 1 | c >> 63) & mask,
            b ^ (d << 1 | d >> 63) & mask,
            c ^ (e << 1 | e >> 63) & mask,
            d ^ (a << 1 | a >> 63) & mask,
        )
        for source, column, target, left, right in moves:
            lane = state[source] ^ mixed[column]
            moved[target] = (lane << left | lane >> right) & mask
        for row in range(0, _LANES, 5):
            a, b, c, d, e = moved[row : row + 5]
            # ~x & y for lanes is y & (x ^ all ones).
            state[row : row + 5] = (
                a ^ c & (b ^ mask),
                b ^ d & (c ^ mask),
                c ^ e & (d ^ mask),
                d ^ a & (e ^ mask),
                e ^ b & (a ^ mask),
            )
        state[0] ^= constant


@cache
def _moves() -> tuple[tuple[int, int, int, int, int], ...]:
    """For each lane: itself, its column, where it goes, and how far it is rotated both ways."""
    moves = [(0, 0, 0, 0, 64)]
    x, y = 1, 0
    for step in range(_ROUNDS):
        target = y + 5 * ((2 * x + 3 * y) % 5)
        left = (step + 1) * (step + 2) // 2 % 64
        moves.append((x + 5 * y, x, target, left, 64 - left))
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(moves)


@cache
def _round_constants() -> tuple[int, ...]:
    """Round constants, from their shift register."""
    constants = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)
