"""The table of routes: matching, decoding and reading, apart from any socket."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import TITLES, Problem
from swapstats.roles.api.routes import (
    Route,
    decode_segment,
    match_route,
    read_query,
    read_window,
    route_table,
)

from .running import SPEC

TABLE = route_table(ApiOptions(), SPEC)


def route(path: str) -> Route:
    found = match_route(TABLE, path)
    assert found is not None
    return found[0]


@given(st.text(min_size=1, max_size=80))
def test_any_key_comes_back_from_its_encoded_path(key: str) -> None:
    try:
        path = f"/api/tokens/{quote(key, safe='')}/stats"
    except UnicodeEncodeError:
        return  # a lone surrogate: no UTF-8, so no key
    found = match_route(TABLE, path)
    assert found is not None
    assert (found[0].operation, decode_segment(found[1] or "")) == ("token_stats", key)


@given(st.text(alphabet="%/aZ09f é", max_size=12))
def test_no_segment_breaks_the_decoder(segment: str) -> None:
    try:
        decode_segment(segment)
    except Problem as problem:
        refused = problem.status
    else:
        refused = 400
    assert refused == 400


def test_errors_of_routes_are_known_and_paths_distinct() -> None:
    assert len({one.path for one in TABLE}) == len({one.operation for one in TABLE}) == len(TABLE)
    for one in TABLE:
        assert set(one.errors) <= set(TITLES)
        assert one.gated == one.path.startswith("/api/")


def test_defaults_stand_where_nothing_is_asked() -> None:
    assert read_query(route("/api/overview"), "") == {
        "window": 0, "sort": "vol_usd", "order": "desc", "limit": 50, "numbers": "literal",
    }  # fmt: skip
    assert read_query(route("/api/tokens/x/stats"), "")["windows"] == (0, 1, 2)
    assert read_query(route("/api/tokens/x/series"), "")["span"] == 900_000


def test_values_are_decoded_before_they_are_read() -> None:
    values = read_query(route("/api/tokens"), "query=%E5%86%86+%26&limit=%35")
    assert (values["query"], values["limit"]) == ("円 &", 5)
    assert read_query(route("/docs"), "anything&goes=%zz") == {}


@pytest.mark.parametrize("text", ["5m", "300s", "300000ms", "1h", "60m", "24h", "1d"])
def test_windows_are_found_by_name_or_width(text: str) -> None:
    assert SPEC.names[read_window(SPEC, text)] in ("5m", "1h", "24h")


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(Problem, match="at most 512"):
        read_query(route("/api/tokens"), "query=" + "x" * 513)
