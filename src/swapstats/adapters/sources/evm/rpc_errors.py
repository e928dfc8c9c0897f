"""Why a question to a node has no answer, and what to do about it.

- RpcError
    - RpcUnreachable: no connection, or a server's own trouble: ask another node
        - RpcTimeout: no answer in time: ask for less, or another node
    - RpcRateLimited: asked too often: wait as long as it says
    - RpcRefused: the node says no: ask for less, or another node
    - RpcGarbage: the answer is none: ask another node
    - RpcMissing: the node does not know the block: later, or another node
"""

from email.utils import parsedate_to_datetime
from typing import Final

from swapstats.errors import Transient

RETRY_AFTER_MS: Final = 1_000
RETRY_AFTER_MS_MAX: Final = 300_000


class RpcError(Transient):
    """A question that a node did not answer."""


class RpcUnreachable(RpcError):
    """No connection, or the server has trouble of its own."""


class RpcTimeout(RpcUnreachable):
    """No answer in time."""


class RpcRateLimited(RpcError):
    """Asked too often; `retry_after_ms` says when to come back."""


class RpcRefused(RpcError):
    """The node refuses.

    Args:
        message: for people.
        code: its error code.
        said: its own words, cleaned.
    """

    def __init__(self, message: str, code: int = 0, said: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.said = said


class RpcGarbage(RpcError):
    """The answer is not what was asked for."""


class RpcMissing(RpcError):
    """The node does not know the block that was asked for, not yet or not any more."""


def retry_ms(header: str | None, now_s: float) -> int:
    """Read a Retry-After header, seconds or a date; within reason, whatever it says.

    >>> retry_ms("7", 0.0), retry_ms(None, 0.0), retry_ms("soon", 0.0), retry_ms("99999999", 0.0)
    (7000, 1000, 1000, 300000)
    >>> retry_ms("Thu, 01 Jan 1970 00:01:00 GMT", 20.0)
    40000
    """
    if header is None:
        return RETRY_AFTER_MS
    try:
        wait_ms = int(header) * 1_000
    except ValueError:
        try:
            wait_ms = int((parsedate_to_datetime(header).timestamp() - now_s) * 1_000)
        except (ValueError, OverflowError):
            return RETRY_AFTER_MS
    return max(0, min(wait_ms, RETRY_AFTER_MS_MAX)) or RETRY_AFTER_MS
