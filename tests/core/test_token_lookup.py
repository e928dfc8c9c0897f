"""Key, then configured symbol, then a symbol only one token has."""

from swapstats.core.market import Market
from swapstats.core.token_lookup import Found, Shared, Unknown, find_token
from swapstats.model.stats import from_row
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 86_400_000))


def full_market(tokens: int = 100, *, odd_keys: bool = False) -> tuple[Market, SyntheticUpdates]:
    market = Market(SPEC, 2)
    source = SyntheticUpdates(SPEC, tokens=tokens, partitions=2, odd_keys=odd_keys)
    for update in source.everything():
        market.apply(update)
    return market, source


def test_every_odd_key_is_found_exactly() -> None:
    market, source = full_market(3_000, odd_keys=True)
    for token in range(3_000):
        found = find_token(market, source.key(token), {})
        assert isinstance(found, Found)
        assert market.key(found.index) == source.key(token)


def test_a_key_wins_over_a_configured_symbol_and_that_over_any_symbol() -> None:
    market, source = full_market()
    listed = {"SAME": source.key(3), source.key(1): source.key(2), "T7": source.key(8)}
    for text, token in (("SAME", 3), (source.key(1), 1), ("T7", 8), ("T11", 11)):
        assert find_token(market, text, listed) == Found(market.by_key(source.key(token)) or 0)


def test_a_configured_symbol_never_seen_is_not_given_to_another_token() -> None:
    market, _ = full_market()
    assert find_token(market, "T7", {"T7": "1:0xnever"}) == Unknown("1:0xnever")


def test_a_shared_symbol_names_its_largest_tokens() -> None:
    market, _ = full_market()
    found = find_token(market, "SAME", {}, candidates_max=3)
    assert isinstance(found, Shared)
    volumes = [from_row(market.rows[index, 1]).vol_usd for index in market.by_symbol("SAME")]
    assert found.total == len(volumes) == 4
    shown = [from_row(market.rows[index, 1]).vol_usd for index in found.indexes]
    assert shown == sorted(volumes, reverse=True)[:3]


def test_what_was_never_seen_is_unknown_and_case_matters() -> None:
    market, _ = full_market()
    for text in ("", "nothing", "t11", " T11"):
        assert find_token(market, text, {}) == Unknown(text)
