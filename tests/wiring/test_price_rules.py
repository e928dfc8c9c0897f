"""The preprocessor's rules as the settings want them."""

from typing import Any

import pytest

from swapstats.adapters.system_clock import SystemClock
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS
from swapstats.errors import SettingsError
from swapstats.settings import Settings, load
from swapstats.wiring.evm_sources import evm_sources
from swapstats.wiring.price_rules import expect_tokens, price_rules

TOKEN = "0x" + "ab" * 20
COIN = "0x" + "cd" * 20


def settings_of(**given: Any) -> Settings:
    flags = {f"preprocess.{name}": value for name, value in given.items()}
    return load(environ={}, flags=flags)


def test_nothing_given_means_the_rules_of_the_core() -> None:
    assert price_rules(settings_of()).digest() == PriceRules().digest()


def test_what_is_given_is_what_the_rules_say() -> None:
    rules = price_rules(
        settings_of(
            liquidity_floor=5, dust="0.25", depeg=7, deny=["1:0xa"], rate="1m", wash_window="0s"
        )
    )
    assert (rules.liquidity_floor_micros, rules.dust_micros, rules.depeg_bps) == (
        5_000_000,
        250_000,
        7,
    )
    assert (rules.deny, rules.rate_ms, rules.wash_window_ms) == (frozenset({"1:0xa"}), 60_000, 0)


def test_tokens_are_added_to_a_known_chain_and_to_one_that_is_not() -> None:
    rules = price_rules(
        settings_of(
            stables={"1": TOKEN.upper().replace("0X", "0x"), "31337": TOKEN},
            natives={"31337": COIN},
            exchange_assets={"31337": f"{COIN}:ETH {TOKEN}:USDC"},
        )
    )
    assert rules.chains[1].stables == (*DEFAULT_CHAINS[1].stables, TOKEN)
    local = rules.chains[31337]
    assert (local.stables, local.natives) == ((TOKEN,), (COIN,))
    assert dict(local.exchange_assets) == {COIN: "ETH", TOKEN: "USDC"}


def test_addresses_are_denied_however_they_are_written() -> None:
    rules = price_rules(settings_of(deny=["1:0xAB" + TOKEN[4:], "binance:BTCUSDT", "PEPE"]))
    assert rules.deny == {f"1:{TOKEN}", "binance:BTCUSDT", "PEPE"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"stables": {"ethereum": TOKEN}}, "Expected chain ids"),
        ({"stables": {"1": "0x12"}}, "Expected addresses of chain 1"),
        ({"exchange_assets": {"1": TOKEN}}, "Expected TOKEN:ASSET"),
        ({"exchange_assets": {"1": f"{TOKEN}:ETH"}}, "for listed tokens only"),
    ],
)
def test_what_cannot_be_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        price_rules(settings_of(**given))


def test_a_chain_without_tokens_is_told_before_its_swaps_become_letters() -> None:
    chain: dict[str, Any] = {
        "source.evm.chains": {"local": "31337", "ethereum": "1"},
        "source.evm.factories": {"local": "any"},
        "source.evm.rpc": "local=http://127.0.0.1:1\nethereum=http://127.0.0.1:1",
    }
    settings = load(environ={}, flags=chain)
    sources = evm_sources("", settings.source, SystemClock())
    with pytest.raises(
        SettingsError, match=r"tokens of chain 31337 \(local\).*preprocess\.stables"
    ):
        expect_tokens(settings, sources)
    expect_tokens(settings, evm_sources("ethereum", settings.source, SystemClock()))
    expect_tokens(load(environ={}, flags=chain | {"preprocess.natives": {"31337": COIN}}), sources)
