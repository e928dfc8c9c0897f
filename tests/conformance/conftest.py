"""The adapters that the conformance suites run on: one more is one more entry of a table here.

An entry opens the store that lies in a directory, as its writer or as a reader beside it. What a
test opened is closed after it.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.checkpoints import (
    EmbeddedCheckpointStore,
)
from swapstats.adapters.embedded.dead_letters import (
    EmbeddedDeadLetterReader,
    EmbeddedDeadLetterStore,
)
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.ports.checkpoint_store import CheckpointReader, CheckpointStore
from swapstats.ports.dead_letters import DeadLetterReader, DeadLetterStore
from swapstats.ports.swap_log import SwapLog, SwapLogReader


@dataclass(frozen=True)
class LogAdapter:
    """How to open one kind of swap log."""

    name: str
    writer: Callable[[Path, int], SwapLog]
    reader: Callable[[Path], SwapLogReader]


@dataclass(frozen=True)
class CheckpointAdapter:
    """How to open one kind of checkpoint store."""

    name: str
    writer: Callable[[Path], CheckpointStore]
    reader: Callable[[Path], CheckpointReader]


@dataclass(frozen=True)
class DeadLetterAdapter:
    """How to open one kind of dead-letter store."""

    name: str
    writer: Callable[[Path], DeadLetterStore]
    reader: Callable[[Path], DeadLetterReader]


LOGS = (
    LogAdapter(
        "embedded",
        lambda path, partition_count: EmbeddedSwapLog(path / "log.db", partition_count),
        lambda path: EmbeddedSwapLogReader(path / "log.db"),
    ),
)
CHECKPOINTS = (
    CheckpointAdapter(
        "embedded",
        lambda path: EmbeddedCheckpointStore(path / "checkpoints.db"),
        lambda path: EmbeddedCheckpointReader(path / "checkpoints.db"),
    ),
)
DEAD_LETTERS = (
    DeadLetterAdapter(
        "embedded",
        lambda path: EmbeddedDeadLetterStore(path / "dead-letters.db"),
        lambda path: EmbeddedDeadLetterReader(path / "dead-letters.db"),
    ),
)


@pytest.fixture(params=LOGS, ids=lambda adapter: adapter.name)
def log_adapter(request: pytest.FixtureRequest) -> LogAdapter:
    assert isinstance(request.param, LogAdapter)
    return request.param


@pytest.fixture(params=CHECKPOINTS, ids=lambda adapter: adapter.name)
def checkpoint_adapter(request: pytest.FixtureRequest) -> CheckpointAdapter:
    assert isinstance(request.param, CheckpointAdapter)
    return request.param


@pytest.fixture(params=DEAD_LETTERS, ids=lambda adapter: adapter.name)
def dead_letter_adapter(request: pytest.FixtureRequest) -> DeadLetterAdapter:
    assert isinstance(request.param, DeadLetterAdapter)
    return request.param


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def open_log(
    log_adapter: LogAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[int], SwapLog]:
    """Opens the test's log as its writer, with so many partitions."""

    def opened(partition_count: int) -> SwapLog:
        return closing.enter_context(
            contextlib.closing(log_adapter.writer(tmp_path, partition_count))
        )

    return opened


@pytest.fixture
def open_log_reader(
    log_adapter: LogAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], SwapLogReader]:
    """Opens the test's log as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(log_adapter.reader(tmp_path)))


@pytest.fixture
def open_checkpoints(
    checkpoint_adapter: CheckpointAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], CheckpointStore]:
    """Opens the test's checkpoint store as its writer."""
    return lambda: closing.enter_context(contextlib.closing(checkpoint_adapter.writer(tmp_path)))


@pytest.fixture
def open_checkpoint_reader(
    checkpoint_adapter: CheckpointAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], CheckpointReader]:
    """Opens the test's checkpoint store as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(checkpoint_adapter.reader(tmp_path)))


@pytest.fixture
def open_dead_letters(
    dead_letter_adapter: DeadLetterAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], DeadLetterStore]:
    """Opens the test's dead-letter store as its writer."""
    return lambda: closing.enter_context(contextlib.closing(dead_letter_adapter.writer(tmp_path)))


@pytest.fixture
def open_dead_letter_reader(
    dead_letter_adapter: DeadLetterAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], DeadLetterReader]:
    """Opens the test's dead-letter store as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(dead_letter_adapter.reader(tmp_path)))
