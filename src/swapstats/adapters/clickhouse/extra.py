"""The archive's optional packages, imported when first needed."""

import importlib
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
