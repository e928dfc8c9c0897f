"""Everything may die, hang or be cut off, in any order: nothing is lost, doubled or goes back."""

from pathlib import Path

import pytest
from tests.end_to_end.chaos.clients import watch
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.outages import Outages
from tests.end_to_end.chaos.report import Progress, report
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.chaos.verdict import expect_moved, expect_right

from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually
from swapstats.testing.outage_plan import plan_outages

pytestmark = pytest.mark.servers

CATCH_UP_MS = 120_000
COLD_AFTER = "20s"
"""Rows of the archive are moved to S3 all the while, so that its outages hurt something."""


def survive(directory: Path, seed: int, seconds: int, rate: int) -> None:
    """Run a plan to its end and prove everything."""
    seen, say = Seen(), Progress()
    with Deployment(
        directory,
        seed,
        brokers=3,
        rate=rate,
        archive=True,
        settings={"stores.clickhouse.cold_after": COLD_AFTER},
    ) as deployment:
        plan = plan_outages(seed, seconds, session_ms=deployment.settings.ingest.session_timeout_ms)
        deployment.ready()
        say(f"seed {seed}: {len(plan)} outages in {seconds} s")
        deployment.market.start()
        watchers = watch(deployment, seen)
        watchers.start()
        outages = Outages(deployment, say)
        try:
            outages.run(plan, seconds)
            deployment.market.stop()
            ends = deployment.feed.log.end_offsets()
            say(f"{sum(ends)} records in the log")

            def caught_up() -> bool:
                deployment.revive()
                return deployment.reached(ends)

            eventually(caught_up, CATCH_UP_MS, "both APIs to show the whole log")
            say("both APIs show the whole log")
        finally:
            watchers.stop()
            for name in ("aggregator-1", "aggregator-2"):
                deployment.note_fenced(name)
            print(report(deployment, watchers, seen, outages))
        say(str(expect_right(deployment, seen, directory)))
        if deployment.stack.s3 is not None and deployment.stack.clickhouse is not None:
            say(f"archive: {expect_moved(deployment.stack.config_path)}")
        assert not deployment.ended, "\n".join(deployment.ended)


@pytest.mark.timeout(600)
def test_a_minute_of_outages(tmp_path: Path) -> None:
    try:
        survive(tmp_path, seed=20, seconds=40, rate=1_000)
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, 7))
def test_minutes_of_outages(tmp_path: Path, seed: int) -> None:
    try:
        survive(tmp_path, seed=seed, seconds=60, rate=1_000)
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.prove
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", [101])
def test_ten_minutes_of_outages(tmp_path: Path, seed: int) -> None:
    try:
        survive(tmp_path, seed=seed, seconds=600, rate=3_000)
    except UsageError as error:
        pytest.skip(str(error))
