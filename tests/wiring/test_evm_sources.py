"""Chains as sources: nodes by name, values by chain, and secrets that stay secret."""

from typing import Any

import pytest

from swapstats.adapters.system_clock import SystemClock
from swapstats.cli.config import config_show
from swapstats.core.evm.known_factories import KNOWN_FACTORIES
from swapstats.core.evm.uniswap_v4 import POOL_MANAGERS
from swapstats.errors import Rejected, SettingsError
from swapstats.settings import Settings, load
from swapstats.wiring.evm_sources import chain_options, evm_sources, providers

SECRET = "https://node.example/v3/0123456789abcdef"
POOL = "0x" + "ab" * 20
POOL_ID = "0x" + "cd" * 32


def settings_of(rpc: str, **evm: Any) -> Settings:
    given = {f"source.evm.{name}": value for name, value in evm.items()}
    return load(environ={}, flags={"source.evm.rpc": rpc, **given})


def test_nodes_are_found_by_the_name_of_their_chain_in_their_order() -> None:
    lines = f"{SECRET}\n# a comment\n\nbase=http://a:1 3\nethereum = https://b/?key=x=y\n"
    found = providers(settings_of(lines).source)
    assert [
        (name, [(node.url, node.weight) for node in nodes]) for name, nodes in found.items()
    ] == [
        ("ethereum", [(SECRET, 1), ("https://b/?key=x=y", 1)]),
        ("base", [("http://a:1", 3)]),
    ]


def test_a_url_alone_is_of_the_only_chain() -> None:
    found = providers(settings_of("http://a:1", chains={"local": "31337"}).source)
    assert list(found) == ["local"]


@pytest.mark.parametrize(
    "line",
    [
        f"nowhere={SECRET}",
        f"{SECRET} 1 2",
        f"http://b:1 {SECRET}",
        "ftp://secret",
        "ethereum=secret",
        f"x {SECRET}",
    ],
)
def test_a_line_that_is_none_is_refused_and_not_quoted(line: str) -> None:
    with pytest.raises(SettingsError, match=r"another line 2 \(not shown\)") as caught:
        providers(settings_of(f"http://a:1\n{line}").source)
    assert "secret" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_weight_is_a_number() -> None:
    with pytest.raises(SettingsError, match="another line 1"):
        providers(settings_of("http://a:1 heavy").source)


@pytest.mark.parametrize("style", ["table", "yaml", "json"])
def test_config_show_never_prints_a_node(style: str) -> None:
    shown = config_show(settings_of(f"base={SECRET}"), style)
    assert "node.example" not in shown
    assert "0123456789abcdef" not in shown


def test_every_chain_with_nodes_is_a_source_or_the_one_that_is_named() -> None:
    source = settings_of(f"base={SECRET}\nethereum={SECRET}").source
    assert [made.name for made in evm_sources("", source, SystemClock())] == [
        "evm:ethereum",
        "evm:base",
    ]
    assert [made.name for made in evm_sources("base", source, SystemClock())] == ["evm:base"]


def test_what_is_missing_is_told_with_what_to_give() -> None:
    nothing = load(environ={}, flags={}).source
    with pytest.raises(SettingsError, match="--rpc URL"):
        evm_sources("", nothing, SystemClock())
    with pytest.raises(SettingsError, match="--rpc base=URL"):
        evm_sources("base", nothing, SystemClock())
    with pytest.raises(SettingsError, match=r"chain of source\.evm\.chains"):
        evm_sources("moon", nothing, SystemClock())


def test_values_are_those_of_their_chain() -> None:
    settings = settings_of(
        f"base={SECRET}",
        start={"base": "123", "ethereum": "1"},
        pools={"base": f"{POOL.upper().replace('0X', '0x')} {POOL_ID}"},
        confirmations={"base": "20"},
    )
    options = chain_options("base", providers(settings.source), settings.source)
    assert (options.chain, options.chain_id, options.start_block) == ("base", 8453, 123)
    assert options.pools == (POOL, POOL_ID)
    assert options.confirmations == 20
    assert options.v4_managers == (POOL_MANAGERS[8453],)


@pytest.mark.parametrize(
    ("given", "factories"),
    [
        ({}, KNOWN_FACTORIES[8453]),
        ({"pools": {"base": POOL}}, ()),
        ({"factories": {"base": "any"}}, ()),
        ({"factories": {"base": POOL}}, (POOL,)),
    ],
)
def test_a_contract_that_only_says_it_is_a_pool_is_not_believed(
    given: dict[str, Any], factories: tuple[str, ...]
) -> None:
    settings = settings_of(f"base={SECRET}", **given)
    assert chain_options("base", providers(settings.source), settings.source).factories == factories


def test_a_chain_without_known_factories_has_to_name_some() -> None:
    settings = settings_of("http://a:1", chains={"local": "31337"})
    with pytest.raises(Rejected, match="factories or pools of chain 31337"):
        evm_sources("", settings.source, SystemClock())


@pytest.mark.parametrize(
    ("given", "managers"),
    [
        ({}, (POOL_MANAGERS[8453],)),
        ({"pools": {"base": POOL}}, ()),
        ({"factories": {"base": POOL}}, ()),
        ({"factories": {"base": "any"}}, (POOL_MANAGERS[8453],)),
        ({"v4_managers": {"base": POOL}, "factories": {"base": POOL}}, (POOL,)),
    ],
)
def test_uniswap_v4_is_heard_where_it_may_be_wanted(
    given: dict[str, Any], managers: tuple[str, ...]
) -> None:
    settings = settings_of(f"base={SECRET}", **given)
    assert (
        chain_options("base", providers(settings.source), settings.source).v4_managers == managers
    )


def test_a_value_that_is_no_number_is_told() -> None:
    settings = settings_of(f"base={SECRET}", start={"base": "latest"})
    with pytest.raises(SettingsError, match=r"source\.evm\.start of base, was 'latest'"):
        evm_sources("base", settings.source, SystemClock())
    with pytest.raises(Rejected):
        evm_sources(
            "base", settings_of(f"base={SECRET}", pools={"base": "0x12"}).source, SystemClock()
        )
