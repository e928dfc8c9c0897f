"""A member of a consumer group in a process of its own: tells what it is given, until killed.

Usage: member.py BROKERS TOPIC GROUP SESSION_TIMEOUT_MS [STATIC_NAME]
Writes one line for each thing it is told: `assigned 0,1` or `revoked 0`.
"""

import sys
from collections.abc import Mapping, Sequence

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.subscription import KafkaSubscription
from swapstats.adapters.kafka.subscription_options import SubscriptionOptions
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


def main(brokers: str, topic: str, group: str, session_ms: str, name: str | None = None) -> None:
    options = SubscriptionOptions(member=name, session_timeout_ms=int(session_ms))
    subscription = KafkaSubscription(KafkaAddress(brokers), topic, group, TellingOwner(), options)
    while True:
        try:
            subscription.poll(100)
        except Transient as error:
            print("transient", error, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
