"""Every process is stopped and started again in turn, under load: no gap, no double."""

import threading
from pathlib import Path

import pytest
from tests.end_to_end.chaos.clients import watch
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.report import Progress, report
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.chaos.verdict import expect_right

from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually

pytestmark = pytest.mark.servers

RATE = 3_000
WAIT_MS = 120_000
BETWEEN_S = 5.0
AGE_MS_MAX = 15_000
"""Answers may not be older than this while processes come and go one at a time."""


@pytest.mark.prove
@pytest.mark.timeout(2_400)
def test_a_rolling_restart_is_nothing_special(tmp_path: Path) -> None:
    seen, say = Seen(), Progress()
    try:
        with Deployment(tmp_path, 41, rate=RATE, tokens=500) as deployment:
            deployment.market.start()
            deployment.live()
            watchers = watch(deployment, seen)
            watchers.start()
            roll_aggregators(deployment, say)
            roll_apis(deployment, say)
            deployment.market.stop()
            ends = deployment.feed.log.end_offsets()
            names = ["api-1", "api-2"]
            eventually(lambda: deployment.reached(ends, names), WAIT_MS, "the whole log")
            watchers.stop()
            print(report(deployment, watchers, seen))
            del deployment.ports["api-3"]
            say(str(expect_right(deployment, seen, tmp_path)))
            assert not deployment.ended
            assert max(age for poller in watchers.pollers for age in poller.age_ms) < AGE_MS_MAX
    except UsageError as error:
        pytest.skip(str(error))


def roll_aggregators(deployment: Deployment, say: Progress) -> None:
    """One more, each of the old ones anew, one less."""
    for name in ("aggregator-3", "aggregator-1", "aggregator-2"):
        if name != "aggregator-3":
            expect_stop(deployment, name, say)
        deployment.start(name)
        owns(deployment, name, say)
    expect_stop(deployment, "aggregator-3", say)
    everything_moves(deployment, say)


def roll_apis(deployment: Deployment, say: Progress) -> None:
    """The same with APIs."""
    for name in ("api-3", "api-1", "api-2"):
        if name != "api-3":
            expect_stop(deployment, name, say)
        deployment.start(name)
        everything_moves(deployment, say)
        say(f"{name} answers")
    expect_stop(deployment, "api-3", say)


def expect_stop(deployment: Deployment, name: str, say: Progress) -> None:
    """Stop a role as an operator does; it ends in good order."""
    status = deployment.role(name).end()
    assert status == 0, deployment.role(name).said[-2_000:]
    say(f"{name} stopped")


def owns(deployment: Deployment, name: str, say: Progress) -> None:
    """Wait until an aggregator has partitions and all of them are live."""
    process = deployment.role(name)
    eventually(
        lambda: any(line["owned"] for line in process.events("partitions")),
        WAIT_MS,
        f"{name} to own partitions",
    )
    everything_moves(deployment, say)
    say(f"{name} owns {process.events('partitions')[-1]['owned']}")


def everything_moves(deployment: Deployment, say: Progress) -> None:
    """Wait until every API that lives shows what the log holds now, and go on a little."""
    ends = deployment.feed.log.end_offsets()
    alive = [
        name for name in deployment.api_names() if deployment.role(name).process.poll() is None
    ]
    eventually(lambda: deployment.reached(ends, alive), WAIT_MS, "the log so far")
    threading.Event().wait(BETWEEN_S)
