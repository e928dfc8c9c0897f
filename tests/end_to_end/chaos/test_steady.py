"""Two aggregators and two APIs at 3,000 swaps a second: both APIs say the same, and it is right."""

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
SECONDS = 90
CATCH_UP_MS = 60_000


@pytest.mark.prove
@pytest.mark.timeout(1_800)
def test_both_apis_say_the_same_and_it_is_right(tmp_path: Path) -> None:
    seen, say = Seen(), Progress()
    try:
        with Deployment(tmp_path, 21, rate=RATE, tokens=500, archive=True) as deployment:
            deployment.market.start()
            deployment.live()
            watchers = watch(deployment, seen)
            watchers.start()
            say(f"{SECONDS} s of {RATE} swaps a second begin")
            before = deployment.market.messages
            threading.Event().wait(SECONDS)
            rate = (deployment.market.messages - before) / SECONDS
            say(f"{rate:.0f} messages a second written, duplicates and reorgs among them")
            deployment.market.stop()
            ends = deployment.feed.log.end_offsets()
            eventually(
                lambda: deployment.reached(ends), CATCH_UP_MS, "both APIs to show the whole log"
            )
            watchers.stop()
            print(report(deployment, watchers, seen))
            say(str(expect_right(deployment, seen, tmp_path)))
            # Same position, same numbers: held against each other wherever two met.
            assert seen.agreed > SECONDS
            assert not deployment.ended
            assert all(client.counts["break"] == 0 for client in watchers.clients)
    except UsageError as error:
        pytest.skip(str(error))
