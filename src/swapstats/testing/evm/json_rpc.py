"""JSON-RPC of a node, one call after the other: for those who steer a chain, not who read it."""

import http.client
import itertools
import json
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT_S: Final = 60.0


class RpcFailure(Exception):
    """A node answered with an error.

    Attributes:
        code: its number.
        message: its text.
    """

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        self.code: int = error.get("code", 0)
        self.message: str = error.get("message", "")
        super().__init__(f"Expected a result of {method}, was an error: {error}")


class JsonRpc:
    """A connection to one node, kept open; for one thread at a time.

    Args:
        url: where it answers.
        timeout_s: how long one answer may take.
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s
        )
        self._ids = itertools.count(1)

    def call(self, method: str, *params: Any, headers: dict[str, str] | None = None) -> Any:
        """Call a method.

        Args:
            method: name.
            params: positional parameters.
            headers: further ones of HTTP.

        Returns:
            Its result.

        Raises:
            RpcFailure: the node answered with an error.
            OSError: no answer.
        """
        body = self._request(method, params)
        answer = self._post(json.dumps(body), headers or {})
        if "error" in answer:
            raise RpcFailure(method, answer["error"])
        return answer["result"]

    def call_many(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        """Call methods in one request, in this order.

        Raises:
            RpcFailure: one of them was answered with an error; the others were carried out.
            OSError: no answer.
        """
        if not calls:
            return []
        bodies = [self._request(method, params) for method, params in calls]
        answers = {answer["id"]: answer for answer in self._post(json.dumps(bodies), {})}
        results = []
        for body in bodies:
            answer = answers[body["id"]]
            if "error" in answer:
                raise RpcFailure(body["method"], answer["error"])
            results.append(answer["result"])
        return results

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._connection.close()

    def _request(self, method: str, params: Any) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: str, headers: dict[str, str]) -> Any:
        try:
            self._connection.request(
                "POST", "/", body, {"Content-Type": "application/json", **headers}
            )
            return json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if isinstance(error, OSError):
                raise
            raise ConnectionError(str(error)) from error
