"""The auditor's own part: which checkpoints it takes, and what it refuses. The rest: test_audit."""

from pathlib import Path
from typing import Any

import pytest
from tests.roles.aggregator.rig import KEY, SPEC, START_MS, Rig, swap

from swapstats.core.hash_key import HashKey
from swapstats.errors import UsageError
from swapstats.model.record import RecordBatch
from swapstats.model.stats import WindowStats
from swapstats.roles.audit import Answer
from swapstats.wiring.auditing import Auditor

RULES: Any = {"grace_ms": 120_000, "late": "apply", "max_ahead_ms": 3_600_000, "plain": False}


class WholeLog:
    """The rig's log as an auditor reads it."""

    def __init__(self, rig: Rig) -> None:
        self._log = rig.log

    def start_offsets(self) -> list[int]:
        return self._log.start_offsets()

    def read_past_damage(
        self, partition: int, offset: int, bytes_max: int
    ) -> tuple[RecordBatch | None, tuple[str, ...], int]:
        batch = self._log.read(partition, offset, bytes_max)
        return batch, (), offset if batch is None else batch.next_offset


def auditor_of(rig: Rig, key: HashKey = KEY) -> Auditor:
    return Auditor(WholeLog(rig), rig.log.partition_count, rig.checkpoints, key)


def test_every_shard_with_a_checkpoint_is_audited(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 3)
    rig.append(*(swap(number, START_MS, token=f"T{number % 5}") for number in range(40)))
    assert list(auditor_of(rig).audit(**RULES, on_progress=lambda *_: None)) == []
    aggregator, _ = rig.living()
    aggregator.checkpoint()
    audits = list(auditor_of(rig).audit(**RULES, on_progress=lambda *_: None))
    assert sum(audit.messages for audit in audits) == 40
    assert [audit.differences for audit in audits] == [()] * len(audits)
    rig.close()


def test_an_answer_is_proved_or_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(*(swap(number, START_MS) for number in range(4)))
    answer = Answer("BTC", 0, 4, START_MS, {SPEC.names[1]: WindowStats()})
    with pytest.raises(UsageError, match="a checkpoint of partition 0"):
        auditor_of(rig).audit_answer(answer, **RULES)
    aggregator, _ = rig.living()
    aggregator.checkpoint()
    (wrong,) = {one.field for one in auditor_of(rig).audit_answer(answer, **RULES).differences} & {
        "trades"
    }
    assert wrong == "trades"
    unknown = Answer("BTC", 0, 4, START_MS, {"9m": WindowStats()})
    with pytest.raises(UsageError, match="9m"):
        auditor_of(rig).audit_answer(unknown, **RULES)
    rig.close()
