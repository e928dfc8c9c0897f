"""Which factories have to know a pool, where nobody says."""

import re

import pytest

from swapstats.core.evm.known_factories import ANY, KNOWN_FACTORIES, chosen_factories
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS
from swapstats.errors import Rejected

POOL, FACTORY = "0x" + "1" * 40, "0x" + "2" * 40
LOCAL = 31337


def test_every_chain_with_token_lists_has_factories() -> None:
    assert set(KNOWN_FACTORIES) == set(DEFAULT_CHAINS)
    for factories in KNOWN_FACTORIES.values():
        assert len(set(factories)) == len(factories)
        for factory in factories:
            assert re.fullmatch("0x[0-9a-f]{40}", factory)


@pytest.mark.parametrize(
    ("chain_id", "pools", "given", "chosen"),
    [
        (1, (), (), KNOWN_FACTORIES[1]),
        (1, (POOL,), (), ()),
        (1, (), (FACTORY,), (FACTORY,)),
        (1, (POOL,), (FACTORY,), (FACTORY,)),
        (1, (), (ANY,), ()),
        (LOCAL, (), (ANY,), ()),
        (LOCAL, (POOL,), (), ()),
    ],
)
def test_a_pool_is_believed_if_it_was_named_or_a_factory_knows_it(
    chain_id: int, pools: tuple[str, ...], given: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    assert chosen_factories(chain_id, pools, given) == chosen


def test_an_unknown_chain_has_to_say_whom_to_believe() -> None:
    with pytest.raises(Rejected, match=f"chain {LOCAL}.*`{ANY}`"):
        chosen_factories(LOCAL, (), ())
    with pytest.raises(Rejected, match="alone"):
        chosen_factories(1, (), (ANY, FACTORY))
