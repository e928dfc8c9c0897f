"""`swapstats collect`: what it refuses, and lines of a chain or an exchange that is away."""

from pathlib import Path

import pytest

from swapstats.cli.collect import app
from swapstats.errors import Rejected, SettingsError, UsageError


def call(*arguments: str) -> object:
    return app(list(arguments), result_action="return_value")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWAPSTATS_CONFIG", raising=False)


def test_a_raw_log_needs_brokers() -> None:
    for arguments in (["evm", "--rpc", "http://127.0.0.1:1"], ["exchange", "binance:BTCUSDT"]):
        with pytest.raises(SettingsError, match=r"ingest\.broker_type .*was embedded"):
            call(*arguments)


def test_what_is_missing_is_told() -> None:
    with pytest.raises(SettingsError, match="--rpc URL"):
        call("evm", "--output", "-")
    with pytest.raises(UsageError, match="binance:BTCUSDT"):
        call("exchange", "--output", "-")
    with pytest.raises(UsageError, match="Expected --output -"):
        call("exchange", "binance:BTCUSDT", "--output", "file.ndjson")


def test_finished_swaps_are_not_collected() -> None:
    with pytest.raises(UsageError, match="use `swapstats ingest`"):
        call("exchange", "demo", "--output", "-")


def test_a_chain_that_is_none_is_told() -> None:
    with pytest.raises(Rejected, match="moon"):
        call("evm", "--chain", "moon", "--rpc", "http://127.0.0.1:1", "--output", "-")


def test_on_a_log_in_redis_it_asks_for_its_address(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ingest: {broker_type: redis}\n")
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        call("exchange", "binance:BTCUSDT", "-c", str(config))
