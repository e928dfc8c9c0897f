"""Which member of a group holds which partition, agreed upon in Redis.

    {prefix:log}:group:NAME:members   sorted set: member -> when it is taken for dead, in ms
    {prefix:log}:group:NAME:leases    hash: partition -> member

A lease lasts as long as its member is heard of. Every member asks for itself: one script drops the
dead, works out how many partitions each one living should have, and gives the asker free ones up
to that number. Who has more is told so and gives some up; so a partition is never taken away from
a member that is heard of. Time is that of Redis.
"""

from dataclasses import dataclass
from typing import Final

from swapstats.adapters.redis.connection import RedisLine, Script, tagged

# KEYS: members, leases. ARGV: member, session in ms, number of partitions.
_RENEW: Final = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
local living, rank = {}, 0
for at, member in ipairs(members) do
  living[member] = true
  if member == ARGV[1] then rank = at - 1 end
end
local partitions = tonumber(ARGV[3])
local share = math.floor(partitions / #members)
if rank < partitions % #members then share = share + 1 end
local fields = {}
for at = 1, partitions do fields[at] = tostring(at - 1) end
local mine, free = {}, {}
for at, holder in ipairs(redis.call('HMGET', KEYS[2], unpack(fields))) do
  if holder == ARGV[1] and known then
    mine[#mine + 1] = at - 1
  elseif not holder or not living[holder] or holder == ARGV[1] then
    free[#free + 1] = at - 1
  end
end
for _, partition in ipairs(free) do
  if #mine < share then
    redis.call('HSET', KEYS[2], partition, ARGV[1])
    mine[#mine + 1] = partition
  elseif not known then
    -- A lease from before this member was taken for dead is not one any more.
    local holder = redis.call('HGET', KEYS[2], partition)
    if holder == ARGV[1] then redis.call('HDEL', KEYS[2], partition) end
  end
end
return {known and 1 or 0, share, mine}
""")
_TOUCH: Final = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local until_ms = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
if until_ms <= now then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1
""")
_RELEASE: Final = Script("""
for at = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[at]) end
end
""")
_LEAVE: Final = Script("""
redis.call('ZREM', KEYS[1], ARGV[1])
local held = redis.call('HGETALL', KEYS[2])
for at = 1, #held, 2 do
  if held[at + 1] == ARGV[1] then redis.call('HDEL', KEYS[2], held[at]) end
end
""")


@dataclass(frozen=True, slots=True)
class LeaseShare:
    """What a member has.

    Attributes:
        went_on: False if the group did not know the member, or took it for dead: whatever it had
            before it has lost.
        share: how many partitions it should have.
        mine: those it has now, ascending; more than `share` if others wait for some.
    """

    went_on: bool
    share: int
    mine: tuple[int, ...]


class PartitionLeases:
    """One member's leases.

    Args:
        line: to the Redis.
        prefix: of the log.
        group: name of the group.
        member: name of the member, of its own within the group.
        partition_count: partitions of the log.
        session_ms: a member not heard of for so long is taken for dead.
    """

    def __init__(
        self,
        line: RedisLine,
        prefix: str,
        group: str,
        member: str,
        partition_count: int,
        session_ms: int,
    ) -> None:
        tag = tagged(prefix, "log")
        self._line = line
        self._keys = [f"{tag}:group:{group}:{kind}" for kind in ("members", "leases")]
        self._member = member
        self._partition_count = partition_count
        self._session_ms = session_ms

    def renew(self) -> LeaseShare:
        """Be heard of, and take free partitions up to the member's share.

        Raises:
            Transient: Redis cannot be reached.
        """
        went_on, share, mine = self._line.run(
            _RENEW, self._keys, self._member, self._session_ms, self._partition_count
        )
        return LeaseShare(bool(went_on), share, tuple(sorted(mine)))

    def touch(self) -> bool:
        """Be heard of and nothing more; False if the group has given the member up.

        Raises:
            Transient: Redis cannot be reached.
        """
        return bool(self._line.run(_TOUCH, self._keys, self._member, self._session_ms))

    def release(self, partitions: list[int]) -> None:
        """Give partitions up; harmless for those of others.

        Raises:
            Transient: Redis cannot be reached.
        """
        self._line.run(_RELEASE, self._keys, self._member, *partitions)

    def leave(self) -> None:
        """Give everything up and leave the group.

        Raises:
            Transient: Redis cannot be reached; the leases run out by themselves.
        """
        self._line.run(_LEAVE, self._keys, self._member)
