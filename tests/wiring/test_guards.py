"""Breakers as the settings want them; what is given up and comes back is said."""

import io
import json
from typing import Any

import pytest

from swapstats.errors import SettingsError, Transient
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.testing.manual_clock import ManualClock
from swapstats.wiring.guards import Guards


class Made:
    """Guards of some settings, with a clock and what they said."""

    def __init__(self, **flags: Any) -> None:
        self._written = io.StringIO()
        self._logs = Logs("json", "info", self._written)
        self.clock = ManualClock()
        settings = load(environ={}, flags={f"breaker.{key}": flags[key] for key in flags})
        self.guards = Guards(settings, self.clock, self._logs.logger("test"))

    def said(self) -> list[dict[str, Any]]:
        self._logs.close()
        return [json.loads(line) for line in self._written.getvalue().splitlines()]


def away() -> None:
    raise Transient("Expected an answer, was none")


def test_a_dependency_is_given_up_and_taken_back_as_the_settings_say() -> None:
    made = Made(failures=2, open="2s", open_max="3s", half_open=1)
    hot, other = made.guards.breaker("hot store"), made.guards.breaker("checkpoints")
    for _ in range(2):
        with pytest.raises(Transient, match="was none"):
            hot.call(away)
    with pytest.raises(Transient, match="was given up"):
        hot.call(away)
    other.call(lambda: None)
    assert [(told.name, told.state, told.opens) for told in made.guards.status()] == [
        ("hot store", "open", 1),
        ("checkpoints", "closed", 0),
    ]
    made.clock.advance(2_000)
    hot.call(lambda: None)
    assert [told.state for told in made.guards.status()] == ["closed", "closed"]
    said = made.said()
    assert [line["event"] for line in said] == ["dependency given up", "dependency is back"]
    assert said[0]["name"] == "hot store"
    assert "was none" in said[0]["reason"]
    assert said[1]["refused"] == 1


def test_connections_stand_beside_them() -> None:
    made = Made()
    made.guards.link("nats", lambda: False, lambda: 3)
    (told,) = made.guards.status()
    assert (told.name, told.state, told.refused) == ("nats", "open", 3)


def test_a_longest_opening_below_the_first_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"breaker\.open_max .*5000 ms, was 1000 ms"):
        Made(open="5s", open_max="1s")
