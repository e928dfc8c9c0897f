"""`swapstats config show` in its three formats."""

import json
from pathlib import Path

import pytest

from swapstats.cli.config import FORMATS, config_show, show
from swapstats.errors import UsageError
from swapstats.settings import KEYS, Settings, load, value_of

SECRETS = {
    "SWAPSTATS_SECURITY_JWT_SECRET": "hunter2",
    "SWAPSTATS_STORES_CLICKHOUSE_DSN": "clickhouse://w:hunter2@host/db",
    "SWAPSTATS_PUBSUB_NATS_URL": "nats://hunter2@host",
    "SWAPSTATS_STORES_REDIS_ADDR": "redis://:hunter2@host:6379",
    "SWAPSTATS_INGEST_BROKERS": "sasl://u:hunter2@a:9092,b:9092",
}


@pytest.fixture
def settings() -> Settings:
    return load(
        environ={"WINDOWS": "5m,1h", "SWAPSTATS_SECURITY_JWT_ENABLED": "true"},
        flags={"api.tokens": {"USDC": "1:0xa0b8", "[red]": "x"}, "app.dedupe_ttl": "1h"},
    )


def row_of(table: str, dotted: str) -> list[str]:
    (row,) = [line for line in table.splitlines() if line.startswith(f"{dotted} ")]
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


def test_the_table_has_values_units_origins_and_statuses(settings: Settings) -> None:
    table = config_show(settings)
    for dotted in KEYS:
        assert row_of(table, dotted)[0] == dotted
    assert row_of(table, "app.windows") == ["app.windows", "5m,1h", "env WINDOWS"]
    assert row_of(table, "app.grace") == ["app.grace", "2m", "= 120000 ms", "default"]
    assert row_of(table, "log.retention") == ["log.retention", "3h", "= 10800000 ms", "default"]
    assert row_of(table, "ingest.max_bytes")[1:] == ["4MiB", "= 4194304 bytes", "default"]
    assert row_of(table, "api.ws.coalesce_ms")[1:] == ["100", "ms", "default"]
    assert row_of(table, "source.demo.rate")[1:] == ["1000", "swaps/s", "default"]
    assert row_of(table, "rate_limit.by_ip.burst")[-2:] == ["default", "not yet"]
    assert row_of(table, "app.dedupe_ttl")[-2:] == ["flag --app-dedupe-ttl", "superseded"]
    assert '"[red]": x' in row_of(table, "api.tokens")[1]
    assert "note: app.dedupe_ttl (flag --app-dedupe-ttl) has no effect: superseded by" in table
    assert "run refuses: security.jwt.enabled (env SWAPSTATS_SECURITY_JWT_ENABLED)" in table


def test_the_yaml_loads_to_the_same_settings(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config_show(settings, "yaml"), encoding="utf-8")
    again = load(path, environ={})
    for key in KEYS.values():
        assert value_of(again, key) == value_of(settings, key)
    assert "  windows: [5m, 1h]  # env WINDOWS\n" in path.read_text(encoding="utf-8")


def test_the_json_has_values_in_their_unit(settings: Settings) -> None:
    document = json.loads(config_show(settings, "json"))
    assert list(document["settings"]) == list(KEYS)
    assert document["settings"]["app.windows"] == {
        "value": [300_000, 3_600_000],
        "unit": "ms",
        "text": "5m,1h",
        "from": "env WINDOWS",
        "status": "honoured",
    }
    assert document["settings"]["api.tokens"]["value"] == {"USDC": "1:0xa0b8", "[red]": "x"}
    assert document["notices"] == list(settings.notices)
    assert document["blockers"] == settings.blockers()


@pytest.mark.parametrize("style", FORMATS)
def test_secrets_are_masked(style: str, tmp_path: Path) -> None:
    text = config_show(load(environ=SECRETS), style)
    assert "hunter2" not in text
    assert "***" in text
    if style == "yaml":
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        again = load(path, environ={})
        assert not again.security.jwt.secret
        assert again.stores.redis.addr == ""


@pytest.mark.parametrize("style", FORMATS)
def test_show_prints(style: str, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    show(settings, style)
    assert capsys.readouterr().out == config_show(settings, style)


def test_an_unknown_format_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="Expected one of table, yaml, json, was 'xml'"):
        show(settings, "xml")
