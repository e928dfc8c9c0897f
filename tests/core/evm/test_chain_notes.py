"""Positions and notes: written, read, and refused where they are none."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.evm.blocks import CHAIN_ID, block, start

from swapstats.core.evm.chain import Block
from swapstats.core.evm.chain_notes import (
    block_key,
    read_block,
    read_position,
    write_block,
    write_position,
)
from swapstats.errors import Rejected

POSITION = write_position(CHAIN_ID, start(100), 103, 101)


def test_a_position_is_small_and_read_as_it_was_written() -> None:
    position = read_position(POSITION, CHAIN_ID)
    assert (position.final, position.final_hash) == (100, "0xa100")
    assert (position.head, position.goal) == (103, 101)
    assert len(POSITION) < 200


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expected a position"),
        ("17", "Expected a position"),
        ('{"v":1}', "Expected a position"),
        (POSITION.replace('"v":1', '"v":2'), "run the version"),
        (POSITION.replace('"head":103', '"head":99'), "above the final block"),
        (POSITION.replace('"goal":101', '"goal":99'), "above the final block"),
        (POSITION.replace('"v":1', '"v":1,"x":1'), "Expected a position"),
    ],
)
def test_what_is_no_position_is_refused_with_what_to_do(text: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        read_position(text, CHAIN_ID)


def test_a_position_of_another_chain_is_refused() -> None:
    with pytest.raises(Rejected, match="chain 1, was one of chain 1337"):
        read_position(POSITION, 1)


@given(
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.text(max_size=40), st.integers(0, 9)))
)
def test_a_block_is_read_as_it_was_written(values: list[tuple[str, str | None, int]]) -> None:
    plain = block(7, *(str(index) for index in range(len(values))))
    swaps = tuple(
        msgspec.structs.replace(swap, tx_hash=tx, symbol0=symbol, inclusion=inclusion)
        for swap, (tx, symbol, inclusion) in zip(plain.swaps, values, strict=True)
    )
    given_block = Block(plain.header, swaps)
    assert read_block(7, write_block(given_block)) == given_block


def test_a_note_is_much_smaller_than_the_messages() -> None:
    full = block(7, *(f"0x{number:064x}" for number in range(200)))
    assert len(write_block(full)) * 5 < len(msgspec.json.encode(full.swaps))
    assert block_key(7) == "block/7"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text.replace('"v":1', '"v":2'),
        lambda text: text.replace('"swaps":"', '"swaps":"00000'),
        lambda text: text.replace('"swaps":"', '"swaps":" '),
        lambda text: text[: text.index('"swaps":"') + 30] + '"}',
        lambda _text: "{}",
    ],
)
def test_what_is_no_note_of_a_block_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(Rejected):
        read_block(7, change(write_block(block(7, "0x1", "0x2"))))
