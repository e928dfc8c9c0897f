"""Rows of a table or query of any SQL database, in the order of one column.

The order makes a place: it names the last value, and reading goes on at that value, some rows of
which come twice. So rows that were added or removed meanwhile lose none of the others. Without
such a column there is no place, and whoever was stopped begins again.
"""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

from swapstats.errors import Rejected, UsageError
from swapstats.ports.table import TableChunk, TableProgress

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Database(Protocol):
    """A connection that only reads."""

    @property
    def identity(self) -> str:
        """Which database; without its password."""
        ...

    @property
    def marker(self) -> str:
        """How the one parameter of a statement is written."""
        ...

    def columns(self, sql: str) -> tuple[str, ...]:
        """Names of the columns of a statement."""
        ...

    def stream(
        self, sql: str, parameters: Sequence[Any], rows: int
    ) -> Generator[list[Any], None, None]:
        """Rows of a statement, so many at a time; memory is bounded by them.

        Raises:
            Rejected: the statement is none, or a value cannot be read.
            Transient: the server is away.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


@dataclass(frozen=True, slots=True)
class Relation:
    """What is read.

    Attributes:
        sql: what stands behind FROM.
        told: the same for people.
    """

    sql: str
    told: str

    @classmethod
    def of(cls, table: str, query: str) -> "Relation":
        """Take a table's name, or a query.

        Raises:
            UsageError: neither or both.
        """
        query = query.strip().rstrip(";").strip()
        if bool(table) == bool(query):
            raise UsageError(
                "Expected either a table or a query of the database, was "
                f"{'both' if table else 'none'}: give --table NAME or --query SQL"
            )
        if query:
            # a line of its own: the query may end in a comment
            return cls(f"({query}\n) AS wanted", query)
        return cls(".".join(quoted(part) for part in table.split(".")), table)


@dataclass(frozen=True, slots=True)
class TimeOrder:
    """The column of event times.

    Attributes:
        column: its name.
        digits: a number in it counts units of 10^-digits seconds; None if that is not known.
        is_utc: a moment without a zone in it is UTC.
        since_ms: rows before this are of no interest; None = all are.
    """

    column: str
    digits: int | None
    is_utc: bool
    since_ms: int | None

    def bound(self, sample: Any) -> Any:
        """What the column must reach at least, as a value like `sample`; None = unsure."""
        if self.since_ms is None or isinstance(sample, bool):
            return None
        if isinstance(sample, int | float | Decimal) and self.digits is not None:
            return self.since_ms * 10**self.digits // 1_000
        if isinstance(sample, datetime) and (sample.tzinfo is not None or self.is_utc):
            moment = _EPOCH + timedelta(milliseconds=self.since_ms)
            return moment if sample.tzinfo is not None else moment.replace(tzinfo=None)
        return None


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last value of the order, and how many rows came before the first that has it."""

    before: int
    kind: str
    value: str

    @staticmethod
    def of(value: Any, before: int) -> "_Place | None":
        if value is None:
            return _Place(before, "null", "")
        if isinstance(value, datetime):
            return _Place(before, "moment", value.isoformat())
        for kind, type_ in _KINDS.items():
            if type(value) is type_:
                return _Place(before, kind, repr(value) if kind == "float" else str(value))
        return None

    def read(self) -> Any:
        if self.kind == "moment":
            return datetime.fromisoformat(self.value)
        return _KINDS[self.kind](self.value)


_KINDS: Final[dict[str, Any]] = {"int": int, "text": str, "float": float, "decimal": Decimal}


class DatabaseTable:
    """A table or query as a table; see `Table`.

    Args:
        database: where.
        relation: what.
        order: the column of event times, if there is one.
        chunk_rows: rows of a chunk.

    Raises:
        Rejected: the database refuses the query.
        UsageError: two columns of the same name.
    """

    def __init__(
        self, database: Database, relation: Relation, order: TimeOrder | None, chunk_rows: int
    ) -> None:
        self._database = database
        self._relation = relation
        self._chunk_rows = chunk_rows
        self._done = 0
        self._total = 0
        self.columns = database.columns(f"SELECT * FROM {relation.sql} LIMIT 0")  # noqa: S608
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise UsageError(
                f"Expected each column once, was {', '.join(twice)} again: give them other names "
                f"in --query"
            )
        self._order = order if order is not None and order.column in self.columns else None

    @property
    def identity(self) -> str:
        """What a place belongs to."""
        return f"{self._database.identity} {self._relation.told}"

    def chunks(self, columns: Sequence[str], place: str) -> Generator[TableChunk, None, None]:
        """Read rows; see `Table.chunks`."""
        names = ", ".join(quoted(name) for name in columns)
        select = f"SELECT {names} FROM {self._relation.sql}"  # noqa: S608 - names are quoted
        if self._order is None:
            yield from self._in_any_order(select)
            return
        column, marker = quoted(self._order.column), self._database.marker
        bound, passed_over = self._bound() if not place else (None, 0)
        where, parameters, at = "", [], None
        if place:
            at = _read_place(place)
            if at.kind == "null":
                where = f" WHERE {column} IS NULL"
            else:
                bound = at.read()
        if bound is not None:
            where, parameters = f" WHERE ({column} >= {marker} OR {column} IS NULL)", [bound]
        if not place:
            self._total = self._count(where, parameters)
        yield TableChunk([], 1, place, passed_over)
        sql = f"{select}{where} ORDER BY {column} ASC NULLS LAST"
        index = list(columns).index(self._order.column)
        yield from self._in_order(sql, parameters, index, at)

    def progress(self) -> TableProgress:
        """Rows."""
        return TableProgress(self._done, max(self._total, self._done) if self._total else 0)

    def close(self) -> None:
        """Release the connection."""
        self._database.close()

    def _in_any_order(self, select: str) -> Generator[TableChunk, None, None]:
        self._done = 0
        self._total = self._count("", [])
        for rows in self._database.stream(select, [], self._chunk_rows):
            first = self._done + 1
            self._done += len(rows)
            yield TableChunk(rows, first, "")

    def _in_order(
        self, sql: str, parameters: list[Any], index: int, at: _Place | None
    ) -> Generator[TableChunk, None, None]:
        number = before = at.before if at is not None else 0
        value = None if at is None or at.kind == "null" else at.read()
        is_first = at is None
        for rows in self._database.stream(sql, parameters, self._chunk_rows):
            first = number + 1
            for row in rows:
                if is_first or row[index] != value:
                    value, before, is_first = row[index], number, False
                number += 1
            self._done = number
            found = _Place.of(value, before)
            place = "" if found is None else msgspec.json.encode(found).decode()
            yield TableChunk(rows, first, place)

    def _bound(self) -> tuple[Any, int]:
        """The least value of the order that is read, and how many rows are below it."""
        assert self._order is not None
        column = quoted(self._order.column)
        where = f" WHERE {column} IS NOT NULL LIMIT 1"
        sql = f"SELECT {column} FROM {self._relation.sql}{where}"  # noqa: S608 - quoted
        bound = self._order.bound(self._value(sql, []))
        if bound is None:
            return None, 0
        return bound, self._count(f" WHERE {column} < {self._database.marker}", [bound])

    def _count(self, where: str, parameters: list[Any]) -> int:
        sql = f"SELECT count(*) FROM {self._relation.sql}{where}"  # noqa: S608 - quoted names
        return int(self._value(sql, parameters))

    def _value(self, sql: str, parameters: list[Any]) -> Any:
        """The first value of a statement; None if there is none."""
        with contextlib.closing(self._database.stream(sql, parameters, 1)) as found:
            return next((rows[0][0] for rows in found), None)


def _read_place(text: str) -> _Place:
    try:
        return msgspec.json.decode(text, type=_Place)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(
            f"Expected a place in a table, was {text!r}: begin again with --again"
        ) from error


def quoted(name: str) -> str:
    """Write a name so that it is nothing but a name."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
