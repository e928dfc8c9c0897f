"""A NATS server of each test's own: these tests kill and pause it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from swapstats.errors import UsageError
from swapstats.stack.nats import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    try:
        server = NatsServer(tmp_path)
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()
