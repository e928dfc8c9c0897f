from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS, ZERO_ADDRESS


def test_default_lists_keep_the_rules() -> None:
    assert PriceRules().chains is DEFAULT_CHAINS
    assert sorted(DEFAULT_CHAINS) == [1, 10, 56, 137, 8453, 42161]


def test_every_default_token_has_an_exchange_asset_and_every_chain_a_stable_and_a_coin() -> None:
    rules = PriceRules()
    known = {*rules.dollars, *rules.rate_assets}
    for tokens in DEFAULT_CHAINS.values():
        assert tokens.stables
        assert tokens.natives[1] == ZERO_ADDRESS
        listed = {*tokens.stables, *tokens.natives, *tokens.others}
        assert tokens.exchange_assets.keys() == listed
        assert set(tokens.exchange_assets.values()) <= known
