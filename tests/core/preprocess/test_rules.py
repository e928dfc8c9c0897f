from dataclasses import fields, replace
from typing import Any

import pytest

from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import ChainTokens
from swapstats.errors import Rejected
from swapstats.testing.raw_events import DAI, USDC, address

OTHERS: dict[str, Any] = {
    "chains": {1: ChainTokens(stables=(USDC,))},
    "fiat": "EUR",
    "dollars": ("USDT",),
    "rate_assets": ("BTC",),
    "deny": frozenset({"BTC"}),
    "routers": frozenset({"0x00"}),
    "unbacked_venues": frozenset(),
}


def test_every_rule_shapes_the_state() -> None:
    rules = PriceRules()
    assert rules.digest() == PriceRules().digest()
    for each in fields(rules):
        other = OTHERS.get(each.name, getattr(rules, each.name))
        changes: dict[str, Any] = {each.name: other + 1 if isinstance(other, int) else other}
        changed = replace(rules, **changes)
        assert changed.digest() != rules.digest(), each.name


def test_the_order_of_sets_and_chains_shapes_nothing() -> None:
    one, two = ChainTokens(stables=(USDC,)), ChainTokens(stables=(DAI,))
    there = PriceRules(chains={1: one, 2: two}, deny=frozenset({"A", "B"}))
    back = PriceRules(chains={2: two, 1: one}, deny=frozenset({"B", "A"}))
    assert there.digest() == back.digest()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"horizon_blocks": 1}, "horizon_blocks of at least 2, was 1"),
        ({"depeg_bps": 10_000}, "depeg_bps below 10000"),
        ({"chains": {1: ChainTokens(stables=("0xAB",))}}, "40 lower-case hex digits, was '0xAB'"),
        ({"chains": {1: ChainTokens(stables=(USDC,), others=(USDC,))}}, "in one list"),
        (
            {"chains": {1: ChainTokens(exchange_assets={address(1): "BTC"})}},
            "for listed tokens only",
        ),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Rejected, match=said):
        PriceRules(**changes)
