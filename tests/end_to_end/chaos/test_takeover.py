"""One of two aggregators is killed with a million swaps held: the other one goes on fresh."""

import time
from pathlib import Path

import pytest
from tests.end_to_end.chaos.clients import StreamClient, watch
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.report import Progress, report
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.chaos.verdict import expect_right

from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually

pytestmark = pytest.mark.servers

RATE = 3_000
HELD = 1_000_000
MARGIN_MS = 2_000
WAIT_MS = 60_000


@pytest.mark.prove
@pytest.mark.timeout(2_400)
def test_a_killed_aggregator_costs_seconds(tmp_path: Path) -> None:
    seen, say = Seen(), Progress()
    past_ms = HELD * 1_000 // RATE
    try:
        with Deployment(tmp_path, 31, rate=RATE, tokens=500, past_ms=past_ms) as deployment:
            deployment.market.start()
            deployment.live()
            say(f"{sum(deployment.feed.log.end_offsets())} records in the log")
            watchers = watch(deployment, seen)
            watchers.start()
            eventually(
                lambda: all(client.counts["patch"] for client in watchers.clients),
                WAIT_MS,
                "patches at every client",
            )
            before = [dict(client.counts) for client in watchers.clients]
            took_ms = kill_and_measure(deployment, "aggregator-1")
            for name, ms in took_ms.items():
                say(f"{name}: every partition past the log's end as of the kill after {ms:.0f} ms")
            expect_streams_kept(watchers.clients, before, say)
            deployment.market.stop()
            ends = deployment.feed.log.end_offsets()
            eventually(lambda: deployment.reached(ends), WAIT_MS, "the whole log")
            watchers.stop()
            print(report(deployment, watchers, seen))
            say(str(expect_right(deployment, seen, tmp_path)))
            session_ms = deployment.settings.ingest.session_timeout_ms
            assert max(took_ms.values()) <= session_ms + MARGIN_MS
    except UsageError as error:
        pytest.skip(str(error))


def kill_and_measure(deployment: Deployment, victim: str) -> dict[str, float]:
    """Kill a role; returns how long each API took to show what the log held at that moment."""
    deployment.role(victim).close()
    killed_s = time.monotonic()
    ends = deployment.feed.log.end_offsets()
    took_ms: dict[str, float] = {}

    def all_fresh() -> bool:
        for name in deployment.api_names():
            if name not in took_ms and deployment.reached(ends, [name]):
                took_ms[name] = (time.monotonic() - killed_s) * 1_000
        return len(took_ms) == len(deployment.api_names())

    eventually(all_fresh, WAIT_MS, "the other aggregator to take over")
    return took_ms


def expect_streams_kept(
    clients: list[StreamClient], before: list[dict[str, int]], say: Progress
) -> None:
    """No connection broke; a new owner is a new stream, so each token has one snapshot at most."""
    for client, counts in zip(clients, before, strict=True):
        forced = client.counts["snapshot"] - counts["snapshot"]
        say(f"stream {client.name}: {forced} snapshots by the hand-over, no break")
        assert client.counts["connect"] == counts["connect"] == 1
        assert client.counts["break"] == 0
        assert forced <= len(client.tokens)
