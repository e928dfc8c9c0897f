"""The stores of a data directory: opened as one, refused as one, healed by a rebuild."""

from pathlib import Path
from typing import Any

import pytest
from tests.roles.aggregator.rig import KEY, SPEC, START_MS, drain, held, swap

from swapstats.core.decode import choose_partitions
from swapstats.errors import (
    KeyMismatch,
    SettingsMismatch,
    StoreCorrupt,
    StoreError,
    StoreLocked,
)
from swapstats.model.record import MessageBlock
from swapstats.model.stats import WindowStats
from swapstats.ports.observer import Silent
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.wiring.embedded import EmbeddedStores, NoFanOut, ShardRules, make_aggregator

MANIFEST = {"purpose": "test", "step_ms": 1_000}


def opened(path: Path, **changes: Any) -> EmbeddedStores:
    manifest = changes.pop("manifest", MANIFEST)
    return EmbeddedStores.open(path, changes.pop("partitions", 2), manifest, **changes)


def used(path: Path) -> None:
    """Leave a directory with swaps in it and a checkpoint of each shard."""
    stores = opened(path)
    aggregator = made(stores)
    aggregator.restore()
    block = MessageBlock.of([swap(n, START_MS, f"T{n}") for n in range(20)])
    stores.log.append(block, choose_partitions(block, stores.key, 2, START_MS), START_MS, {})
    drain(aggregator)
    aggregator.checkpoint()
    aggregator.close()
    stores.close()


def made(stores: EmbeddedStores, **options: Any) -> Aggregator:
    return make_aggregator(
        stores,
        ShardRules(SPEC, 120_000, "apply", 3_600_000),
        AggregatorOptions(**options),
        lambda: START_MS,
        NoFanOut(),
        Silent(),
    )


def restored(path: Path, **changes: Any) -> dict[str, tuple[WindowStats, ...]]:
    """What a new life holds, and the stores closed again."""
    stores = opened(path, **changes)
    try:
        aggregator = made(stores, rebuild=changes.get("rebuild", False))
        aggregator.restore()
        drain(aggregator)
        aggregator.checkpoint()
        aggregator.close()
        return held(aggregator)
    finally:
        stores.close()


def test_a_directory_is_made_and_opened_again(tmp_path: Path) -> None:
    used(tmp_path / "new")
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [
        "checkpoints.db",
        "dead-letters.db",
        "hash.key",
        "lock",
        "log.db",
        "manifest.json",
    ]
    assert set(restored(tmp_path / "new")) == {f"T{n}" for n in range(20)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"partitions": 3}, "Expected 3 partitions"),
        ({"manifest": MANIFEST | {"step_ms": 500}}, "step_ms: made with 1000, now 500"),
        ({"manifest": {"purpose": "test"}}, "step_ms: made with 1000, now absent"),
    ],
)
def test_other_settings_are_refused_and_nothing_stays_open(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    used(tmp_path)
    with pytest.raises(SettingsMismatch, match=told):
        opened(tmp_path, **changes)
    assert len(restored(tmp_path)) == 20, "the lock is free again"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(StoreLocked):
        opened(tmp_path)
    with pytest.raises(StoreLocked):
        opened(tmp_path, rebuild=True)
    first.close()
    opened(tmp_path).close()


def test_a_lost_key_is_refused_while_checkpoints_need_it(tmp_path: Path) -> None:
    used(tmp_path)
    whole = restored(tmp_path)
    (tmp_path / "hash.key").unlink()
    with pytest.raises(KeyMismatch, match="--rebuild"):
        opened(tmp_path)
    assert not (tmp_path / "hash.key").exists()
    assert restored(tmp_path, rebuild=True) == whole
    assert restored(tmp_path) == whole


def test_a_lost_key_that_nothing_needs_is_made_anew(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "hash.key").unlink()
    opened(tmp_path).close()
    assert (tmp_path / "hash.key").exists()


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _scribble(path: Path) -> None:
    """Damage everything but the first page."""
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xa5" * (path.stat().st_size - 4_096))


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [_zero, _scribble, _cut])
def test_a_rebuild_heals_any_damage_of_the_checkpoints(tmp_path: Path, damage: Any) -> None:
    used(tmp_path)
    whole = restored(tmp_path)
    damage(tmp_path / "checkpoints.db")
    with pytest.raises(StoreCorrupt):
        restored(tmp_path)
    assert restored(tmp_path, rebuild=True) == whole
    assert restored(tmp_path) == whole


def test_a_rebuild_that_was_killed_at_once_is_simply_gone_on_with(tmp_path: Path) -> None:
    used(tmp_path)
    whole = restored(tmp_path)
    opened(tmp_path, rebuild=True).close()
    assert restored(tmp_path) == whole


def test_checkpoints_that_cannot_be_removed_are_told(tmp_path: Path) -> None:
    used(tmp_path)
    (tmp_path / "checkpoints.db").unlink()
    (tmp_path / "checkpoints.db").mkdir()
    with pytest.raises(StoreError, match=r"to remove .*checkpoints.db for --rebuild"):
        opened(tmp_path, rebuild=True)


def test_the_aggregator_owns_every_partition(tmp_path: Path) -> None:
    stores = opened(tmp_path, partitions=5)
    try:
        aggregator = made(stores)
        aggregator.restore()
        configs = [shard.config for shard in aggregator.shards.values()]
        assert [config.partition for config in configs] == [0, 1, 2, 3, 4]
        assert {config.key for config in configs} == {stores.key}
        assert {config.spec for config in configs} == {SPEC}
        assert stores.key != KEY
        aggregator.close()
    finally:
        stores.close()
