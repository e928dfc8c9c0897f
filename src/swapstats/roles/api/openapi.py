"""The OpenAPI 3.1 document, made from the table of routes and the schemas below."""

from collections.abc import Sequence
from typing import Any

from swapstats.model.stats import FIELDS, TOKEN_FIELDS, USD_FIELDS
from swapstats.model.window import WindowSpec
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import CONTENT_TYPE, TITLES
from swapstats.roles.api.routes import Param, Route

Schema = dict[str, Any]

_TIME: Schema = {"type": "integer", "description": "ms since the Unix epoch"}
_LAG: Schema = {"type": "integer", "minimum": 0, "description": "ms; 0 at the end of the log"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}
_PROGRESS: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_TOKEN: Schema = {"token": _TEXT, "symbol": _MAYBE_TEXT}
_MOMENT: Schema = {"as_of": _TIME, "end": _TIME}


def _object(properties: Schema, *optional: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _fields() -> Schema:
    schemas: Schema = {}
    for name in FIELDS:
        if name in USD_FIELDS | TOKEN_FIELDS:
            schemas[name] = _ref("UsdAmount" if name in USD_FIELDS else "TokenAmount")
        else:
            schemas[name] = _COUNT
    return schemas


def _amount(places: int) -> Schema:
    return {
        "type": ["number", "string"],
        "description": f"exact, at most {places} decimals; a string with numbers=string",
    }


def schemas(spec: WindowSpec) -> Schema:
    """Make the schemas of all JSON answers."""
    windows = {f"w{name}": _ref("Window") for name in spec.names}
    position = _object({"partition": _COUNT, "offset": _COUNT})
    return {
        "UsdAmount": _amount(6),
        "TokenAmount": _amount(18),
        "Window": _object({**_fields(), "complete_since": _TIME}),
        "TokenStats": _object(
            {**_TOKEN, **_MOMENT, "position": position, "lag_ms": _LAG, **windows}, *windows
        ),
        "Series": _object(
            {
                **_TOKEN,
                **_MOMENT,
                "step_ms": _COUNT,
                "points": _list(_object({"start": _TIME, **_fields()})),
            }
        ),
        "Overview": _object(
            {
                "window": _TEXT,
                "sort": _TEXT,
                "order": _TEXT,
                **_MOMENT,
                "lag_ms": _LAG,
                "tokens_total": _COUNT,
                "rows": _list(_object({**_TOKEN, **_fields()})),
            }
        ),
        "Search": _object({"query": _TEXT, "tokens": _list(_found())}),
        "Status": _status(),
        "Archive": _archive(),
        "Healthy": _object({"healthy": _FLAG}),
        "Ready": _object(
            {
                "ready": _FLAG,
                "progress": _PROGRESS,
                "reason": _MAYBE_TEXT,
                "lag_ms": _LAG,
                "dependencies": _dependencies(),
            }
        ),
        "Problem": _problem(),
    }


def _dependencies() -> Schema:
    state: Schema = {"type": "string", "enum": ["closed", "half_open", "open"]}
    return _list(
        _object(
            {
                "name": _TEXT,
                "state": state,
                "reason": _MAYBE_TEXT,
                "opens": _COUNT,
                "refused": _COUNT,
            }
        )
    )


def _found() -> Schema:
    return _object({**_TOKEN, "vol_usd": _ref("UsdAmount"), "trades": _COUNT})


def _status() -> Schema:
    partition = _object(
        {
            "partition": _COUNT,
            "offset": _COUNT,
            "end_offset": _COUNT,
            "as_of": _TIME,
            "ready": _FLAG,
        }
    )
    source = _object({"name": _TEXT, "state": _TEXT, "detail": _TEXT})
    return _object(
        {
            "version": _TEXT,
            "as_of": _TIME,
            "lag_ms": _LAG,
            "ready": _FLAG,
            "reason": _MAYBE_TEXT,
            "source": {"anyOf": [source, {"type": "null"}]},
            "windows": _list(_TEXT),
            "step_ms": _COUNT,
            "tokens": _COUNT,
            "partitions": _list(partition),
            "counters": {"type": "object", "additionalProperties": _COUNT},
            "warnings": _list(_TEXT),
        }
    )


def _archive() -> Schema:
    parts = _object(
        {
            "table": _TEXT,
            "disk": _TEXT,
            "parts": _COUNT,
            "rows": _COUNT,
            "size_bytes": _COUNT,
            "oldest": _TEXT,
        }
    )
    return _object(
        {
            "disks": _list(parts),
            "oldest_hot_part": _MAYBE_TEXT,
            "oldest_hot_time": _MAYBE_TEXT,
            "overdue_parts": _COUNT,
            "moving_parts": _COUNT,
            "s3_errors": _COUNT,
            "last_s3_error": _MAYBE_TEXT,
        }
    )


def _problem() -> Schema:
    optional: Schema = {
        "candidates": _list(_found()),
        "candidates_total": _COUNT,
        "known": _list(_TEXT),
        "progress": _PROGRESS,
        "dependencies": _dependencies(),
    }
    always: Schema = {"type": _TEXT, "title": _TEXT, "status": _COUNT, "detail": _TEXT}
    return _object({**always, **optional}, *optional)


def _parameter(param: Param) -> Schema:
    return {
        "name": param.name,
        "in": param.where,
        "required": param.where == "path",
        "description": param.summary,
        "schema": param.schema,
    }


def _operation(route: Route) -> Schema:
    media, schema = route.answers
    if route.operation == "stream":
        answers: Schema = {"101": {"description": "The stream begins"}}
    else:
        content = {media: {"schema": _ref(schema)} if schema else {}}
        answers = {"200": {"description": "OK", "content": content}}
    for status in sorted({TITLES[name][0] for name in route.errors}):
        titles = [TITLES[name][1] for name in route.errors if TITLES[name][0] == status]
        answers[str(status)] = {
            "description": "; ".join(titles),
            "content": {CONTENT_TYPE: {"schema": _ref("Problem")}},
        }
    return {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": [_parameter(param) for param in route.params],
        "responses": answers,
    }


def openapi_document(routes: Sequence[Route], options: ApiOptions, spec: WindowSpec) -> Schema:
    """Make the document: one GET a route."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "swapstats",
            "version": options.version,
            "summary": "Exact real-time statistics per token from DEX swaps and exchange trades",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {route.path: {"get": _operation(route)} for route in routes},
        "components": {"schemas": schemas(spec)},
    }
