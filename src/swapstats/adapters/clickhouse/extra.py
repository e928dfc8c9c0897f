"""The archive's optional packages, imported when first needed."""

import importlib
import importlib.util
from types import ModuleType

from swapstats.errors import UsageError


def needed(module: str) -> ModuleType:
    """Import a module of the `archive` extra.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"Expected the package {module.split('.', maxsplit=1)[0]} for the archive, was not "
            "installed: pip install 'swapstats[archive]'"
        ) from error


def is_installed() -> bool:
    """True if the whole extra is there; imports nothing."""
    return all(importlib.util.find_spec(module) is not None for module in ("chdb", "pyarrow"))
