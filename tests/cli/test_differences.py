from rich.console import Console

from swapstats.cli.differences import difference_table
from swapstats.roles.audit import Difference


def test_amounts_are_written_exactly_and_the_witness_is_named() -> None:
    out = Console(width=160)
    with out.capture() as said:
        out.print(
            difference_table(
                [
                    Difference(3, "BTC", "5m", "vol_usd", 2_000_001, 1_500_000),
                    Difference(3, "BTC", "5m", "trades", 7, 8),
                ],
                "the archive",
            )
        )
    lines = said.get().replace("\u2502", " ").splitlines()
    assert "the archive says" in lines[1]
    assert lines[3].split() == ["3", "BTC", "5m", "vol_usd", "2.000001", "1.500000", "0.500001"]
    assert lines[4].split()[-3:] == ["7", "8", "-1"]
