"""How an aggregator of a group is put together; what it does: tests/end_to_end/test_servers.py."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swapstats.errors import SettingsError, SettingsMismatch, UsageError
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.stack.redis import running_redis
from swapstats.testing.eventually import eventually
from swapstats.wiring.aggregate import AggregateService
from swapstats.wiring.service import RunFlags


def service_of(said: io.StringIO | None = None, /, **values: str | int) -> AggregateService:
    flags: dict[str, str | int] = {
        "ingest.broker_type": "kafka",
        "ingest.brokers": "127.0.0.1:1",
        "metrics.prometheus": "127.0.0.1:0",
    }
    settings = load(None, flags={**flags, **values}, environ={})
    return AggregateService(settings, RunFlags(), Logs("json", "warning", said or io.StringIO()))


def test_without_a_redis_it_says_which_key_is_missing() -> None:
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        service_of().run(threading.Event())


def test_a_start_waits_for_brokers_and_refuses_what_the_deployment_is_not(tmp_path: Path) -> None:
    try:
        with running_redis(tmp_path) as redis:
            place = {"stores.redis.addr": f"127.0.0.1:{redis.port}"}
            said, stop = io.StringIO(), threading.Event()
            with ThreadPoolExecutor(1) as pool:
                life = pool.submit(service_of(said, **place).run, stop)
                eventually(lambda: "topic raw-swaps" in said.getvalue(), 60_000, "its trouble")
                assert "waiting for servers" in said.getvalue()
                assert not life.done()
                stop.set()
                life.result(30)
            with pytest.raises(SettingsMismatch, match="partitions"):
                service_of(**place, **{"ingest.topic_cfg.partitions": 7}).run(threading.Event())
    except UsageError as error:
        pytest.skip(str(error))
