"""What the archive needs of ClickHouse, wherever it runs: four verbs and their errors.

`embedded.py` and `server.py` are the two engines; all SQL lives in the modules that use them and is
the same for both.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from swapstats.errors import StoreError, StoreFull, SwapstatsError, Transient

ROWS_FORMAT: Final = "JSONCompactStringsEachRow"
NULL_TEXT: Final = "ᴺᵁᴸᴸ"
"""How ROWS_FORMAT writes a NULL."""

_TRANSIENT_CODES: Final = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE
        159,  # TIMEOUT_EXCEEDED
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        499,  # S3_ERROR
        999,  # KEEPER_EXCEPTION
    }
)
_FULL_CODE: Final = 243
_keys = re.compile(r"\bs3\(.*?\)")
_code = re.compile(r"[Cc]ode: (\d+)").search


class Engine(Protocol):
    """A connection to ClickHouse; used from one thread at a time."""

    def run(self, sql: str) -> None:
        """Carry out a statement without a result.

        Raises:
            Transient: it may succeed later.
            StoreError: it never will.
        """
        ...

    def rows(self, sql: str) -> list[list[str]]:
        """Read a query's rows, every value as text; NULL is NULL_TEXT. Raises as `run`."""
        ...

    def insert(
        self, table: str, columns: Sequence[str], arrow: bytes, settings: Mapping[str, str | int]
    ) -> None:
        """Insert one block.

        Args:
            table: full name, quoted.
            columns: names, in the block's order.
            arrow: the block as an Arrow stream.
            settings: settings of this insert.

        Raises:
            Transient: it may be in or not; insert it again under the same name.
            StoreError: it is refused for good.
        """
        ...

    def save(self, sql: str, path: Path) -> None:
        """Write a query's rows into a Parquet file of this machine. Raises as `run`."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def text(value: str) -> str:
    """Write a text as an SQL literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def brief(sql: str) -> str:
    """A statement's beginning, for messages; what it gives to a store holds a secret."""
    return _keys.sub("s3(...)", " ".join(sql.split()))[:80]


def parse_rows(content: bytes) -> list[list[str]]:
    """Read a result in ROWS_FORMAT."""
    return msgspec.json.Decoder(list[str]).decode_lines(content) if content.strip() else []


def engine_error(error: Exception, doing: str, *, broken_link: bool = False) -> SwapstatsError:
    """Say what an error of ClickHouse means.

    Args:
        error: as the library raised it.
        doing: what was tried, such as "insert into raw_swaps".
        broken_link: True if one without a code is the connection's.
    """
    shown = str(error).strip().split("\n", 1)[0][:500]
    found = _code(str(error))
    code = int(found[1]) if found else None
    if code == _FULL_CODE or "No space left on device" in str(error):
        return StoreFull(f"Expected room to {doing}, was a full disk: free space ({shown})")
    if code in _TRANSIENT_CODES or (broken_link and code is None):
        return Transient(f"Expected ClickHouse to {doing}, was not now: {shown}")
    return StoreError(
        f"Expected ClickHouse to {doing}, was refused: {shown}. Check its configuration and that "
        "its tables are those of deploy/clickhouse/schema.sql"
    )
