"""`swapstats preprocess`: what it refuses before it begins."""

from pathlib import Path

import pytest

from swapstats.cli.preprocess import preprocess_command
from swapstats.errors import SettingsError


def test_it_needs_brokers(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("metrics: {prometheus: false, pprof: false}\n")
    with pytest.raises(SettingsError, match="was embedded"):
        preprocess_command(config=config)


def test_it_needs_redis_and_rules_that_can_be(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ingest: {broker_type: kafka, brokers: ['127.0.0.1:1']}\n")
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        preprocess_command(config=config)
    with pytest.raises(SettingsError, match="Expected chain ids"):
        preprocess_command(config=config, set_=["preprocess.stables=moon=0x12"])
