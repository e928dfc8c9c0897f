"""The page about the API: complete, escaped, and without any request to elsewhere."""

import re
from base64 import b64encode
from hashlib import sha256

from swapstats.roles.api.docs_page import POLICY, docs_page
from swapstats.roles.api.openapi import openapi_document
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.routes import route_table

from .running import SPEC, Running

TABLE = route_table(ApiOptions(), SPEC)
PAGE = docs_page(openapi_document(TABLE, ApiOptions(version="<9>"), SPEC)).decode()


def test_every_route_and_parameter_is_on_the_page() -> None:
    for route in TABLE:
        assert f"GET {route.path}</code>" in PAGE
        for param in route.params:
            assert f"<code>{param.name}</code>" in PAGE


def test_nothing_is_loaded_and_texts_are_escaped() -> None:
    assert "<script" not in PAGE
    assert re.findall(r'(?:src|href)="([^"]*)"', PAGE) == ["/openapi.json", "/"]
    assert "swapstats API &lt;9&gt;" in PAGE


async def test_the_policy_allows_its_own_style_and_nothing_else() -> None:
    async with Running() as running:
        status, headers, page = await running.get("/docs")
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Security-Policy"] == POLICY
        style = page[page.index("<style>") + 7 : page.index("</style>")]
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in POLICY
        assert POLICY.startswith("default-src 'none'")
