"""Which checkpoints fit which settings."""

from dataclasses import replace

import msgspec
import pytest
from tests.core.kernels.batches import KEY, batch_of, swap

from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig, expect_fit
from swapstats.errors import KeyMismatch, SettingsMismatch
from swapstats.model.checkpoint import CheckpointHeader
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import spelled

CONFIG = ShardConfig(0, WindowSpec(1_000, (5_000, 60_000)), KEY)


def header() -> CheckpointHeader:
    shard = Shard(CONFIG, epoch=1)
    shard.apply(batch_of([spelled(swap(1))]), 0)
    return shard.snapshot().header


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"grace_ms": 0, "late": "drop", "max_ahead_ms": None},
        {"spec": WindowSpec(1_000, (60_000, 30_000, 1_000))},
        {"spec": WindowSpec(1_000, (2_000,))},
    ],
)
def test_fits(changed: dict[str, object]) -> None:
    expect_fit(replace(CONFIG, **changed), header())  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"key": HashKey.of(b"x" * 16)}, KeyMismatch, "restore the key file"),
        ({"spec": WindowSpec(500, (5_000, 60_000))}, SettingsMismatch, "step 500ms .* was 1s"),
        ({"event_clock": True}, SettingsMismatch, "event clock, was 1s by the wall clock"),
        ({"spec": WindowSpec(1_000, (61_000,))}, SettingsMismatch, "holds 61s, was 1m"),
    ],
)
def test_does_not_fit(changed: dict[str, object], error: type[Exception], words: str) -> None:
    config = replace(CONFIG, **changed)  # type: ignore[arg-type] # fields by name
    with pytest.raises(error, match=words):
        expect_fit(config, header())


def test_an_error_names_the_keys_but_not_their_secrets() -> None:
    other = HashKey.of(b"y" * 16)
    with pytest.raises(KeyMismatch) as raised:
        expect_fit(replace(CONFIG, key=other), header())
    assert other.key_id in str(raised.value)
    assert KEY.key_id in str(raised.value)
    assert "yyyy" not in str(raised.value)


@pytest.mark.parametrize(("late", "refuses"), [("apply", False), ("drop", True), ("divert", True)])
def test_late_policies(late: str, refuses: bool) -> None:
    assert replace(CONFIG, late=late).refuses_late is refuses


def test_a_header_survives_its_encoding() -> None:
    written = msgspec.json.encode(header())
    expect_fit(CONFIG, msgspec.json.decode(written, type=CheckpointHeader))
