"""Exact real-time statistics per token from DEX swaps and exchange trades."""

import hashlib
import os
import tempfile
from pathlib import Path

__version__ = "0.1.0"


def _kernel_cache() -> str:
    """Return a folder for compiled kernels that no other version of their sources uses.

    The compiler's own cache does not notice a change in a function that another file calls, so
    the folder is named by all kernel sources together.
    """
    sources = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "core" / "kernels").glob("*.py")):
        sources.update(path.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "swapstats" / f"kernels-{sources.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"swapstats-{os.getuid()}-{sources.hexdigest()[:16]}"
    return str(folder)


os.environ.setdefault("NUMBA_CACHE_DIR", _kernel_cache())
