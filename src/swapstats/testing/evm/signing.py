"""Signed transactions of test accounts, plainly: RLP, secp256k1 and the legacy form of EIP-155.

Any node takes them, so one test can speak to all. Keys are made of a name and are worth nothing;
nothing here is made for keys that are (the arithmetic takes longer for some keys than for others).
"""

import hmac
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Self

from swapstats.testing.evm.keccak import keccak256

Nested = bytes | int | list["Nested"]

_P: Final = 2**256 - 2**32 - 977
_N: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G: Final = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_DIGIT_BITS: Final = 4

_Point = tuple[int, int, int]
"""x, y, z of a point in Jacobian coordinates; z = 0 is the point at infinity."""


@dataclass(frozen=True)
class Account:
    """One test account.

    Attributes:
        key: its private key.
    """

    key: int

    @classmethod
    def named(cls, name: str) -> Self:
        """Make the account of a name: the same each time."""
        return cls(int.from_bytes(keccak256(b"swapstats test account " + name.encode())) % _N)

    @cached_property
    def address(self) -> str:
        """Its address, lower case."""
        x, y = _multiple(self.key)
        return "0x" + keccak256(x.to_bytes(32) + y.to_bytes(32))[12:].hex()

    def sign(
        self,
        *,
        chain_id: int,
        nonce: int,
        to: str | None,
        data: bytes,
        value: int = 0,
        gas: int = 1_000_000,
        gas_price: int,
    ) -> bytes:
        """Make a signed transaction.

        Args:
            chain_id: EIP-155 id.
            nonce: how many the account has sent before.
            to: address; None = it creates a contract.
            data: call data, or the code that creates.
            value: wei sent along.
            gas: limit.
            gas_price: wei for one gas.

        Returns:
            What `eth_sendRawTransaction` takes.
        """
        target = b"" if to is None else bytes.fromhex(to[2:])
        fields: list[Nested] = [nonce, gas_price, gas, target, value, data]
        digest = keccak256(rlp([*fields, chain_id, 0, 0]))
        r, s, parity = self._signature(digest)
        return rlp([*fields, 2 * chain_id + 35 + parity, r, s])

    def _signature(self, digest: bytes) -> tuple[int, int, int]:
        """Sign with a one-time secret made of key and digest, so the same is signed the same."""
        secret = int.from_bytes(hmac.digest(self.key.to_bytes(32), digest, "sha256")) % _N
        x, y = _multiple(secret)
        r = x % _N
        s = pow(secret, -1, _N) * (int.from_bytes(digest) + r * self.key) % _N
        parity = y & 1
        # Chains refuse the upper of the two valid values of s.
        return (r, _N - s, 1 - parity) if 2 * s > _N else (r, s, parity)


def rlp(item: Nested) -> bytes:
    """Encode nested lists of bytes and numbers.

    >>> rlp([b"cat", 1024]).hex()
    'c783636174820400'
    """
    if isinstance(item, list):
        return _headed(b"".join(rlp(inner) for inner in item), 0xC0)
    content = item.to_bytes((item.bit_length() + 7) // 8) if isinstance(item, int) else item
    if len(content) == 1 and content[0] < 0x80:
        return content
    return _headed(content, 0x80)


def transaction_hash(raw: bytes) -> str:
    """Hash under which a chain knows a signed transaction."""
    return "0x" + keccak256(raw).hex()


def created_address(sender: str, nonce: int) -> str:
    """Address of the contract that a transaction of `sender` with this nonce creates."""
    return "0x" + keccak256(rlp([bytes.fromhex(sender[2:]), nonce]))[12:].hex()


def _headed(content: bytes, begin: int) -> bytes:
    if len(content) < 56:
        return bytes([begin + len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([begin + 55 + len(size)]) + size + content


def _multiple(scalar: int) -> tuple[int, int]:
    """Multiply the generator."""
    total: _Point = (0, 1, 0)
    for digits in _generator_table():
        digit = scalar & 15
        if digit:
            total = _added(total, digits[digit])
        scalar >>= _DIGIT_BITS
    x, y, z = total
    inverse = pow(z, -1, _P)
    return x * inverse * inverse % _P, y * inverse * inverse * inverse % _P


@cache
def _generator_table() -> tuple[tuple[_Point, ...], ...]:
    """For each hexadecimal digit of a scalar, what each of its values contributes."""
    table = []
    step: _Point = (*_G, 1)
    for _ in range(256 // _DIGIT_BITS):
        row: list[_Point] = [(0, 1, 0)]
        for _ in range(15):
            row.append(_added(row[-1], step))
        table.append(tuple(row))
        step = _added(row[-1], step)
    return tuple(table)


def _added(first: _Point, second: _Point) -> _Point:
    """Add two points."""
    x1, y1, z1 = first
    x2, y2, z2 = second
    if z1 == 0:
        return second
    if z2 == 0:
        return first
    u1, u2 = x1 * z2 * z2 % _P, x2 * z1 * z1 % _P
    s1, s2 = y1 * z2 * z2 * z2 % _P, y2 * z1 * z1 * z1 % _P
    if u1 == u2:
        return _doubled(first) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % _P
    hhh, v = h * hh % _P, u1 * hh % _P
    x3 = (r * r - hhh - 2 * v) % _P
    return x3, (r * (v - x3) - s1 * hhh) % _P, h * z1 * z2 % _P


def _doubled(point: _Point) -> _Point:
    x, y, z = point
    s = 4 * x * y * y % _P
    m = 3 * x * x % _P
    x3 = (m * m - 2 * s) % _P
    return x3, (m * (s - x3) - 8 * pow(y, 4, _P)) % _P, 2 * y * z % _P
