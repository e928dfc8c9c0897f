"""The commands' way to a running service: its own HTTP API."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from swapstats.errors import SwapstatsError, Transient, UsageError

_TIMEOUT_S = 5.0


def fetch_json(base_url: str, path: str, query: dict[str, str]) -> dict[str, Any]:
    """Ask the API.

    Args:
        base_url: such as `http://127.0.0.1:8080`.
        path: already percent-encoded.
        query: parameters.

    Raises:
        Transient: nobody answers there.
        UsageError: the API refused the question; the message is its own.
    """
    url = f"{base_url.rstrip('/')}{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http only
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Transient(
            f"Expected a running service at {base_url}, was {error}: start `swapstats run`, or "
            "name its address with --url"
        ) from error


def _refused(error: urllib.error.HTTPError) -> SwapstatsError:
    try:
        problem = json.load(error)
        detail = problem.get("detail") or problem.get("title") or str(error)
        candidates = problem.get("candidates")
        if candidates:
            names = ", ".join(str(c.get("token", c)) for c in candidates)
            detail = f"{detail}: {names}"
    except (ValueError, AttributeError):
        detail = str(error)
    return Transient(detail) if error.code == 503 else UsageError(detail)
