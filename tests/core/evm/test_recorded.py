"""Recorded logs decode to what their publishers, the token transfers and the contracts say."""

from collections import Counter
from collections.abc import Callable

import pytest
from tests.core.evm.made_logs import V2_SWAP, V3_SWAP, Log
from tests.core.evm.recorded import (
    ETHEREUM,
    POLYGON,
    body,
    ethereum_day,
    local_node,
    polygon_day,
    position_manager_day,
    rows,
    transfers,
    two_blocks,
)

from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.logs import DecodedLogs, DecodedSwap
from swapstats.core.evm.registry import standard_registry

LOCAL_MANAGER = "0x4a679253410272dd5232b3ff7cf5dbb88f295319"


def decoded(logs: list[Log], *managers: str) -> DecodedLogs:
    found = decode_logs(body(logs), standard_registry(managers))
    parts = len(found.swaps) + len(found.created) + len(found.refused) + found.syncs + found.foreign
    assert (len(logs), len(logs)) == (found.logs, parts)
    return found


@pytest.mark.parametrize(
    ("day", "publisher", "pool", "log_index", "swaps"),
    [
        (ethereum_day, f"{ETHEREUM}.pool.tick.csv.gz", ETHEREUM, "log_index", 6_046),
        (polygon_day, f"{POLYGON}.tick.csv.gz", POLYGON, "pool_log_index", 3_098),
    ],
)
def test_a_day_of_a_pool_is_what_its_publisher_says(
    day: Callable[[], list[Log]], publisher: str, pool: str, log_index: str, swaps: int
) -> None:
    """Every column that a swap carries; depth from the publisher's price and liquidity."""
    logs = day()
    found = decoded(logs)
    expected = []
    for row in rows(publisher):
        if row["tx_type"] == "SWAP":
            sqrt_price, liquidity = int(row["sqrtPriceX96"]), int(row["total_liquidity"])
            expected.append(
                (
                    int(row["block_number"]),
                    row["transaction_hash"],
                    int(row[log_index]),
                    row["sender"],
                    int(row["amount0"]),
                    int(row["amount1"]),
                    liquidity * 2**96 // sqrt_price,
                    liquidity * sqrt_price // 2**96,
                )
            )
    assert swaps == len(expected)
    assert expected == [
        (
            *(swap.block_number, swap.tx_hash, swap.log_index, swap.trader),
            *(swap.amount0, swap.amount1, swap.depth0, swap.depth1),
        )
        for swap in found.swaps
    ]
    assert {("uniswap_v3", pool.split("-")[1])} == {(swap.venue, swap.pool) for swap in found.swaps}
    assert ([], [], 0, len(logs) - swaps) == (
        *(found.created, found.refused),
        *(found.syncs, found.foreign),
    )


def test_a_contract_that_never_swaps_has_no_swaps() -> None:
    logs = position_manager_day()
    found = decoded(logs)
    assert (len(logs), found.foreign) == (3_853, 3_853)
    assert found.swaps == []


def test_two_blocks_hold_the_swaps_their_topics_name() -> None:
    logs = two_blocks()
    found = decoded(logs)
    topics = Counter(log["topics"][0] for log in logs if log["topics"])
    assert (topics[V2_SWAP], topics[V3_SWAP]) == (69, 10)
    assert Counter(swap.venue for swap in found.swaps) == {"uniswap_v2": 69, "uniswap_v3": 10}
    assert (found.syncs, found.refused, found.created) == (69, [], [])


def test_every_v2_swap_of_two_blocks_knows_its_reserves() -> None:
    """All 69 Syncs stand right before their Swap."""
    syncs = {
        (log["blockHash"], int(log["logIndex"], 16)): (
            log["address"],
            int(log["data"][2:66], 16),
            int(log["data"][66:], 16),
        )
        for log in two_blocks()
        if log["topics"] and log["topics"][0].startswith("0x1c411e9a")
    }
    swaps = [swap for swap in decoded(two_blocks()).swaps if swap.venue == "uniswap_v2"]
    assert 69 == len(syncs) == len(swaps)
    for swap in swaps:
        before = syncs[swap.block_hash, swap.log_index - 1]
        assert before == (swap.pool, swap.depth0, swap.depth1)


def flows(swaps: list[DecodedSwap]) -> dict[tuple[str, str], dict[str, int]]:
    """What each pool took in (+) and gave away (-) in each transaction, by token."""
    places = {(swap.tx_hash, swap.pool) for swap in swaps}
    found: dict[tuple[str, str], dict[str, int]] = {place: {} for place in places}
    for one in transfers():
        for pool, sign in ((one["to_address"], 1), (one["from_address"], -1)):
            place = (one["transaction_hash"], pool)
            if place in found and one["to_address"] != one["from_address"]:
                token = one["token_address"]
                found[place][token] = found[place].get(token, 0) + sign * one["value"]
    return found


TAXED = {
    "0xcd34b7adca16edd98f5db135bfd45c86026d89c6": 5,
    "0x5dff3fb682e0c4064c4ac3890a64c6c14a473d0d": 2,
}
"""Pools whose token 0 keeps so many percent of what is sent, and writes transfers of the rest."""


def test_amounts_of_two_blocks_are_what_moved_into_and_out_of_the_pools() -> None:
    """Token 0 of a pool is the one with the lower address."""
    swaps = decoded(two_blocks()).swaps
    moved = flows(swaps)
    told: dict[tuple[str, str], list[int]] = {}
    for swap in swaps:
        sums = told.setdefault((swap.tx_hash, swap.pool), [0, 0])
        sums[0] += swap.amount0
        sums[1] += swap.amount1
    taxed = 0
    for place, (amount0, amount1) in told.items():
        kept = max(0, -amount0) * TAXED.get(place[1], 0) // 100
        taxed += kept > 0
        amounts = [amount for _, amount in sorted(moved[place].items())]
        assert [amount0 + kept, amount1] == amounts, place
    assert (len(told), taxed) == (74, 5)


def test_logs_of_the_real_contracts_on_a_local_node() -> None:
    """Which way each swap went and for how much, as the trades were ordered there."""
    assert [
        (swap.venue, swap.amount0, swap.amount1)
        for swap in decoded(local_node(), LOCAL_MANAGER).swaps
    ] == [
        ("uniswap_v2", 10**18, -2_985_047_814),
        ("uniswap_v2", -998_990_035_883_662_849, 3_000_000_000),
        ("uniswap_v3", 10**18, -2_995_554_111),
        ("uniswap_v3", -1_000_481_962_023_021_674, 3_000_000_000),
        ("uniswap_v4", 1_000_000_000, -2),
        ("uniswap_v4", -331_729_497_864_348_793, 1_000_000_000),
        ("uniswap_v2", -166_110_142_567_529_283, 500_000_000),
        ("uniswap_v2", 166_110_142_567_529_283, -827_373_946_206_390_876_337),
        ("uniswap_v2", -99_600_698_103_990_321, 99 * 10**18),
    ]


def test_v4_logs_of_an_unknown_manager_are_refused() -> None:
    found = decoded(local_node())
    assert [(one.index, one.reason) for one in found.refused] == [
        (4, "unknown_emitter"),
        (5, "unknown_emitter"),
    ]
    assert len(found.swaps) == 7
