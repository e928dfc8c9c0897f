"""Refused rows in a file, a JSON object a line, on the disk before a position counts them."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from swapstats.errors import StoreError
from swapstats.ports.table import KeptRow


class KeptRowsFile:
    """The file of one backfill's refused rows; it is there once a row was refused.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def cut(self, size: int) -> None:
        """Forget what was put after it had this size.

        Raises:
            StoreError: it cannot be changed.
        """
        try:
            if self.path.exists() and self.path.stat().st_size > size:
                os.truncate(self.path, size)
        except OSError as error:
            raise self._failed(error) from error

    def put(self, rows: Sequence[KeptRow]) -> int:
        """Keep rows for good; returns the size with them.

        Raises:
            StoreError: they cannot be written.
        """
        text = b"".join(_line(row) for row in rows)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                return file.tell()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(
            f"Expected to keep refused rows in {self.path}, was {error}: name another file with "
            f"--refused and give the same command again"
        )


def _line(row: KeptRow) -> bytes:
    told = {"row": row.number, "reason": row.reason, "detail": row.detail}
    found = {**told, "text": row.row} if isinstance(row.row, str) else {**told, "values": row.row}
    try:
        return msgspec.json.encode(found) + b"\n"
    except UnicodeEncodeError:  # bytes that are no UTF-8: written as \xNN
        return msgspec.json.encode(_printable(found)) + b"\n"


def _printable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return value
