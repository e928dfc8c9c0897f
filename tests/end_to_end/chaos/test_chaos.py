"""Everything may die, hang or be cut off, in any order: nothing is lost, doubled or goes back."""

from pathlib import Path

import pytest
from tests.end_to_end.chaos.clients import Poller, StreamClient, Watchers
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.outages import Outages
from tests.end_to_end.chaos.report import Progress, report
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.chaos.verdict import expect_right

from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually
from swapstats.testing.outage_plan import plan_outages

CATCH_UP_MS = 120_000
WATCHED = 12


def watch(deployment: Deployment, seen: Seen) -> Watchers:
    """A stream that stays with each API, one that wanders, and a poller of each API."""
    names = deployment.api_names()
    overview = deployment.ask(names[0], "/api/overview?window=5m&limit=500&sort=trades")
    keys = [row["token"] for row in overview["rows"]]
    tokens = [*keys[: WATCHED // 2], *keys[-WATCHED // 2 :]]
    urls = [deployment.url(name) for name in names]
    clients = [
        StreamClient(f"of {name}", [url], tokens, seen)
        for name, url in zip(names, urls, strict=True)
    ]
    clients.append(StreamClient("that wanders", urls, tokens, seen))
    pollers = [Poller(name, url, keys, seen) for name, url in zip(names, urls, strict=True)]
    return Watchers(clients, pollers)


def survive(directory: Path, seed: int, seconds: int, rate: int, session: str) -> None:
    """Run a plan to its end and prove everything."""
    seen, say = Seen(), Progress()
    with Deployment(
        directory, seed, brokers=3, rate=rate, settings={"ingest.session_timeout": session}
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
            print(report(deployment, watchers, seen, outages))
        say(str(expect_right(deployment, seen, directory)))
        assert not deployment.ended, "\n".join(deployment.ended)


@pytest.mark.timeout(600)
def test_a_minute_of_outages(tmp_path: Path) -> None:
    try:
        survive(tmp_path, seed=1, seconds=40, rate=1_000, session="3s")
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.prove
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", [101])
def test_ten_minutes_of_outages(tmp_path: Path, seed: int) -> None:
    try:
        survive(tmp_path, seed=seed, seconds=600, rate=3_000, session="6s")
    except UsageError as error:
        pytest.skip(str(error))
