"""The numbers of single logs against the readers of `core.evm`, at the edges of their types."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import log_swaps as compiled
from swapstats.core.kernels.log_swaps import (
    CONCENTRATED,
    LIMBS,
    SWAP_BYTES_MAX,
    TURNED,
    V2,
    VENUE_BYTES_MAX,
)
from swapstats.core.kernels.log_texts import (
    ADDRESS,
    BLOCK_HASH,
    BLOCK_NUMBER,
    DATA,
    DATA_DIGITS,
    LOG_INDEX,
    PLACES,
    TOPIC0,
    TOPIC1,
    TOPIC2,
    TOPICS,
    TX_HASH,
)
from swapstats.core.kernels.reference import log_swaps as plain

EDGES = [0, 1, *(2**bits + less for bits in (23, 24, 96, 127, 128, 160, 255) for less in (-1, 0))]
words = st.sampled_from([*EDGES, *(2**256 - 1 - edge for edge in EDGES)]) | st.integers(
    0, 2**256 - 1
)
addresses = st.integers(0, 2**160 - 1) | st.sampled_from([2**160, 2**256 - 1])


def written(
    form: Any, layout: int, topics: list[int], data: list[int], told: list[int] | None
) -> bytes | None:
    """The JSON of a swap, which begins anywhere in the room there is."""
    texts = [f"{7:040x}", *(f"{word:064x}" for word in (9, *topics, 5, 6))]
    texts += ["".join(f"{word:064x}" for word in (told or []))]
    texts += ["".join(f"{word:064x}" for word in data)]
    ends = np.cumsum([len(text) for text in texts])
    begins = [int(end) - len(text) for end, text in zip(ends, texts, strict=True)]
    places = np.zeros(PLACES, dtype=np.int64)
    columns = [ADDRESS, TOPIC0, TOPIC1, TOPIC2, BLOCK_HASH, TX_HASH]
    places[columns] = begins[: len(columns)]
    places[[TOPICS, DATA, DATA_DIGITS]] = 3, begins[-1], len(texts[-1])
    places[[BLOCK_NUMBER, LOG_INDEX]] = 2**60 - 1, 10**8
    venue = np.zeros(VENUE_BYTES_MAX, dtype=np.uint8)
    name = b'"v\\u00e9"'
    venue[: len(name)] = np.frombuffer(name, dtype=np.uint8)
    n = np.full(LIMBS, 0xDEADBEEF, dtype=np.uint64)
    out = np.zeros(5 + SWAP_BYTES_MAX, dtype=np.uint8)
    end = form.write_swap(
        readonly("".join(texts).encode()),
        places,
        layout,
        begins[-2] if told else -1,
        venue,
        len(name),
        n,
        out,
        5,
    )
    assert not out[:5].any()
    return None if end < 0 else out[5:end].tobytes()


def agree(layout: int, topics: list[int], data: list[int], told: list[int] | None = None) -> Any:
    found = written(compiled, layout, topics, data, told)
    assert found == written(plain, layout, topics, data, told)
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(addresses, min_size=2, max_size=2),
    st.lists(words, min_size=4, max_size=4),
    st.none() | st.lists(words, min_size=2, max_size=2),
)
def test_v2(topics: list[int], data: list[int], told: list[int] | None) -> None:
    agree(V2, topics, data, told)


prices = st.integers(0, 2**160 - 1) | words
liquidities = st.integers(0, 2**128 - 1) | words
ticks = st.integers(0, 2**23 - 1) | st.integers(2**256 - 2**23, 2**256 - 1) | words


@settings(max_examples=300, deadline=None)
@given(st.lists(addresses, min_size=2, max_size=2), words, words, prices, liquidities, ticks)
def test_concentrated(
    topics: list[int], amount0: int, amount1: int, price: int, liquidity: int, tick: int
) -> None:
    for layout, more in ((CONCENTRATED, []), (TURNED, [3_000]), (TURNED, [price])):
        agree(layout, topics, [amount0, amount1, price, liquidity, tick, *more])


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("layout", [V2, CONCENTRATED, TURNED])
def test_every_edge_of_every_word(layout: int, position: int) -> None:
    count = {V2: 4, CONCENTRATED: 5, TURNED: 6}[layout]
    outcomes = set()
    for edge in EDGES:
        for word in (edge, 2**256 - 1 - edge, (2**256 - edge) % 2**256):
            data = [5] * count
            if position < count:
                data[position] = word
            outcomes.add(agree(layout, [1, 2], data) is None)
    assert False in outcomes


@pytest.mark.parametrize("bit", [0, 159, 160, 191, 192, 255])
def test_addresses_have_160_bits(bit: int) -> None:
    for layout, data in ((V2, [5] * 4), (CONCENTRATED, [5] * 5), (TURNED, [5] * 6)):
        for topics in ([1 << bit, 1], [1, 1 << bit]):
            is_id = layout == TURNED and topics[1] == 1
            assert (agree(layout, topics, data) is None) == (bit >= 160 and not is_id)
