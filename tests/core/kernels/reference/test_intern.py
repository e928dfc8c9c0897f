"""murmur2 against Kafka's own vectors, and interning by hand."""

import numpy as np
import pytest

from swapstats.core.kernels import intern as compiled
from swapstats.core.kernels.reference import intern as plain

# org.apache.kafka.common.utils.UtilsTest#testMurmur2: keys and signed 32-bit codes.
KAFKA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "code"), KAFKA.items())
def test_murmur2_is_kafkas(key: bytes, code: int) -> None:
    assert plain.murmur2(key) == code % (1 << 32)


@pytest.mark.parametrize("twin", [compiled.partition_of, plain.partition_of])
@pytest.mark.parametrize("count", [1, 12, 48, 1 << 30])
def test_partitions_are_kafkas(twin: object, count: int) -> None:
    assert callable(twin)
    keys = np.frombuffer(b"".join(KAFKA), dtype=np.uint8)
    sizes = np.array([len(key) for key in KAFKA], dtype=np.int32)
    starts = (np.cumsum(sizes) - sizes).astype(np.int64)
    partitions = np.empty(len(KAFKA), dtype=np.int32)
    twin(keys, starts, sizes, count, partitions)
    assert partitions.tolist() == [(code & 0x7FFFFFFF) % count for code in KAFKA.values()]


@pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
def test_numbers_and_names_by_hand(twin: object) -> None:
    """Keys a, bb, a; the first `a` has no symbol, the second has; `bb` shares its slot."""
    keys = np.frombuffer(b"abba", dtype=np.uint8)
    table = np.zeros(8, dtype=np.int32)
    hashes, bounds = np.zeros(4, dtype=np.uint64), np.zeros(5, dtype=np.int64)
    arena, has_symbol = np.zeros(8, dtype=np.uint8), np.zeros(4, dtype=np.uint8)
    tokens, named = np.full(4, -1, dtype=np.int32), np.zeros(3, dtype=np.int32)
    count = twin.intern(  # type: ignore[attr-defined] # both modules have it
        np.array([0, 1, 3], dtype=np.int32),
        keys,
        np.array([0, 1, 0, 3], dtype=np.int64),
        np.array([1, 2, 0, 1], dtype=np.int32),
        np.array([7, 15, 0, 7], dtype=np.uint64),
        np.array([0, 0, 0, 4], dtype=np.int32),
        table,
        hashes,
        arena,
        bounds,
        has_symbol,
        0,
        tokens,
        named,
    )
    assert count == (2, 3)
    assert tokens.tolist() == [0, 1, -1, 0]
    assert named.tolist() == [0, 1, 3]
    assert table.tolist() == [2, 0, 0, 0, 0, 0, 0, 1]
    assert hashes.tolist()[:2] == [7, 15]
    assert arena.tobytes()[:3] == b"abb"
    assert bounds.tolist()[:3] == [0, 1, 3]
    assert has_symbol.tolist()[:2] == [1, 0]
    again = np.zeros(8, dtype=np.int32)
    twin.fill_table(hashes, 2, again)  # type: ignore[attr-defined] # both modules have it
    assert again.tolist() == table.tolist()
