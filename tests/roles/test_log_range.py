from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.errors import OffsetGone, Transient
from swapstats.model.record import MessageBlock
from swapstats.roles import log_range
from swapstats.roles.log_range import read_range


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedSwapLog]:
    with closing(EmbeddedSwapLog(tmp_path / "log.db", 1)) as opened:
        for number in range(10):
            block = MessageBlock.of([b"%d" % (10 * number + one) for one in range(10)])
            opened.append(block, np.zeros(10, dtype=np.int32), 1_000 + number, {})
        yield opened


def test_a_range_comes_back_as_one_batch_however_it_was_read(
    log: EmbeddedSwapLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_range, "_AT_ONCE_BYTES", 7)
    batch = read_range(log, 0, 13, 58)
    assert batch.offsets.tolist() == list(range(13, 58))
    assert [batch.message(at) for at in range(len(batch))] == [b"%d" % at for at in range(13, 58)]
    assert batch.append_ms[0] == 1_001


def test_what_is_not_there_is_told(log: EmbeddedSwapLog) -> None:
    with pytest.raises(Transient, match="offset 120, was read up to 100"):
        read_range(log, 0, 90, 120)
    log.trim(1 << 60, 0, [50])
    with pytest.raises(OffsetGone):
        read_range(log, 0, 10, 20)
