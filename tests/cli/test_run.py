"""`run`: what it refuses before anything is made. Its life: tests/end_to_end/test_service.py."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Said

from swapstats.cli.run import pairs
from swapstats.errors import SettingsError

Cli = Callable[..., Said]


@pytest.fixture(autouse=True)
def switch_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "log.retention=25h"], "Expected at least 26h (widest window + app.max_ahead"),
        (["--set", "security.jwt.enabled=true"], "security.jwt.enabled"),
        (["--api-http-addr", "0.0.0.0:0"], "security.allow_unauthenticated"),
        (["--set", "metrics.prometheus=0.0.0.0:0"], "security.allow_unauthenticated"),
        (["--set", "metrics.pprof=0.0.0.0:0"], "metrics.pprof"),
        (["--set", "ingest.broker_type=kafka"], "ingest.brokers"),
        (
            ["--set", "ingest.broker_type=kafka", "--set", "ingest.brokers=127.0.0.1:1"],
            "stores.redis.addr",
        ),
        (["--set", "app.gracce=1s"], "Expected a known key, was app.gracce. Nearest: app.grace"),
        (["--set", "app.grace"], "Expected --set key=value, was 'app.grace'"),
        (["--windows", "7s"], "multiples of the bucket step"),
        (["--source", "kraken"], "Expected a source of auto, demo"),
        (["--source", "demo", "--source", "demo"], "Expected each source once"),
        (["--log-level", "loud"], "log_level"),
        (["-c", "/nowhere.yaml"], "/nowhere.yaml"),
        (
            ["--set", "metrics.pprof=127.0.0.1:7", "--set", "metrics.prometheus=127.0.0.1:7"],
            "Expected another address",
        ),
    ],
)
def test_what_is_refused_is_status_2_and_leaves_no_directory(
    cli: Cli, tmp_path: Path, arguments: list[str], told: str
) -> None:
    said = cli("run", "--data-dir", tmp_path / "data", *arguments)
    assert said.status == 2
    assert told in " ".join(said.err.split())
    assert not (tmp_path / "data").exists()


def test_pairs_are_split_at_the_first_equals_sign() -> None:
    assert pairs(["a.b = c", "stores.clickhouse.dsn=x?y=z", "e="]) == {
        "a.b": "c",
        "stores.clickhouse.dsn": "x?y=z",
        "e": "",
    }
    with pytest.raises(SettingsError, match="key=value"):
        pairs(["none"])
