"""The floor of catching up: consume and decode the whole topic, drop the results. Result: JSON.

Client properties are those of `swapstats aggregate`, fetch back-off included; each message becomes
one msgspec Struct. Whoever reads the topic with this client in Python cannot be quicker.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from swapstats.adapters.kafka.client import kafka_consumer
from swapstats.roles.bench.floor import decode_one
from swapstats.settings import load
from swapstats.wiring.brokers import kafka_address, subscription_options

AT_ONCE = 500
PATIENCE_S = 30.0
value: Callable[[Any], Any] = Message.value


def measure(config: Path, group: str, total: int) -> dict[str, float]:
    settings = load(config)
    options = subscription_options(settings)
    consumer = kafka_consumer(kafka_address(settings).client() | options.properties(group))

    def begin(client: Consumer, places: Sequence[TopicPartition]) -> None:
        client.incremental_assign(
            [TopicPartition(place.topic, place.partition, 0) for place in places]
        )

    consumer.subscribe([settings.ingest.topic], on_assign=begin)
    taken, wall, cpu = 0, 0.0, 0.0
    until = time.monotonic() + PATIENCE_S
    while taken < total:
        messages = consumer.consume(AT_ONCE, 0.2)
        if not messages:
            if time.monotonic() > until:
                raise RuntimeError(f"Expected {total} messages, was {taken} and then silence")
            continue
        until = time.monotonic() + PATIENCE_S
        if not taken:
            wall, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            decode_one(value(message))
        taken += len(messages)
    found = {
        "messages": taken,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }
    consumer.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--total", type=int, required=True, help="messages in the topic")
    given = parser.parse_args()
    json.dump(measure(given.config, given.group, given.total), sys.stdout)


if __name__ == "__main__":
    main()
