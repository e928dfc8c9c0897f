"""Values of a chain."""

from tests.core.evm.blocks import header

from swapstats.core.evm.chain import BlockRef


def test_a_header_is_known_by_number_and_hash() -> None:
    assert header(7, "b").ref == BlockRef(7, "0xb7")
