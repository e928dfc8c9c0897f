"""Made answers: the same by seed, and what their names say."""

from collections import Counter

from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.registry import standard_registry
from swapstats.roles.bench.evm_answers import MANAGER, PROTOCOLS, make_answers


def test_answers_hold_what_they_say() -> None:
    answers = make_answers("mixed", PROTOCOLS, 3, 40)
    found = [decode_logs(body, standard_registry([MANAGER])) for body in answers.bodies]
    swaps = [swap for one in found for swap in one.swaps]
    venues = Counter(swap.venue for swap in swaps)
    assert len(answers.bodies) == 3
    assert (len(swaps), sum(one.logs for one in found)) == (answers.swaps, answers.logs)
    assert set(venues) == set(PROTOCOLS)
    assert sum(one.syncs for one in found) == venues["uniswap_v2"]
    assert not any(one.refused or one.foreign for one in found)
    assert all(swap.depth0 and swap.depth1 for swap in swaps)
    assert all((swap.amount0 > 0) != (swap.amount1 > 0) for swap in swaps)
    assert len({(swap.block_hash, swap.log_index) for swap in swaps}) == len(swaps)


def test_the_name_is_the_seed() -> None:
    one, same, other = (make_answers(name, PROTOCOLS, 1, 9) for name in ("a", "a", "b"))
    assert one == same
    assert one.bodies != other.bodies
