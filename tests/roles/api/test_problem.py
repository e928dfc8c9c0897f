"""Problem details: one shape, by name."""

import json

import pytest

from swapstats.model.health import Readiness
from swapstats.roles.api.problem import TITLES, Problem, not_ready, retry_after


@pytest.mark.parametrize("name", sorted(TITLES))
def test_every_problem_has_the_four_members(name: str) -> None:
    body = json.loads(Problem(name, "Expected this, was that").body())
    assert body == {
        "type": f"urn:swapstats:problem:{name}",
        "title": TITLES[name][1],
        "status": TITLES[name][0],
        "detail": "Expected this, was that",
    }
    assert 400 <= body["status"] < 600


def test_members_are_added() -> None:
    problem = Problem("unknown-token", "d", members={"known": ["a"]})
    body = json.loads(problem.body(channel="token:x"))
    assert (body["known"], body["channel"]) == (["a"], "token:x")


def test_not_ready_carries_progress_and_when_to_ask_again() -> None:
    problem = not_ready(Readiness(ready=False, progress=0.5, retry_after_ms=1_001))
    assert json.loads(problem.body())["progress"] == 0.5
    assert problem.headers == {"Retry-After": "2"}


@pytest.mark.parametrize(("span_ms", "text"), [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")])
def test_retry_after_is_whole_seconds_rounded_up(span_ms: int, text: str) -> None:
    assert retry_after(span_ms) == {"Retry-After": text}
