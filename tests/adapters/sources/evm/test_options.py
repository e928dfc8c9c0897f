"""Options that can be used, and those that cannot."""

import pytest

from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.errors import Rejected

SECRET = "s3cret-k3y"
URL = f"https://user:{SECRET}@node.example:8545/v3/{SECRET}?key={SECRET}"


def options(**given: object) -> EvmOptions:
    values: dict[str, object] = {
        "chain": "ethereum",
        "chain_id": 1,
        "providers": (Provider(URL),),
    }
    return EvmOptions(**(values | given))  # type: ignore[arg-type]


def test_a_provider_shows_its_host_only() -> None:
    assert Provider(URL).host == "node.example:8545"
    assert Provider("https://node.example/x").host == "node.example"
    assert SECRET not in repr(options())


@pytest.mark.parametrize(
    "given",
    [
        {"chain": ""},
        {"chain": "a b"},
        {"chain_id": 0},
        {"providers": ()},
        {"providers": (Provider(f"ws://node/{SECRET}"),)},
        {"providers": (Provider("http:///x"),)},
        {"providers": (Provider(f"https://user:{SECRET}/rest@node.example"),)},
        {"providers": (Provider(f"https://[{SECRET}"),)},
        {"start_block": -1},
        {"pools": ("0x" + "A" * 40,)},
        {"pools": ("0x" + "a" * 41,)},
        {"factories": ("0x" + "a" * 64,)},
        {"v4_managers": ("a" * 40,)},
        {"poll_interval_ms": 0},
        {"confirmations": -1},
        {"confirmations": 4_096},
        {"range_blocks_first": 20_000},
        {"batch_calls_max": 0},
    ],
)
def test_what_cannot_be_used_is_refused_without_a_key(given: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="Expected") as caught:
        options(**given)
    assert SECRET not in str(caught.value)


def test_pools_are_addresses_or_ids() -> None:
    pools = ("0x" + "a" * 40, "0x" + "b" * 64)
    assert options(pools=pools, confirmations=0).pools == pools
