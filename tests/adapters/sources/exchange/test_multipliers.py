"""Packs of assets."""

from swapstats.adapters.sources.exchange.multipliers import PACKS, unpacked


def test_packs_are_unpacked_by_table_only() -> None:
    assert unpacked("1000PEPE") == ("PEPE", 1_000)
    assert unpacked("1MBABYDOGE") == ("BABYDOGE", 1_000_000)
    assert unpacked("1000000MOG") == ("MOG", 1_000_000)
    assert unpacked("SHIB1000") == ("SHIB", 1_000)
    for asset in ("1INCH", "BTC", "1000UNKNOWN"):
        assert unpacked(asset) == (asset, 1)


def test_names_say_what_the_table_says() -> None:
    numbers = {"1000": 1_000, "10000": 10_000, "1000000": 1_000_000, "1M": 1_000_000}
    for name, (base, multiplier) in PACKS.items():
        assert numbers[name.replace(base, "")] == multiplier
