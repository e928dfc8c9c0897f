"""The raw rows of one log, summed by token and window: what `audit` holds against the windows."""

from collections.abc import Sequence

from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.positions import end_offset, first_offset
from swapstats.adapters.clickhouse.schema import SUMS, USD, ArchiveSchema
from swapstats.adapters.clickhouse.verify import of_partition, time_literal
from swapstats.model.stats import WindowStats, scale_digits


class ClickHouseSums:
    """Reads an archive for an auditor.

    Args:
        engine: where it is.
        schema: its tables.
        log_name: the log whose rows count.
    """

    def __init__(self, engine: Engine, schema: ArchiveSchema, log_name: str) -> None:
        self._engine = engine
        self._schema = schema
        self._log_name = log_name

    def first_offset(self, partition: int) -> int:
        """Offset of the first row; see `ArchiveSums.first_offset`."""
        return first_offset(self._engine, self._schema, self._log_name, partition)

    def end_offset(self, partition: int) -> int:
        """Offset after the newest row; see `ArchiveSums.end_offset`."""
        return end_offset(self._engine, self._schema, self._log_name, partition)

    def windows(
        self, partition: int, before_offset: int, begins_ms: Sequence[int], end_ms: int
    ) -> dict[str, tuple[WindowStats, ...]]:
        """Sum rows by token key and window; see `ArchiveSums.windows`."""
        sums = ", ".join(
            f"sumIf({of.format(usd=USD)}, event_time >= {time_literal(begin_ms)})"
            for begin_ms in begins_ms
            for _, _, of in SUMS
        )
        rows = self._engine.rows(
            f"SELECT chain_id, token_address, {sums} FROM {self._schema.table('raw_swaps')} "  # noqa: S608 - names of ours
            f"WHERE {of_partition(self._log_name, partition)} AND `offset` < {before_offset} "
            f"AND event_time >= {time_literal(min(begins_ms))} "
            f"AND event_time < {time_literal(end_ms)} "
            "GROUP BY chain_id, token_address"
        )
        found: dict[str, tuple[WindowStats, ...]] = {}
        for chain, address, *values in rows:
            stats = tuple(
                _stats(values[at : at + len(SUMS)]) for at in range(0, len(values), len(SUMS))
            )
            key = address if chain == "0" else f"{chain}:{address}"
            before = found.get(key)
            # An address that looks like a key of another chain has that key in the windows too.
            found[key] = stats if before is None else tuple(map(_sum, before, stats))
        return found


def scaled(value: str, digits: int) -> int:
    """Read a decimal as ClickHouse writes it, times 10^digits.

    >>> scaled("-1.5", 6), scaled("7", 0)
    (-1500000, 7)
    """
    whole, _, fraction = value.partition(".")
    return int(whole + fraction.ljust(digits, "0"))


def _stats(values: Sequence[str]) -> WindowStats:
    given = {
        name: scaled(value, scale_digits(name))
        for (name, _, _), value in zip(SUMS, values, strict=True)
    }
    return WindowStats(**given)


def _sum(one: WindowStats, other: WindowStats) -> WindowStats:
    return WindowStats(**{name: getattr(one, name) + getattr(other, name) for name, _, _ in SUMS})
