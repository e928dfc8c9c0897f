"""`/healthz` and `/readyz` of a role without an API, for the port of the metrics.

Same paths and meaning as those of the API: 200 or 503, with JSON that says why.
"""

from collections.abc import Callable, Mapping

import msgspec

from swapstats.model.health import Health, RoleState
from swapstats.observability.http_thread import Answer

JSON = "application/json"
Pages = Mapping[str, Callable[[], Answer]]


def health_pages(health: Callable[[], Health], state: Callable[[], RoleState]) -> Pages:
    """Make both pages, by path.

    Args:
        health: whether the process gets on.
        state: whether it does its work, and what it says of itself.
    """
    return {
        "/healthz": lambda: _health_answer(health()),
        "/readyz": lambda: _state_answer(state()),
    }


def _health_answer(health: Health) -> Answer:
    reason = {} if health.healthy else {"reason": health.reason}
    return _answer({"healthy": health.healthy, **reason}, good=health.healthy)


def _state_answer(state: RoleState) -> Answer:
    readiness = state.readiness
    body = {
        "ready": readiness.ready,
        "progress": round(readiness.progress, 4),
        "phase": state.phase,
        "reason": readiness.reason or readiness.warning,
        "partitions": [
            {
                "partition": part.partition,
                "offset": part.offset,
                "end_offset": part.end_offset,
                "as_of": part.as_of_ms,
                "ready": part.ready,
            }
            for part in state.partitions
        ],
        "dependencies": [status.members() for status in state.dependencies],
        "lag_ms": state.lag_ms,
    }
    return _answer(body, good=readiness.ready)


def _answer(body: Mapping[str, object], *, good: bool) -> Answer:
    return Answer(200 if good else 503, msgspec.json.encode(body), JSON)
