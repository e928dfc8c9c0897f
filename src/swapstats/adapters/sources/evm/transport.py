"""Carries requests to one node over HTTP.

A URL may hold a secret key: errors name the host only, and no redirect is followed.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.rpc_errors import RpcRefused, RpcTimeout, RpcUnreachable

ANSWER_BYTES_MAX: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: as it came.
        retry_after: the header of that name, if there is one.
    """

    status: int
    body: bytes
    retry_after: str | None = None


class Transport(Protocol):
    """Carries one request to one node."""

    async def post(self, body: bytes) -> HttpAnswer:
        """Carry a request.

        Raises:
            RpcUnreachable: there is no answer.
            RpcRefused: the answer is larger than is good.
        """
        ...


class HttpTransport:
    """Requests over aiohttp; follows no redirects, which could carry a key elsewhere.

    Args:
        http: session to use.
        provider: whom to ask.
        timeout_ms: for one request, from connecting to the last byte.
        answer_bytes_max: answers are not read further.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        provider: Provider,
        timeout_ms: int,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._http = http
        self._provider = provider
        self._timeout_ms = timeout_ms
        self._answer_bytes_max = answer_bytes_max

    async def post(self, body: bytes) -> HttpAnswer:
        """Carry a request.

        Raises:
            RpcUnreachable: there is no answer.
            RpcRefused: the answer is larger than is good.
        """
        host = self._provider.host
        try:
            async with self._http.post(
                self._provider.url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self._timeout_ms / 1_000),
                allow_redirects=False,
            ) as answer:
                content = bytearray()
                while piece := await answer.content.readany():
                    content += piece
                    if len(content) > self._answer_bytes_max:
                        raise RpcRefused(
                            f"Expected an answer of {self._answer_bytes_max} bytes at most, "
                            f"{host} sends more"
                        )
                retry_after = answer.headers.get("Retry-After")
                return HttpAnswer(answer.status, bytes(content), retry_after)
        except TimeoutError:
            raise RpcTimeout(
                f"Expected an answer of {host} within {self._timeout_ms} ms, was none"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not chained: an error of the client may show the URL.
            raise RpcUnreachable(
                f"Expected an answer of {host}, was {type(error).__name__}"
            ) from None
