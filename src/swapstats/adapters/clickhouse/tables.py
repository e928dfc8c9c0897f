"""Makes the archive's tables, and follows changed ages and cold storage that came later."""

import re
from typing import Final

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import (
    DAY_S,
    RAW_TABLES,
    STORAGE_POLICY,
    ArchiveSchema,
    statements,
    ttl_of,
)

_intervals = re.compile(r"toInterval(Day|Second)\((\d+)\)").findall
_SECONDS: Final = {"Day": DAY_S, "Second": 1}


def make_tables(engine: Engine, schema: ArchiveSchema) -> None:
    """Create what is not there yet; a table whose ages are others than configured is altered.

    Raises:
        Transient: the engine cannot be reached.
        StoreError: it refuses.
    """
    for statement in statements(schema):
        engine.run(statement)
    found = engine.rows(
        "SELECT name, storage_policy, engine_full FROM system.tables "  # noqa: S608 - names of ours
        f"WHERE database = {text(schema.database)}"
    )
    for name, policy, shown in found:
        if name not in RAW_TABLES:
            continue
        table = schema.table(name)
        if schema.cold and policy != STORAGE_POLICY:
            engine.run(f"ALTER TABLE {table} MODIFY SETTING storage_policy = '{STORAGE_POLICY}'")
        if _ages_s(shown) != _wanted_s(schema):
            # In the background: the ages of parts are reckoned anew, their rows are not rewritten.
            engine.run(f"ALTER TABLE {table} MODIFY TTL {ttl_of(schema, name)}")


def has_cold_volume(engine: Engine) -> bool:
    """True if the engine has the storage policy with a cold volume.

    Raises:
        Transient: the engine cannot be reached.
    """
    found = engine.rows(
        "SELECT count() FROM system.storage_policies "  # noqa: S608 - names of ours
        f"WHERE policy_name = {text(STORAGE_POLICY)}"
    )
    return int(found[0][0]) > 0


def has_tables(engine: Engine, schema: ArchiveSchema) -> bool:
    """True if somebody made the archive's tables.

    Raises:
        Transient: the engine cannot be reached.
    """
    found = engine.rows(
        "SELECT count() FROM system.tables "  # noqa: S608 - names of ours
        f"WHERE database = {text(schema.database)} AND name = 'raw_swaps'"
    )
    return int(found[0][0]) > 0


def _ages_s(engine_full: str) -> list[int]:
    """Ages in a table's definition, in seconds, as they stand there."""
    _, _, ttl = engine_full.partition(" TTL ")
    return [int(count) * _SECONDS[unit] for unit, count in _intervals(ttl)]


def _wanted_s(schema: ArchiveSchema) -> list[int]:
    return [schema.cold_after_s, schema.delete_after_s] if schema.cold else [schema.delete_after_s]
