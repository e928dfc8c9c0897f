"""Answers of the API, read back exactly, so that they can be proved."""

import json
import random
import urllib.parse
from pathlib import Path
from typing import Any

from swapstats.cli.api_client import fetch_json
from swapstats.errors import UsageError
from swapstats.model.stats import FIELDS, WindowStats, scale_digits
from swapstats.roles.audit import Answer

_OVERVIEW_MAX = 500


def read_answer(file: Path) -> Answer:
    """Read a file with the JSON of `/api/tokens/{id}/stats`, numbers or strings, without a float.

    Raises:
        UsageError: it cannot be read, or is no such answer.
    """
    try:
        return _answer(json.loads(file.read_bytes(), parse_float=str))
    except OSError as error:
        raise UsageError(f"Expected a file with an answer, was {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"Expected an answer of /api/tokens/{{id}}/stats in {file}, was something else "
            f"({error!r})"
        ) from error


def ask(url: str, sample: int) -> list[Answer]:
    """Ask a running service for some of its tokens: half of them the top ones.

    Raises:
        Transient: nobody answers.
    """
    query = {"limit": str(_OVERVIEW_MAX), "sort": "trades"}
    tokens = [row["token"] for row in fetch_json(url, "/api/overview", query)["rows"]]
    rest = tokens[sample // 2 :]
    chosen = tokens[: sample // 2] + random.sample(rest, min(len(rest), sample - sample // 2))
    return [
        _answer(
            fetch_json(
                url,
                f"/api/tokens/{urllib.parse.quote(token, safe='')}/stats",
                {"numbers": "string"},
            )
        )
        for token in chosen
    ]


def _answer(found: dict[str, Any]) -> Answer:
    windows = {
        name[1:]: WindowStats(**{field: _scaled(field, value[field]) for field in FIELDS})
        for name, value in found.items()
        if name[:1] == "w" and isinstance(value, dict)
    }
    return Answer(
        token=found["token"],
        partition=found["position"]["partition"],
        offset=found["position"]["offset"],
        t_ms=found["as_of"],
        windows=windows,
    )


def _scaled(field: str, value: str | int) -> int:
    digits = scale_digits(field)
    whole, _, places = str(value).partition(".")
    if len(places) > digits:
        raise ValueError(f"{field} has more than {digits} decimals: {value}")
    return int(whole + places.ljust(digits, "0"))
