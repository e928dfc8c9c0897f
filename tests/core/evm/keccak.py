"""Keccak-256 as its definition reads, so that topics and selectors need not be believed."""

_MASK = (1 << 64) - 1


def keccak256(message: bytes) -> bytes:
    """Hash a message; rate 1088 bits, padding of the original Keccak (0x01), as Ethereum does."""
    rate = 136
    padded = bytearray(message + b"\x01" + bytes(-(len(message) + 1) % rate))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for begin in range(0, len(padded), rate):
        for place in range(rate // 8):
            lane = padded[begin + 8 * place : begin + 8 * place + 8]
            lanes[place % 5][place // 5] ^= int.from_bytes(lane, "little")
        lanes = _permuted(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(4))


def topic0(signature: str) -> str:
    return "0x" + keccak256(signature.encode()).hex()


def selector(signature: str) -> str:
    return topic0(signature)[:10]


def _permuted(a: list[list[int]]) -> list[list[int]]:
    register = 1
    for _ in range(24):
        parity = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        spread = [parity[(x - 1) % 5] ^ _turned(parity[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ spread[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _turned(current, (step + 1) * (step + 2) // 2)
        a = [
            [a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)
        ]
        for bit in range(7):
            register = (register << 1) ^ ((register >> 7) * 0x171)
            if register & 2:
                a[0][0] ^= 1 << ((1 << bit) - 1)
    return a


def _turned(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _MASK
