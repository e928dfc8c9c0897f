"""Which file, and which state of it: another text once it was written to."""

from pathlib import Path

from swapstats.adapters.sources.text_files import unreadable


def identity_of(path: str) -> str:
    """Name, size and time of change of a file.

    Raises:
        Rejected: it cannot be looked at.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return f"{Path(path).resolve()} {found.st_size} {found.st_mtime_ns}"
