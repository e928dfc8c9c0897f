"""A table of numbers that are not what a witness says."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table

from swapstats.cli.printable import printable
from swapstats.model.stats import format_scaled, scale_digits
from swapstats.roles.audit import Difference

SHOWN_MAX: Final = 50
"""How many are listed."""


def difference_table(differences: Sequence[Difference], witness: str = "the log") -> Table:
    """List differences from what a witness says."""
    table = Table("partition", "token", "window", "field", "held", f"{witness} says", "off by")
    for found in differences:
        digits = scale_digits(found.field)
        table.add_row(
            str(found.partition),
            printable(found.token),
            found.window,
            found.field,
            *(
                format_scaled(value, digits) if digits else str(value)
                for value in (found.held, found.recounted, found.held - found.recounted)
            ),
        )
    return table
