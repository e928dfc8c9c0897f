"""What listening processes share: limits from settings, addresses that are taken."""

import io
import json
from typing import Any

import pytest

from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.settings import load
from swapstats.wiring.listening import api_options, observability_servers


def test_limits_are_those_of_the_settings() -> None:
    flags: dict[str, Any] = {
        "api.ws.coalesce_ms": 50,
        "api.ws.max_conn": 7,
        "api.ws.subscriptions_max": 3,
        "api.ws.frame_bytes_max": 2_048,
        "api.ws.heartbeat": 600,
        "api.ws.slow_client_ms": 700,
        "api.tokens": {"USDC": "1:0xa0"},
    }
    options = api_options(load(environ={}, flags=flags))
    assert options.coalesce_ms == 50
    assert options.clients_max == 7
    assert options.connections_max > 7
    assert options.subscriptions_max == 3
    assert options.command_bytes_max == 2_048
    assert options.heartbeat_ms == 600
    assert options.slow_client_ms == 700
    assert options.listed == {"USDC": "1:0xa0"}


@pytest.mark.parametrize("switched", [(), ("prometheus",), ("pprof",), ("prometheus", "pprof")])
def test_servers_run_that_are_switched_on(switched: tuple[str, ...]) -> None:
    flags: dict[str, Any] = {"metrics.prometheus": "false", "metrics.pprof": "false"}
    flags |= {f"metrics.{name}": "127.0.0.1:0" for name in switched}
    said = io.StringIO()
    logs = Logs("json", "info", said)
    servers = observability_servers(load(environ={}, flags=flags), Metrics(), logs.logger("test"))
    for server in servers:
        server.close()
    logs.close()
    told = [json.loads(line)["event"] for line in said.getvalue().splitlines()]
    names = {"prometheus": "metrics", "pprof": "profiles"}
    assert told == [names[name] for name in switched]
    assert len(servers) == len(switched)
