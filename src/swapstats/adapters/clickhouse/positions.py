"""How far the archive has come in a log's partition, by its rows alone."""

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import RAW_TABLES, ArchiveSchema
from swapstats.adapters.clickhouse.verify import of_partition


def end_offset(engine: Engine, schema: ArchiveSchema, log_name: str, partition: int) -> int:
    """Tell the offset after the newest row of a log's partition; 0 if there is none.

    Args:
        engine: where to look.
        schema: the tables.
        log_name: the log.
        partition: its partition.

    Raises:
        Transient: the engine cannot be reached.
    """
    return max(_end_in(engine, schema, table, log_name, partition) for table in RAW_TABLES)


def _end_in(
    engine: Engine, schema: ArchiveSchema, table: str, log_name: str, partition: int
) -> int:
    """The same in one table.

    Years of rows must not be read for one number: the newest month that has rows gives a bound,
    and beyond it the index over places leaves little to read of all the others.
    """
    where = of_partition(log_name, partition)
    months = engine.rows(
        "SELECT DISTINCT partition_id FROM system.parts "  # noqa: S608 - names of ours
        f"WHERE active AND rows > 0 AND database = {text(schema.database)} "
        f"AND table = {text(table)} ORDER BY partition_id DESC"
    )
    found = 0
    for (month,) in months:
        found = _end_where(engine, schema, table, f"{where} AND _partition_id = {text(month)}")
        if found:
            break
    return max(found, _end_where(engine, schema, table, f"{where} AND `offset` >= {found}"))


def _end_where(engine: Engine, schema: ArchiveSchema, table: str, where: str) -> int:
    (row,) = engine.rows(
        f"SELECT count(), max(`offset`) FROM {schema.table(table)} WHERE {where}"  # noqa: S608 - names of ours
    )
    return int(row[1]) + 1 if int(row[0]) else 0
