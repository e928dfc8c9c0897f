"""Which pools count, and what nodes are asked for."""

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.pool_selection import PoolSelection, known_managers

POOL, OTHER, MANAGER = ("0x" + digit * 40 for digit in "123")
POOL_ID = "0x" + "4" * 64


def test_all_pools_count_unless_some_are_named() -> None:
    everything, one = PoolSelection((), (), ()), PoolSelection((POOL,), (), ())
    assert everything.holds(POOL)
    assert everything.addresses == []
    assert one.holds(POOL)
    assert not one.holds(OTHER)
    assert one.addresses == [POOL]


def test_ids_are_asked_for_at_the_manager() -> None:
    selection = PoolSelection((POOL, POOL_ID), (), (MANAGER,))
    assert selection.addresses == [POOL, MANAGER]
    assert PoolSelection((POOL,), (), (MANAGER,)).addresses == [POOL]


def test_v4_is_asked_for_only_where_a_manager_is_known() -> None:
    plain = PoolSelection((), (), ()).registry().topics()
    assert {uniswap_v2.SWAP.topic0, uniswap_v2.SWAP.sync_topic0, uniswap_v3.SWAP.topic0} == set(
        plain
    )
    with_manager = PoolSelection((), (), (MANAGER,)).registry()
    assert uniswap_v4.pool_event((MANAGER,)).topic0 in with_manager.topics()


def test_a_known_manager_counts_where_pools_of_it_are_wanted() -> None:
    known = (uniswap_v4.POOL_MANAGERS[8453],)
    assert known_managers(8453, (), ()) == known
    assert known_managers(8453, (POOL, POOL_ID), ()) == known
    assert known_managers(8453, (POOL_ID,), (OTHER,)) == known
    assert known_managers(8453, (POOL,), ()) == ()
    assert known_managers(8453, (), (OTHER,)) == ()
    assert known_managers(1337, (), ()) == ()
