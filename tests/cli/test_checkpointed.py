"""A token out of the newest checkpoint: by key or symbol, in the shape of the API."""

from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS

from swapstats.cli.checkpointed import read_token
from swapstats.errors import SettingsError, UsageError
from swapstats.model.stats import FIELDS


@pytest.mark.parametrize("token", ["BTC", "Bitcoin"])
def test_by_key_and_by_symbol(data_dir: Path, token: str) -> None:
    answer = read_token(data_dir, token, None)
    assert (answer["token"], answer["symbol"]) == ("BTC", "Bitcoin")
    assert (answer["as_of"], answer["end"]) == (START_MS, START_MS + 5_000)
    assert [name for name in answer if name[0] == "w"] == ["w5m", "w1h", "w24h"]
    assert tuple(answer["w5m"]) == FIELDS
    assert answer["w24h"]["trades"] == 10
    assert answer["w24h"]["vol_usd"] == "15.000000"
    assert answer["position"]["offset"] > 0


def test_some_windows(data_dir: Path) -> None:
    answer = read_token(data_dir, "BTC", "60m,5m")
    assert [name for name in answer if name[0] == "w"] == ["w5m", "w1h"]


@pytest.mark.parametrize(
    ("token", "windows", "told"),
    [
        ("nobody", None, "'nobody', which was never seen"),
        ("TWIN", None, "which 2 have: (0xa, 0xb|0xb, 0xa)"),
        ("BTC", "7m", "Expected windows of 5m, 1h, 24h, was 7m"),
        ("BTC", "soon", "Expected a span"),
    ],
)
def test_what_is_refused(data_dir: Path, token: str, windows: str | None, told: str) -> None:
    with pytest.raises((UsageError, SettingsError), match=told):
        read_token(data_dir, token, windows)
