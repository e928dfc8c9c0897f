"""The adapters of the preprocessor's stores, by name, and the servers they need."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conformance.postgres_server import PostgresServer

from swapstats.adapters.embedded.candles import EmbeddedCandleStore
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.adapters.redis.states import RedisStateStore
from swapstats.adapters.redis.token_prices import RedisTokenPrices
from swapstats.errors import UsageError
from swapstats.ports.candles import CandleStore
from swapstats.ports.state_store import StateStore
from swapstats.ports.token_prices import TokenPrices
from swapstats.stack.redis import RedisServer


@dataclass(frozen=True)
class Place:
    """Where a test's store lies.

    Attributes:
        path: a directory of its own.
        server: address of the adapter's server; empty if it needs none.
    """

    path: Path
    server: str = ""


_memory: dict[Path, MemoryTokenPrices] = {}

STATES: Mapping[str, Callable[[Place], StateStore]] = {
    "embedded": lambda place: EmbeddedStateStore(place.path / "preprocess.db", epoch_unit_s=0),
    "redis": lambda place: RedisStateStore(place.server, place.path.name, epoch_unit_s=0),
}
PRICES: Mapping[str, Callable[[Place], TokenPrices]] = {
    "memory": lambda place: _memory.setdefault(place.path, MemoryTokenPrices()),
    "redis": lambda place: RedisTokenPrices(place.server, place.path.name),
}


def postgres_candles(place: Place) -> CandleStore:
    from swapstats.adapters.postgres.candles import PostgresCandleStore

    return PostgresCandleStore(place.server)


CANDLES: Mapping[str, Callable[[Place], CandleStore]] = {
    "embedded": lambda place: EmbeddedCandleStore(place.path / "candles.db"),
    "postgres": postgres_candles,
}


def running_redis(path: Path) -> Iterator[str]:
    """A real Redis; gives its URL."""
    try:
        server = RedisServer(path)
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server.url
    server.stop()


def running_postgres() -> Iterator[str]:
    """A real Postgres on a socket; gives its DSN."""
    pytest.importorskip("psycopg", reason="psycopg, the client of Postgres, is not installed")
    with PostgresServer() as server:
        yield server.dsn


def new_database(dsn: str, name: str) -> str:
    """Make an empty database; returns its DSN."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return dsn.replace("/postgres?", f"/{name}?")
