"""The table of routes: the router and the OpenAPI document are both made from it.

Reads and checks query strings too, so that what is documented is what is enforced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from swapstats.core.overview import ORDERS, SORTS
from swapstats.errors import SettingsError
from swapstats.model.window import WindowSpec, format_span, parse_span
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem

Values = dict[str, Any]
OPENAPI = "application/vnd.oai.openapi+json"
QUERY_FIELDS_MAX = 32
TEXT_CHARS_MAX = 512


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a route.

    Attributes:
        name: as in the URL.
        summary: one sentence.
        schema: JSON schema shown in the OpenAPI document.
        read: turns its text into a value; raises Problem.
        default: value if absent.
        where: `query` or `path`.
    """

    name: str
    summary: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    default: Any = None
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    """One path.

    Attributes:
        path: template; `{id}` is one percent-encoded segment.
        operation: name of the method that answers.
        summary: one sentence.
        answers: media type of the 200 answer and name of its schema, if JSON.
        errors: names of problems it may answer.
        params: its parameters.
        gated: True if it is 503 until the state is restored.
        checked: False if any query string is accepted and ignored.
    """

    path: str
    operation: str
    summary: str
    answers: tuple[str, str | None]
    errors: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    gated: bool = False
    checked: bool = True
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.path.split("/")))


def _choice(name: str, choices: Sequence[str], default: str, summary: str) -> Param:
    def read(text: str) -> str:
        if text in choices:
            return text
        raise Problem(
            "bad-parameter",
            f"Expected {name} to be one of {', '.join(choices)}, was {text!r}",
            members={"known": list(choices)},
        )

    schema = {"type": "string", "enum": list(choices), "default": default}
    return Param(name, summary, schema, read, default)


def _integer(name: str, low: int, high: int, default: int, summary: str) -> Param:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= high:
            return int(text)
        raise Problem("bad-parameter", f"Expected {name} from {low} to {high}, was {text!r}")

    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return Param(name, summary, schema, read, default)


def _text(name: str, summary: str) -> Param:
    def read(text: str) -> str:
        if len(text) <= TEXT_CHARS_MAX:
            return text
        raise Problem(
            "bad-parameter",
            f"Expected {name} of at most {TEXT_CHARS_MAX} characters, was {len(text)}",
        )

    schema = {"type": "string", "maxLength": TEXT_CHARS_MAX, "default": ""}
    return Param(name, summary, schema, read, "")


def read_window(spec: WindowSpec, text: str) -> int:
    """Find a window by its name, or by another way to write its width.

    Returns:
        Its position in served order.

    Raises:
        Problem: there is no such window.
    """
    names = spec.names
    if text in names:
        return names.index(text)
    try:
        width_ms = parse_span(text)
    except SettingsError:
        width_ms = 0
    if width_ms in spec.widths_ms:
        return spec.widths_ms.index(width_ms)
    raise Problem(
        "unknown-window",
        f"Expected one of {', '.join(names)}, was {text!r}",
        members={"known": list(names)},
    )


def _windows(spec: WindowSpec) -> Param:
    def read(text: str) -> tuple[int, ...]:
        places = [read_window(spec, part) for part in text.split(",")]
        return tuple(dict.fromkeys(places))

    return Param(
        "windows",
        "Windows to answer, in this order; all in configured order if absent.",
        {"type": "string", "example": ",".join(spec.names), "default": ",".join(spec.names)},
        read,
        tuple(range(len(spec.names))),
    )


def _window(spec: WindowSpec) -> Param:
    return Param(
        "window",
        "The window to rank by.",
        {"type": "string", "enum": list(spec.names), "default": spec.names[0]},
        lambda text: read_window(spec, text),
        0,
    )


def _span(options: ApiOptions, spec: WindowSpec) -> Param:
    high_ms = options.series_span_ms_max
    default_ms = min(900_000, high_ms)

    def read(text: str) -> int:
        try:
            span_ms = parse_span(text)
        except SettingsError as error:
            raise Problem("bad-parameter", str(error)) from None
        if spec.step_ms <= span_ms <= high_ms:
            return span_ms
        raise Problem(
            "bad-parameter",
            f"Expected span from {format_span(spec.step_ms)} to {format_span(high_ms)}, "
            f"was {text!r}",
        )

    schema = {"type": "string", "default": format_span(default_ms)}
    return Param(
        "span",
        f"How far back, such as 15m; at most {format_span(high_ms)}.",
        schema,
        read,
        default_ms,
    )


def _id() -> Param:
    return Param(
        "id",
        "Token key, symbol of the configured list, or a symbol only one token has; "
        "percent-encoded.",
        {"type": "string"},
        str,
        where="path",
    )


_JSON = "application/json"


def _numbers() -> Param:
    return _choice(
        "numbers", ("literal", "string"), "literal", "Write amounts as literals or as strings."
    )


def route_table(options: ApiOptions, spec: WindowSpec) -> tuple[Route, ...]:
    """Make the table of all routes but the page's files."""
    return (*_token_routes(options, spec), *_market_routes(options, spec), *_other_routes())


def _token_routes(options: ApiOptions, spec: WindowSpec) -> tuple[Route, ...]:
    errors = ("bad-parameter", "unknown-token", "ambiguous-symbol", "not-ready")
    return (
        Route(
            "/api/tokens/{id}/stats",
            "token_stats",
            "One token's statistics.",
            (_JSON, "TokenStats"),
            ("unknown-window", *errors),
            (_id(), _windows(spec), _numbers()),
            gated=True,
        ),
        Route(
            "/api/tokens/{id}/series",
            "token_series",
            "The last buckets of one token, oldest first; empty ones are left out.",
            (_JSON, "Series"),
            (*errors, "timeout", "busy", "no-series"),
            (_id(), _span(options, spec), _numbers()),
            gated=True,
        ),
    )


def _market_routes(options: ApiOptions, spec: WindowSpec) -> tuple[Route, ...]:
    rows_max, found_max = options.overview_limit_max, options.search_limit_max
    return (
        Route(
            "/api/overview",
            "overview",
            "The top tokens of one window.",
            (_JSON, "Overview"),
            ("bad-parameter", "unknown-window", "not-ready"),
            (
                _window(spec),
                _choice("sort", SORTS, "vol_usd", "What to rank by."),
                _choice("order", ORDERS, "desc", "Largest or smallest first."),
                _integer("limit", 1, rows_max, min(50, rows_max), "Rows at most."),
                _numbers(),
            ),
            gated=True,
        ),
        Route(
            "/api/tokens",
            "search",
            "Tokens whose key or symbol contains a text, whatever its case, by volume in the "
            "widest window.",
            (_JSON, "Search"),
            ("bad-parameter", "not-ready"),
            (
                _text("query", "The text; all tokens if empty."),
                _integer("limit", 1, found_max, min(20, found_max), "Rows at most."),
                _numbers(),
            ),
            gated=True,
        ),
    )


def _other_routes() -> tuple[Route, ...]:
    return (
        Route(
            "/api/status",
            "status",
            "Source, partitions, positions, lag and warnings.",
            (_JSON, "Status"),
            ("not-ready",),
            gated=True,
        ),
        Route(
            "/api/archive",
            "archive",
            "How the archive of raw swaps lies: parts by disk, moves, S3 errors.",
            (_JSON, "Archive"),
            ("no-archive", "timeout", "not-ready"),
            gated=True,
        ),
        Route(
            "/healthz",
            "healthz",
            "Whether the process is alive and gets on.",
            (_JSON, "Healthy"),
            ("unhealthy",),
        ),
        Route(
            "/readyz", "readyz", "Whether the state is restored.", (_JSON, "Ready"), ("not-ready",)
        ),
        Route(
            "/ws",
            "stream",
            "The stream: a WebSocket; docs/API.md describes its messages.",
            (_JSON, None),
            ("bad-parameter", "origin-refused", "upgrade-required", "busy"),
            (_numbers(),),
        ),
        Route("/openapi.json", "openapi", "This description.", (OPENAPI, None), checked=False),
        Route(
            "/docs",
            "docs",
            "This description for people.",
            ("text/html; charset=utf-8", None),
            checked=False,
        ),
    )


def read_query(route: Route, query: str) -> Values:
    """Read a query string by a route's parameters.

    Returns:
        A value for every query parameter of the route.

    Raises:
        Problem: a value cannot be used, or a name is unknown or given twice.
    """
    values: Values = {param.name: param.default for param in route.params if param.where == "query"}
    if not query or not route.checked:
        return values
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except ValueError:
        raise Problem(
            "bad-parameter", "Expected name=value pairs in percent-encoded UTF-8, was another text"
        ) from None
    readers = {param.name: param.read for param in route.params if param.where == "query"}
    seen: set[str] = set()
    for name, text in pairs:
        if name not in readers:
            raise Problem(
                "bad-parameter",
                f"Expected one of {', '.join(readers) or 'no parameters'}, was {name!r}",
                members={"known": list(readers)},
            )
        if name in seen:
            raise Problem("bad-parameter", f"Expected {name} once, was several times")
        seen.add(name)
        values[name] = readers[name](text)
    return values


def decode_segment(segment: str) -> str:
    """Decode one percent-encoded segment of a path.

    Raises:
        Problem: not percent-encoded UTF-8.
    """
    if "%" not in segment and segment.isascii():
        return segment
    escapes = segment.split("%")[1:]
    if all(len(part) >= 2 and _is_hex(part[:2]) for part in escapes):
        try:
            return unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            pass
    raise Problem("bad-request", "Expected a path in percent-encoded UTF-8, was another text")


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)


def match_route(routes: Sequence[Route], path: str) -> tuple[Route, str | None] | None:
    """Find the route of a raw path, with the still encoded `{id}` if it has one."""
    parts = path.split("/")
    for route in routes:
        if len(route.parts) != len(parts):
            continue
        segment: str | None = None
        for wanted, part in zip(route.parts, parts, strict=True):
            if wanted == "{id}" and part:
                segment = part
            elif wanted != part:
                break
        else:
            return route, segment
    return None
