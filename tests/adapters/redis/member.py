"""A member of a group in a process of its own: tells what it is given, until killed.

Usage: member.py URL PREFIX GROUP SESSION_MS
Writes one line for each thing it is told: `assigned 0,1` or `revoked 0`.
"""

import sys
from collections.abc import Mapping, Sequence

from swapstats.adapters.redis.streams_subscription import RedisStreamsSubscription
from swapstats.errors import Transient


def tell(what: str, partitions: Sequence[int]) -> None:
    print(what, ",".join(map(str, partitions)), flush=True)


class TellingOwner:
    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        tell("assigned", partitions)
        return dict.fromkeys(partitions, 0)

    def revoked(self, partitions: Sequence[int]) -> None:
        tell("revoked", partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        tell("lost", partitions)


def main(url: str, prefix: str, group: str, session_ms: str) -> None:
    subscription = RedisStreamsSubscription(
        url, prefix, group, TellingOwner(), session_ms=int(session_ms)
    )
    while True:
        try:
            subscription.poll(100)
        except Transient as error:
            print("transient", error, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
