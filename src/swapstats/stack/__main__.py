"""`python -m swapstats.stack`: real servers on this machine, until Ctrl-C."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from swapstats.errors import SwapstatsError
from swapstats.stack.local_stack import PARTITIONS, LocalStack

_LOOK_S: Final = 1.0
_HELP: Final = (
    "Start Kafka, Redis, NATS and, if they are there, an S3 server (versitygw) and what stands in "
    "for ClickHouse (chdb) on free loopback ports, make the topics, and write a configuration for "
    "the roles."
)


def main(arguments: list[str], stop: threading.Event) -> int:
    """Run the stack until `stop` is set or a server ends.

    Args:
        arguments: of the command line.
        stop: set it to end gracefully.

    Returns:
        Exit status: 0 after `stop`, 1 if something failed.
    """
    parser = argparse.ArgumentParser(prog="python -m swapstats.stack", description=_HELP)
    parser.add_argument("--dir", type=Path, default=Path("data/stack"), help="for data and logs")
    parser.add_argument("--brokers", type=int, default=1, help="Kafka brokers, 1 to 3")
    parser.add_argument("--partitions", type=int, default=PARTITIONS, help="of the log")
    asked = parser.parse_args(arguments)
    _tell("starting; the first time Kafka is fetched, which takes a minute or two")
    try:
        stack = LocalStack(asked.dir, brokers=asked.brokers, partitions=asked.partitions)
        with stack:
            _tell_what_next(stack)
            while not stop.wait(_LOOK_S):
                ended = stack.ended()
                if ended:
                    _tell(f"Expected {', '.join(ended)} to run, was an end: see {stack.directory}")
                    return 1
            _tell("stopping")
    except SwapstatsError as error:
        _tell(str(error))
        return 1
    _tell("stopped; the data is kept")
    return 0


def _tell_what_next(stack: LocalStack) -> None:
    brokers = ", ".join(str(broker.pid) for broker in stack.kafka.brokers)
    _tell(f"Kafka {stack.kafka.bootstrap} (pid {brokers})")
    _tell(f"Redis {stack.redis.url} (pid {stack.redis.pid})")
    if stack.nats is not None:
        _tell(f"NATS {stack.nats.url} (pid {stack.nats.pid})")
    if stack.s3 is not None and stack.s3_access is not None:
        _tell(f"S3 {stack.s3_access.endpoint} (pid {stack.s3.pid})")
    if stack.clickhouse is not None:
        _tell(f"ClickHouse (chdb) {stack.clickhouse_dsn} (pid {stack.clickhouse.pid})")
    for missing in stack.missing:
        _tell(f"without: {missing}")
    config = os.path.relpath(stack.config_path)
    _tell("Next, each in a terminal of its own, `aggregate` and `serve` as often as you like:")
    for role in ("ingest --source demo", "aggregate", "serve --api-http-addr 127.0.0.1:8080"):
        name, _, rest = role.partition(" ")
        _tell(f"  swapstats {name} --config {config} {rest}".rstrip())
    _tell("Ctrl-C here stops the servers.")


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    _stop = threading.Event()
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, lambda *_: _stop.set())
    sys.exit(main(sys.argv[1:], _stop))
