from swapstats.roles.bench.pairs import Leg, Pair, alternate, timed


def test_ratios_are_of_rates() -> None:
    pair = Pair(Leg(1_000, 1.0, 0.5), Leg(500, 1.0, 1.0))
    assert pair.ratio == 0.5
    assert pair.cpu_ratio == 0.25


def test_the_two_ways_take_turns() -> None:
    order: list[str] = []

    def work(name: str, messages: int) -> int:
        order.append(name)
        return messages + sum(range(1_000))  # takes some time, so that no rate is infinite

    told: list[Pair] = []
    pairs = alternate([(lambda: work("a", 1), lambda: work("b", 2))] * 3, told.append)
    assert order == ["a", "b"] * 3
    assert told == pairs
    assert [pair.full.messages - pair.floor.messages for pair in pairs] == [1, 1, 1]


def test_a_leg_has_elapsed_and_processor_time() -> None:
    leg = timed(lambda: sum(range(200_000)))
    assert leg.wall_s > 0
    assert leg.cpu_s > 0
    assert leg.messages == sum(range(200_000))
