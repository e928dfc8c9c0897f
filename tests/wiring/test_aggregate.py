"""How an aggregator of a group is put together; what it does: tests/end_to_end/test_servers.py."""

import threading
from pathlib import Path

import pytest

from swapstats.errors import SettingsError, SettingsMismatch, Transient, UsageError
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.stack.redis import running_redis
from swapstats.wiring.aggregate import AggregateService
from swapstats.wiring.service import RunFlags


def service_of(**values: str | int) -> AggregateService:
    flags: dict[str, str | int] = {
        "ingest.broker_type": "kafka",
        "ingest.brokers": "127.0.0.1:1",
        "metrics.prometheus": "127.0.0.1:0",
    }
    settings = load(None, flags={**flags, **values}, environ={})
    return AggregateService(settings, RunFlags(), Logs("json", "error"))


def test_without_a_redis_it_says_which_key_is_missing() -> None:
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        service_of().run(threading.Event())


def test_other_windows_than_those_of_the_deployment_are_refused(tmp_path: Path) -> None:
    try:
        with running_redis(tmp_path) as redis:
            place = {"stores.redis.addr": f"127.0.0.1:{redis.port}"}
            stop = threading.Event()
            stop.set()
            with pytest.raises(Transient, match="topic raw-swaps"):
                service_of(**place).run(stop)
            with pytest.raises(SettingsMismatch, match="partitions"):
                service_of(**place, **{"ingest.topic_cfg.partitions": 7}).run(stop)
    except UsageError as error:
        pytest.skip(str(error))
