import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.adapters.kafka.rig import Owner

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.errors import InvariantBroken
from swapstats.model.record import MessageBlock


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedSwapLog]:
    with contextlib.closing(EmbeddedSwapLog(tmp_path / "log.db", 2)) as opened:
        yield opened


def append(log: EmbeddedSwapLog, count: int) -> None:
    partitions = np.arange(count, dtype=np.int32) % 2
    log.append(MessageBlock.of([b"x" * 10] * count), partitions, 1, {})


def test_batches_have_a_bound(log: EmbeddedSwapLog) -> None:
    append(log, 20)
    subscription = EmbeddedSubscription(log, Owner(), batch_bytes_max=35)
    assert [len(batch) for batch in subscription.poll(0)] == [3, 3]
    assert subscription.lag() == {0: 7, 1: 7}


def test_waiting_ends_when_something_comes(log: EmbeddedSwapLog) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            append(log, 1)

    subscription = EmbeddedSubscription(log, Owner(), wait=wait)
    (batch,) = subscription.poll(60_000)
    assert (batch.partition, len(batch), len(waits)) == (0, 1, 3)


def test_wrong_uses_are_mistakes(log: EmbeddedSwapLog) -> None:
    class Forgetful(Owner):
        def assigned(self, partitions: object) -> dict[int, int]:
            assert partitions is not None
            return {0: 0}

    with pytest.raises(InvariantBroken, match=r"\[1\]"):
        EmbeddedSubscription(log, Forgetful()).poll(0)
    subscription = EmbeddedSubscription(log, Owner())
    subscription.close()
    with pytest.raises(InvariantBroken, match="closed"):
        subscription.poll(0)
