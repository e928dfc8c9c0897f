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
    where = of_partition(log_name, partition)
    return max(_end_in(engine, schema, table, where) for table in RAW_TABLES)


def first_offset(engine: Engine, schema: ArchiveSchema, log_name: str, partition: int) -> int:
    """Tell the first offset of a log's partition that has a row; 0 if there is none.

    Rows that were deleted by age count no more. See `end_offset` for arguments and errors.
    """
    ends = []
    for table in RAW_TABLES:
        place = (engine, schema, table, of_partition(log_name, partition))
        found = _in_months(*place, "min", newest_first=False)
        if found is not None:
            before = _look(*place, "min", f"`offset` < {found}")
            ends.append(found if before is None else before)
    return min(ends, default=0)


def _end_in(engine: Engine, schema: ArchiveSchema, table: str, where: str) -> int:
    place = (engine, schema, table, where)
    found = _in_months(*place, "max", newest_first=True)
    if found is None:
        return 0
    beyond = _look(*place, "max", f"`offset` > {found}")
    return (found if beyond is None else beyond) + 1


def _in_months(
    engine: Engine,
    schema: ArchiveSchema,
    table: str,
    where: str,
    which: str,
    *,
    newest_first: bool,
) -> int | None:
    """The least or greatest offset in the first month that has any.

    Years of rows must not be read for one number: this gives a bound, and beyond it the index over
    places leaves little to read of all other months.
    """
    order = "DESC" if newest_first else "ASC"
    months = engine.rows(
        "SELECT DISTINCT partition_id FROM system.parts "  # noqa: S608 - names of ours
        f"WHERE active AND rows > 0 AND database = {text(schema.database)} "
        f"AND table = {text(table)} ORDER BY partition_id {order}"
    )
    for (month,) in months:
        found = _look(engine, schema, table, where, which, f"_partition_id = {text(month)}")
        if found is not None:
            return found
    return None


def _look(
    engine: Engine, schema: ArchiveSchema, table: str, where: str, which: str, among: str
) -> int | None:
    (row,) = engine.rows(
        f"SELECT count(), {which}(`offset`) FROM {schema.table(table)} "  # noqa: S608 - names of ours
        f"WHERE {where} AND {among}"
    )
    return int(row[1]) if int(row[0]) else None
