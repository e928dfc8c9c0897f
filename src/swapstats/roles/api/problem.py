"""Errors as clients see them: RFC 9457 problem details, the same over HTTP and WebSocket.

Never shows internals: what is not written here on purpose becomes `internal`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from swapstats.errors import Rejected
from swapstats.model.health import Readiness

TITLES: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be used"),
    "bad-parameter": (400, "A parameter cannot be used"),
    "unknown-window": (400, "There is no such window"),
    "bad-message": (400, "The message cannot be used"),
    "unknown-channel": (400, "There is no such channel"),
    "origin-refused": (403, "This origin may not open a stream"),
    "unknown-path": (404, "There is nothing here"),
    "unknown-token": (404, "This token was never seen"),
    "no-archive": (404, "This process keeps no archive"),
    "method-not-allowed": (405, "This method is not allowed here"),
    "ambiguous-symbol": (409, "Several tokens have this symbol"),
    "upgrade-required": (426, "A WebSocket handshake is needed here"),
    "too-many-subscriptions": (429, "Too many subscriptions"),
    "internal": (500, "Something went wrong here"),
    "not-ready": (503, "The state is not restored yet"),
    "behind": (503, "This instance has not reached your position"),
    "busy": (503, "Too much at once"),
    "timeout": (503, "This took too long"),
    "no-series": (503, "Series are not served here"),
    "unhealthy": (503, "The service does not get on"),
}
"""Name of a problem -> status and title; the `type` is `urn:swapstats:problem:<name>`."""

CONTENT_TYPE = "application/problem+json"


class Problem(Rejected):
    """An error to be told to a client.

    Args:
        name: one of TITLES.
        detail: "Expected X, was Y", and what to do.
        members: further members of the problem object.
        headers: HTTP headers that go with it.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.status, self.title = TITLES[name]
        self.detail = detail
        self.members = dict(members or {})
        self.headers = dict(headers or {})

    def body(self, **members: Any) -> bytes:
        """Write the problem object, with further members such as `channel`."""
        return msgspec.json.encode(
            {
                "type": f"urn:swapstats:problem:{self.name}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                **self.members,
                **members,
            }
        )


def not_ready(state: Readiness, dependencies: Sequence[Mapping[str, Any]] = ()) -> Problem:
    """Make the answer given until the state is restored.

    Args:
        state: how far it is, and why.
        dependencies: what the process stands on, if that was asked for.
    """
    return Problem(
        "not-ready",
        state.reason or "Expected a restored state, was one still being restored; try again",
        members={"progress": state.progress}
        | ({"dependencies": dependencies} if dependencies else {}),
        headers=retry_after(state.retry_after_ms),
    )


def retry_after(span_ms: int) -> dict[str, str]:
    """Write a `Retry-After` header: whole seconds, rounded up, at least 1."""
    return {"Retry-After": str(max(1, -(-span_ms // 1_000)))}
