from collections import Counter

from swapstats.testing.evm.rpc_faults import Fault, FaultPlan, Provider

WILD = Provider(shares=(("limit", 0.2), ("drop", 0.1), ("orphan", 0.1), ("hang", 0.05)))


def test_an_honest_provider_has_no_faults() -> None:
    plan = FaultPlan(1)
    assert all(plan.of_request(["eth_getLogs"]) is None for _ in range(100))
    assert all(plan.of_call("eth_getLogs") is None for _ in range(100))


def test_shares_are_kept_and_the_same_seed_decides_the_same() -> None:
    def decided(seed: int) -> list[Fault | None]:
        plan = FaultPlan(seed)
        plan.provider = WILD
        return [
            fault for _ in range(2_000) for fault in (plan.of_request(["a"]), plan.of_call("a"))
        ]

    assert decided(1) == decided(1) != decided(2)
    counts = Counter(decided(1))
    for fault, share in WILD.shares:
        assert 0.7 * share < counts[fault] / 2_000 < 1.3 * share


def test_what_is_scripted_comes_first_and_for_its_method_only() -> None:
    plan = FaultPlan(1)
    plan.script("eth_getLogs", "limit", times=2)
    plan.script("eth_call", "drop")
    assert plan.of_call("eth_call") is None
    assert plan.of_request(["eth_getLogs"]) is None
    assert [plan.of_call("eth_getLogs") for _ in range(3)] == ["limit", "limit", None]
    assert plan.of_request(["eth_chainId", "eth_call"]) == "drop"
    assert plan.of_request(["eth_call"]) is None
