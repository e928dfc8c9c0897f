"""The whole configuration: one table of keys, one frozen tree of effective settings.

Read in this order: `stream.py`, `sources.py`, `preprocess.py`, `serving.py`, `servers.py` (the
table), `tree.py` (the tree), `load.py` (defaults < YAML file < environment < flags). Only wiring
and the command line import it; roles and adapters take plain values.
"""

from swapstats.settings.given import FlagValue
from swapstats.settings.key import Key, Status
from swapstats.settings.kinds import Address, Secret
from swapstats.settings.load import load
from swapstats.settings.preprocess import Preprocess
from swapstats.settings.servers import (
    PubSub,
    Stores,
)
from swapstats.settings.serving import (
    Api,
    Metrics,
    Observability,
    RateLimit,
    Security,
)
from swapstats.settings.sources import SourceSettings
from swapstats.settings.stream import App, Data, Ingest, Log
from swapstats.settings.table import KEYS, RESERVED_ENV, value_of
from swapstats.settings.tree import Settings

__all__ = [
    "KEYS",
    "RESERVED_ENV",
    "Address",
    "Api",
    "App",
    "Data",
    "FlagValue",
    "Ingest",
    "Key",
    "Log",
    "Metrics",
    "Observability",
    "Preprocess",
    "PubSub",
    "RateLimit",
    "Secret",
    "Security",
    "Settings",
    "SourceSettings",
    "Status",
    "Stores",
    "load",
    "value_of",
]
