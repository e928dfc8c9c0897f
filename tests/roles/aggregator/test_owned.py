from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.window import WindowSpec
from swapstats.ports.hot_store import HotHead
from swapstats.roles.aggregator.owned import IDLE_SNAPSHOT_MS, OwnedShard

SPEC = WindowSpec(1_000, (5_000,))
NOW_MS = 1_704_412_800_000


def owned(next_offset: int = 10, target: int = 30, epoch: int = 2) -> OwnedShard:
    shard = Shard(ShardConfig(3, SPEC, HashKey.of(bytes(16))), epoch, next_offset)
    return OwnedShard(shard, target, NOW_MS)


def head(epoch: int, offset: int, t_ms: int) -> HotHead:
    return HotHead(epoch, 1, offset, t_ms, 0, 0)


def test_it_is_shown_once_it_has_passed_the_end_its_log_had() -> None:
    one = owned()
    assert one.partition == 3
    assert not one.heed(None)
    one.shard.next_offset = 30
    assert one.heed(None)


def test_it_is_shown_once_it_has_passed_what_readers_have_seen() -> None:
    one = owned()
    one.shard.next_offset = 30
    assert not one.heed(head(1, 40, NOW_MS))
    one.shard.next_offset = 40
    assert not one.has_passed_gate, "T is behind what readers have seen"
    one.shard.tick(NOW_MS)
    assert one.has_passed_gate
    assert one.heed(head(2, 99, NOW_MS + 1)), "its own words"


def test_what_is_worth_a_checkpoint() -> None:
    one = owned()
    assert not one.is_changed
    one.shard.next_offset = 11
    assert one.is_changed
    one.note_saved(11)
    assert (one.saved, one.is_changed) == ([10, 11], False)
    one.shard.tick(NOW_MS)
    one.note_saved(11)
    one.shard.tick(NOW_MS + IDLE_SNAPSHOT_MS - 1)
    assert not one.is_changed
    one.shard.tick(NOW_MS + IDLE_SNAPSHOT_MS)
    assert one.is_changed


def test_lag_is_told_only_while_something_is_unread() -> None:
    one = owned()
    assert one.lag_ms(10, NOW_MS + 5_000) == 0
    assert one.lag_ms(11, NOW_MS + 5_000) == 5_000
    assert one.lag_ms(11, NOW_MS - 5_000) == 0
