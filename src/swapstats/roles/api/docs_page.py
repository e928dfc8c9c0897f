"""The OpenAPI document as one readable page: no script, no request to anywhere else."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Any

import msgspec

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h2{margin:2.5rem 0 .25rem;font-size:1.15rem;overflow-wrap:anywhere}
code,pre{font:.9em/1.5 ui-monospace,monospace}
pre{overflow:auto;padding:.75rem;border:1px solid #8884;border-radius:.4rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8884}
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(sha256(STYLE.encode()).digest()).decode()
    + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of the page: its own style and nothing else."""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{body}</table></div>'


def _limits(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return str(schema.get("type", ""))


def _route(path: str, operation: dict[str, Any], known: dict[str, Any]) -> str:
    params = [
        (
            f"<code>{escape(param['name'])}</code>",
            escape(param["in"]),
            escape(_limits(param["schema"])),
            escape(str(param["schema"].get("default", ""))),
            escape(param["description"]),
        )
        for param in operation["parameters"]
    ]
    answers = [
        (escape(status), escape(answer["description"]), ", ".join(map(escape, answer["content"])))
        if "content" in answer
        else (escape(status), escape(answer["description"]), "")
        for status, answer in operation["responses"].items()
    ]
    content: dict[str, Any] = operation["responses"].get("200", {}).get("content", {})
    ref = "".join(media.get("schema", {}).get("$ref", "") for media in content.values())
    shape = ""
    if ref:
        example = msgspec.json.format(msgspec.json.encode(_example(known[_last(ref)], known)))
        shape = f"<pre>{escape(example.decode())}</pre>"
    return (
        f"<h2><code>GET {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"
        + _table(("parameter", "in", "values", "default", "meaning"), params)
        + _table(("status", "meaning", "type"), answers)
        + shape
    )


def _last(ref: str) -> str:
    return ref.rsplit("/", 1)[-1]


def _example(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """Make the shape of a schema visible: types stand where values would."""
    if "$ref" in schema:
        return _example(known[_last(schema["$ref"])], known)
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], known)
    kind = schema.get("type")
    if kind == "array":
        return [_example(schema["items"], known)]
    if kind == "object" and "properties" in schema:
        return {name: _example(part, known) for name, part in schema["properties"].items()}
    return " or ".join(kind) if isinstance(kind, list) else kind


def docs_page(document: dict[str, Any]) -> bytes:
    """Render the page.

    Args:
        document: from `openapi_document`.
    """
    known = document["components"]["schemas"]
    routes = "".join(_route(path, item["get"], known) for path, item in document["paths"].items())
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>swapstats API</title><style>{STYLE}</style></head><body>"
        f"<h1>swapstats API {escape(info['version'])}</h1><p>{escape(info['summary'])}. "
        "Times are integer milliseconds since the Unix epoch; amounts are exact decimals. "
        'Errors are RFC 9457 problem objects. Machine-readable: <a href="/openapi.json">'
        f'/openapi.json</a>. <a href="/">The page</a>.</p>{routes}</body></html>'
    ).encode()
