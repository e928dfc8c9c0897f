"""Files fetched once for all checkouts of a user: whole or not at all.

Processes that need the same at the same time wait for the one that fetches.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def user_cache() -> Path:
    """Folder for what can be fetched again: `swapstats` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swapstats"


def fetched(home: Path, name: str, fetch: Callable[[Path], Path]) -> Path:
    """Find a folder, fetching it the first time.

    Args:
        home: folder it is in; made if absent.
        name: its own name, with the version in it.
        fetch: called with an empty folder on the same file system; it returns the folder to be
            kept, which it made there.

    Returns:
        Path of the folder.
    """
    kept = home / name
    if kept.is_dir():
        return kept
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=home) as made:
                fetch(Path(made)).rename(kept)
    return kept
