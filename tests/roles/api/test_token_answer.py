"""Found, or refused with what helps."""

import pytest

from swapstats.core.market import Market
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.token_answer import find_or_refuse
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, Literal, exactly


def full() -> tuple[Market, SyntheticUpdates]:
    market, source = Market(SPEC, 1), SyntheticUpdates(SPEC, tokens=60)
    market.apply(source.update(0, 60))
    return market, source


def test_found_by_key_and_symbol() -> None:
    market, source = full()
    assert find_or_refuse(market, source.key(7), {}, quoted=False) == 7
    assert find_or_refuse(market, "T7", {}, quoted=False) == 7
    assert find_or_refuse(market, "T7", {"T7": source.key(8)}, quoted=False) == 8


@pytest.mark.parametrize("quoted", [False, True])
def test_a_shared_symbol_is_refused_with_candidates(quoted: bool) -> None:
    market, source = full()
    with pytest.raises(Problem) as caught:
        find_or_refuse(market, "SAME", {}, quoted=quoted)
    body = exactly(caught.value.body().decode())
    assert (body["status"], body["candidates_total"]) == ("409", "3")
    assert {row["token"] for row in body["candidates"]} == {source.key(one) for one in (0, 25, 50)}
    assert isinstance(body["candidates"][0]["vol_usd"], Literal) != quoted


def test_what_was_never_seen_is_refused_by_the_key_looked_for() -> None:
    market, _ = full()
    for text, listed, named in (("x", {}, "'x'"), ("T7", {"T7": "1:0xgone"}, "'1:0xgone'")):
        with pytest.raises(Problem, match=named) as caught:
            find_or_refuse(market, text, listed, quoted=False)
        assert caught.value.status == 404
