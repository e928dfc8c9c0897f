"""From 12 to 24 partitions under load, as docs/OPERATIONS.md says ("More partitions")."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.end_to_end.chaos.clients import StreamClient, Watchers, watch
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.report import Progress, report
from tests.end_to_end.chaos.seen import Seen
from tests.end_to_end.chaos.verdict import expect_answers, expect_audit, expect_windows
from tests.end_to_end.service_process import clean_environment
from tests.end_to_end.stack_roles import ANY_KEY, as_stats

from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.core.column_recount import ColumnRecount
from swapstats.errors import UsageError
from swapstats.model.window import WindowSpec
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import Settings, load
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import kafka_address

pytestmark = pytest.mark.servers

RATE = 3_000
PAST_S = 600
"""Of the market, in the log before the copy begins: what the demo delivers at its first start."""
NEW = "raw-swaps-24"
PARTITIONS = 24
WAIT_MS = 600_000
FOLLOWED_S = 20.0
"""How long the copy follows before the switch."""
AHEAD = 20 * RATE
"""Records that come after the switch before anything is compared."""


@pytest.mark.prove
@pytest.mark.timeout(3_000)
def test_a_log_moves_to_more_partitions_while_swaps_come(tmp_path: Path) -> None:
    say = Progress()
    try:
        with Deployment(
            tmp_path,
            51,
            ("ingest-1", "aggregator-1", "aggregator-2", "api-1"),
            past_ms=0,
            settings={
                "source.use": ("demo",),
                "source.demo.rate": str(RATE),
                "source.demo.tokens": "500",
            },
        ) as deployment:
            old = deployment.feed.log
            eventually(lambda: sum(old.end_offsets()) > PAST_S * RATE, WAIT_MS, "the market's past")
            deployment.ready()
            seen = Seen()
            watchers = watch(deployment, seen)
            watchers.start()
            say(f"{sum(old.end_offsets())} records in 12 partitions; the copy begins")
            config = migrate(deployment, tmp_path, say)
            move_on(deployment, config, watchers, say)
            expect_nothing_lost(deployment, load(config, environ={}), config, tmp_path, say)
            watchers.stop()
            print(report(deployment, watchers, seen))
            assert not seen.complaints, "\n".join(seen.complaints)
            assert not deployment.ended
    except UsageError as error:
        pytest.skip(str(error))


def migrate(deployment: Deployment, directory: Path, say: Progress) -> Path:
    """Steps 1 to 3; returns the configuration of the new log."""
    old = deployment.feed.log
    command = [sys.executable, "-m", "swapstats", "topics", "migrate", NEW]
    command += ["--partitions", str(PARTITIONS), "--follow", "--config"]
    copy = subprocess.Popen(
        [*command, str(deployment.stack.config_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(),
    )
    config = new_config(deployment.stack.config_path, directory / "new.yaml")
    try:
        new = eventually(lambda: opened(config), WAIT_MS, "the new topic")
        assert new is not None
        log = new

        def left() -> int:
            assert copy.poll() is None, copy.communicate()[0].decode()
            # Each record is copied once unless the copy is started again.
            return sum(old.end_offsets()) - sum(log.end_offsets())

        began_s, before = time.monotonic(), sum(old.end_offsets())
        eventually(lambda: left() <= RATE, WAIT_MS, "the copy to catch up")
        took_s, copied = time.monotonic() - began_s, sum(log.end_offsets())
        came = sum(old.end_offsets()) - before
        say(
            f"{copied} records copied in {took_s:.1f} s ({copied / took_s:.0f} a second) while "
            f"{came} came ({came / took_s:.0f} a second)"
        )
        threading.Event().wait(FOLLOWED_S)
        eventually(lambda: left() <= RATE, WAIT_MS, "the copy to follow")
        say("less than a second of swaps is left: ingest stops")
        assert deployment.role("ingest-1").end() == 0
        eventually(lambda: left() <= 0, WAIT_MS, "the rest to be copied")
        copy.send_signal(signal.SIGINT)
        told = copy.communicate(timeout=60)[0].decode()
        assert copy.returncode == 0, told
        assert " 0 left" in told, told
        say(told.splitlines()[-2])
        log.close()
    finally:
        copy.kill()
    deployment.start("ingest-1", config=config)
    return config


def opened(config: Path) -> KafkaSwapLog | None:
    """The new log, once it is there."""
    settings = load(config, environ={})
    try:
        return KafkaSwapLog(kafka_address(settings), NEW, ANY_KEY, PARTITIONS)
    except Exception:
        return None


def new_config(old: Path, path: Path) -> Path:
    """The configuration of the stack, with what steps 3 to 5 change."""
    values: dict[str, Any] = yaml.safe_load(old.read_text(encoding="utf-8"))
    values["ingest"] |= {"topic": NEW, "group_id": "swapstats-24"}
    values["ingest"]["topic_cfg"]["partitions"] = PARTITIONS
    values["stores"]["redis"]["prefix"] = "swapstats-24"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def move_on(deployment: Deployment, config: Path, watchers: Watchers, say: Progress) -> None:
    """Steps 4 and 5: new aggregators and APIs; clients move; the old ones stop."""
    for name in ("aggregator-3", "aggregator-4", "api-2"):
        deployment.start(name, config=config)
    log = opened(config)
    assert log is not None
    ends = log.end_offsets()
    eventually(lambda: deployment.reached(ends, ["api-2"]), WAIT_MS, "the new API to show the copy")
    say("the new API shows the copied log: clients move")
    seen = Seen()
    for client in watchers.clients:
        client.move([deployment.url("api-2")], seen)
    counts = [client.counts["connect"] for client in watchers.clients]
    eventually(
        lambda: all(
            client.connected and client.counts["connect"] > before
            for client, before in zip(watchers.clients, counts, strict=True)
        ),
        WAIT_MS,
        "clients at the new API",
    )
    for name in ("api-1", "aggregator-1", "aggregator-2"):
        assert deployment.role(name).end() == 0, deployment.role(name).said[-2_000:]
    del deployment.ports["api-1"]
    say("old roles are stopped")
    began_s, began = time.monotonic(), sum(log.end_offsets())
    target = began + AHEAD
    eventually(lambda: sum(log.end_offsets()) > target, WAIT_MS, "more swaps")
    say(f"{(sum(log.end_offsets()) - began) / (time.monotonic() - began_s):.0f} records a second")
    assert deployment.role("ingest-1").end() == 0
    ends = log.end_offsets()
    log.close()
    eventually(lambda: deployment.reached(ends), WAIT_MS, "the new API to show everything")
    expect_moved(watchers.clients, seen)


def expect_moved(clients: list[StreamClient], seen: Seen) -> None:
    """Every client has gone on at the new API, and nothing it was told there disagrees."""
    assert seen.told > 0
    assert not seen.complaints, "\n".join(seen.complaints)
    assert all(client.connected for client in clients)


def expect_nothing_lost(
    deployment: Deployment, settings: Settings, config: Path, directory: Path, say: Progress
) -> None:
    """The new API says what the new log says, and what both logs together say."""
    log = opened(config)
    assert log is not None
    tokens, windows = expect_windows(deployment, settings, log, ["api-2"])
    say(f"{tokens} tokens, {windows} windows equal a recount of the new log")
    answers = [
        deployment.ask("api-2", f"/api/tokens/{key}/stats?numbers=string")
        for key in some_keys(deployment)
    ]
    # Both logs together hold the new one and whatever was lost on the way to it.
    by_end: dict[int, Any] = {}
    for answer in answers:
        end = answer["end"]
        if end not in by_end:
            by_end[end] = both_recounted(
                [deployment.feed.log, log], settings.windows, end - 1, settings.app.max_ahead_ms
            )
        for name in settings.windows.names:
            held = as_stats(answer[f"w{name}"])
            wanted = by_end[end][answer["token"]][settings.windows.names.index(name)]
            assert held == wanted, (answer["token"], name, held, wanted)
    say(f"{len(answers)} tokens equal a recount of the old log and what came after")
    assert expect_answers(settings, answers[:10], directory) == min(10, len(answers))
    expect_audit(config)
    log.close()


def some_keys(deployment: Deployment) -> list[str]:
    """Keys of the busiest tokens, as they go into a path."""
    rows = deployment.ask("api-2", "/api/overview?window=24h&limit=200&sort=trades")["rows"]
    return [row["token"].replace(":", "%3A") for row in rows]


def both_recounted(
    logs: Sequence[SwapLogReader], spec: WindowSpec, t_ms: int, max_ahead_ms: int
) -> dict[str, Any]:
    """Recount several logs as if they were one; what both hold is recognised."""
    recount = ColumnRecount(spec, t_ms, ANY_KEY, max_ahead_ms, 0, refuses_late=False)
    for log in logs:
        for partition, end in enumerate(log.end_offsets()):
            offset = 0
            while offset < end:
                batch = log.read(partition, offset, 1 << 20)
                assert batch is not None
                recount.feed(batch)
                offset = batch.next_offset
    return dict(recount.windows())
