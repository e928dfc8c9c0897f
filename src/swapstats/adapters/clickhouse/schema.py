"""The archive's tables: the one source of their DDL, embedded and on a server alike.

`raw_swaps` takes one row with a sign for each change of what contributes; two views sum it by sign
into `hourly` and `daily`; `raw_late` takes what came too late, outside the views. Sums are exact: a
token amount of 38 digits is summed in 76, so 2^60 rows fit. `deploy/clickhouse/schema.sql` is
written from here.

Several logs may share the tables: offsets say nothing without the `log` they are of. Rows go to
the cold volume and are deleted by their `event_time`, those of `raw_late` by `ingested_time`, since
they are old when they come.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from swapstats.errors import SettingsError
from swapstats.model.wire import SCHEMA_VERSION

STORAGE_POLICY: Final = "hot_to_s3"
COLD_VOLUME: Final = "cold"
DAY_S: Final = 86_400
DEDUP_BLOCKS: Final = 50_000
"""Blocks a table remembers: twice 20 inserts a second for 20 minutes, see `dedup_blocks`."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch

COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("event_id", "String"),
    ("chain_id", "UInt64"),
    ("tx_hash", "String"),
    ("log_index", "UInt64"),
    ("block_number", "UInt64"),
    ("block_hash", "String"),
    ("inclusion", "UInt64"),
    ("token_address", "String"),
    ("token_symbol", "String"),
    ("pool_address", "String"),
    ("venue", "LowCardinality(String)"),
    ("trader", "String"),
    ("side", "LowCardinality(String)"),
    ("amount_token", "Decimal(38, 18)"),
    ("amount_usd", "Nullable(Decimal(20, 6))"),
    ("event_time", "DateTime64(3, 'UTC')"),
    ("ingested_time", "DateTime64(3, 'UTC')"),
    ("removed", "Bool"),
    ("sign", "Int8"),
    ("log", "LowCardinality(String)"),
    ("partition", "UInt32"),
    ("offset", "UInt64"),
)
"""Columns of `raw_swaps` and `raw_late` that are written, in order."""

SUMS: Final[tuple[tuple[str, str, str], ...]] = (
    ("trades", "Int64", "toInt64(sign)"),
    ("buy", "Int64", "toInt64(sign) * (side = 'buy')"),
    ("sell", "Int64", "toInt64(sign) * (side = 'sell')"),
    ("unpriced", "Int64", "toInt64(sign) * isNull(amount_usd)"),
    ("vol_usd", "Decimal(38, 6)", "{usd} * sign"),
    ("buy_usd", "Decimal(38, 6)", "{usd} * sign * (side = 'buy')"),
    ("sell_usd", "Decimal(38, 6)", "{usd} * sign * (side = 'sell')"),
    ("vol_token", "Decimal(76, 18)", "toDecimal256(amount_token, 18) * sign"),
)
"""Summed columns of the views: name, type, what is summed of a raw row."""

VIEWS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("hourly", "hour", "DateTime('UTC')", "toStartOfHour(toDateTime(event_time, 'UTC'))"),
    ("daily", "day", "Date", "toDate(event_time, 'UTC')"),
)
"""Views: table, its time column, that column's type, what it is of a raw row."""

RAW_TABLES: Final = {"raw_swaps": "event_time", "raw_late": "ingested_time"}
"""Tables of rows: name -> the column they are aged by."""

VIEW_KEY: Final = ("chain_id", "token_address", "log", "partition")
"""What a view's rows are of beside their hour or day. Log and partition are there because each pair
of them has one writer: only so can a view be compared with the raw rows, and repaired, while
others write."""
USD: Final = "toDecimal128(ifNull(amount_usd, 0), 6)"
"""USD of a raw row in SUMS; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class ArchiveSchema:
    """What shapes the archive's tables.

    Attributes:
        database: name; created if there is none.
        cold: True if the storage policy `hot_to_s3` is there.
        cold_after_s: age at which rows go to the cold volume, in seconds.
        delete_after_s: age at which rows of `raw_swaps` and `raw_late` are deleted, in seconds.
        dedup_blocks: inserted blocks each table remembers by name.
        fsync: True to survive a loss of power as well as a kill.
        extra_settings: further MergeTree settings of the raw tables.

    Raises:
        SettingsError: a name that is none, or rows deleted before they turn cold.
    """

    database: str = "swapstats"
    cold: bool = True
    cold_after_s: int = 90 * DAY_S
    delete_after_s: int = 365 * DAY_S
    dedup_blocks: int = DEDUP_BLOCKS
    fsync: bool = False
    extra_settings: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if _NAME(self.database) is None:
            raise SettingsError(
                f"Expected a database name of letters, digits and _, was {self.database!r}"
            )
        if self.delete_after_s <= self.cold_after_s and self.cold:
            raise SettingsError(
                f"Expected rows to be deleted later than they turn cold "
                f"({self.cold_after_s} s), was {self.delete_after_s} s"
            )

    def table(self, name: str) -> str:
        """A table's full name, quoted."""
        return f"`{self.database}`.`{name}`"


def dedup_blocks(inserts_per_s_max: int, pause_s_max: int, instances: int = 1) -> int:
    """Blocks a table must remember: twice the peak block rate times the longest pause."""
    return 2 * inserts_per_s_max * instances * pause_s_max


def statements(schema: ArchiveSchema) -> list[str]:
    """Statements that create whatever is not there yet, in order."""
    made = [f"CREATE DATABASE IF NOT EXISTS `{schema.database}`"]
    made += [_raw(schema, name) for name in RAW_TABLES]
    for view in VIEWS:
        made.append(_target(schema, view))
        made.append(_view(schema, view))
    return made


def script(schema: ArchiveSchema) -> str:
    """All statements as one file for `clickhouse-client --multiquery`."""
    head = (
        "-- Tables of the swapstats archive. Made by `swapstats.adapters.clickhouse.schema`:\n"
        "-- change that, not this. Needs the storage policy of storage.xml beside it.\n\n"
    )
    return head + "\n\n".join(f"{statement};" for statement in statements(schema)) + "\n"


def view_sums(*, prefix: str = "") -> str:
    """The select list of a view's sums over raw rows."""
    return ",\n    ".join(f"sum({of.format(usd=USD)}) AS {prefix}{name}" for name, _, of in SUMS)


def ttl_of(schema: ArchiveSchema, name: str) -> str:
    """What becomes of the rows of a raw table with age."""
    aged_by = RAW_TABLES[name]
    ttl = []
    if schema.cold:
        ttl.append(f"{_after(aged_by, schema.cold_after_s)} TO VOLUME '{COLD_VOLUME}'")
    ttl.append(f"{_after(aged_by, schema.delete_after_s)} DELETE")
    return ", ".join(ttl)


def view_key(moment: str) -> str:
    """The columns of a view's key, in order; `moment` is its time column."""
    return ", ".join(f"`{column}`" for column in (*VIEW_KEY[:2], moment, *VIEW_KEY[2:]))


def _raw(schema: ArchiveSchema, name: str) -> str:
    columns = ",\n    ".join(f"`{column}` {kind}" for column, kind in COLUMNS)
    settings = _settings(schema) | _OF_RAW | schema.extra_settings
    shown = ", ".join(f"{key} = {value}" for key, value in settings.items())
    if schema.cold:
        shown = f"storage_policy = '{STORAGE_POLICY}', {shown}"
    return (
        f"CREATE TABLE IF NOT EXISTS {schema.table(name)} (\n"
        f"    `schema_version` UInt8 DEFAULT {SCHEMA_VERSION},\n    {columns},\n"
        "    INDEX place (`log`, `partition`, `offset`) TYPE minmax GRANULARITY 1\n)\n"
        "ENGINE = MergeTree\n"
        "PARTITION BY toYYYYMM(event_time)\n"
        "ORDER BY (chain_id, token_address, event_time, tx_hash, log_index, event_id)\n"
        f"TTL {ttl_of(schema, name)}\n"
        f"SETTINGS {shown}"
    )


def _target(schema: ArchiveSchema, view: tuple[str, str, str, str]) -> str:
    name, moment, kind, _ = view
    sums = ",\n    ".join(
        f"`{column}` SimpleAggregateFunction(sum, {type_})" for column, type_, _ in SUMS
    )
    settings = ", ".join(f"{key} = {value}" for key, value in _settings(schema).items())
    return (
        f"CREATE TABLE IF NOT EXISTS {schema.table(name)} (\n"
        "    `chain_id` UInt64,\n    `token_address` String,\n"
        f"    `{moment}` {kind},\n    `log` LowCardinality(String),\n    `partition` UInt32,\n"
        f"    {sums}\n)\n"
        "ENGINE = AggregatingMergeTree\n"
        f"PARTITION BY toYYYYMM({moment})\n"
        f"ORDER BY ({view_key(moment)})\n"
        f"SETTINGS {settings}"
    )


def _view(schema: ArchiveSchema, view: tuple[str, str, str, str]) -> str:
    name, moment, _, of = view
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {schema.table(f'{name}_view')}\n"
        f"TO {schema.table(name)} AS\n"
        f"SELECT\n    chain_id,\n    token_address,\n    {of} AS {moment},\n    `log`,\n"
        "    `partition`,\n"
        f"    {view_sums()}\n"
        f"FROM {schema.table('raw_swaps')}\n"
        f"GROUP BY {view_key(moment)}"
    )


_OF_RAW: Final = {"materialize_ttl_recalculate_only": 1}
"""An age that is changed costs no rewriting of rows."""


def _settings(schema: ArchiveSchema) -> dict[str, int]:
    settings = {"non_replicated_deduplication_window": schema.dedup_blocks}
    if schema.fsync:
        settings |= {"fsync_after_insert": 1, "fsync_part_directory": 1}
    return settings


def _after(column: str, age_s: int) -> str:
    if age_s % DAY_S == 0:
        return f"toDateTime({column}, 'UTC') + INTERVAL {age_s // DAY_S} DAY"
    return f"toDateTime({column}, 'UTC') + INTERVAL {age_s} SECOND"
