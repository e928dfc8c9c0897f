"""Health and readiness as JSON, with the status a supervisor looks at."""

from typing import Any

import msgspec

from swapstats.model.health import (
    DependencyStatus,
    Health,
    PartitionState,
    Readiness,
    RoleState,
)
from swapstats.observability.health_pages import health_pages


class Told:
    """What a role says; the test changes it."""

    def __init__(self) -> None:
        self.health = Health(healthy=True)
        self.state = RoleState(Readiness(ready=True), "live")
        self.pages = health_pages(lambda: self.health, lambda: self.state)

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.pages[path]()
        assert answer.content_type == "application/json"
        return answer.status, msgspec.json.decode(answer.body)


def test_health_is_200_or_503_with_the_reason() -> None:
    told = Told()
    assert told.get("/healthz") == (200, {"healthy": True})
    told.health = Health(healthy=False, reason="nothing moves")
    assert told.get("/healthz") == (503, {"healthy": False, "reason": "nothing moves"})


def test_readiness_says_all_there_is() -> None:
    told = Told()
    told.state = RoleState(
        Readiness(ready=False, progress=0.123456, reason="catching up"),
        "catching up",
        (PartitionState(3, 5, 9, 1_000, ready=False),),
        (DependencyStatus("redis", "open", 1, 2, "no answer"),),
        lag_ms=700,
    )
    assert told.get("/readyz") == (
        503,
        {
            "ready": False,
            "progress": 0.1235,
            "phase": "catching up",
            "reason": "catching up",
            "partitions": [
                {"partition": 3, "offset": 5, "end_offset": 9, "as_of": 1_000, "ready": False}
            ],
            "dependencies": [
                {"name": "redis", "state": "open", "reason": "no answer", "opens": 1, "refused": 2}
            ],
            "lag_ms": 700,
        },
    )


def test_who_is_ready_may_still_have_something_to_say() -> None:
    told = Told()
    assert told.get("/readyz")[1]["reason"] is None
    told.state = RoleState(Readiness(ready=True, warning="no partitions"), "waiting")
    code, body = told.get("/readyz")
    assert (code, body["ready"], body["reason"]) == (200, True, "no partitions")
