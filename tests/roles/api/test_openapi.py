"""The OpenAPI document says what the server does: routes, parameters, and shapes of answers."""

from typing import Any

import pytest

from swapstats.roles.api.openapi import openapi_document
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.routes import route_table
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, Literal, Running

TABLE = route_table(ApiOptions(), SPEC)
DOCUMENT = openapi_document(TABLE, ApiOptions(version="9.9"), SPEC)


def fits(value: Any, schema: dict[str, Any]) -> None:
    """Check a value against the part of JSON Schema used here; no unknown member passes."""
    if "$ref" in schema:
        fits(value, DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
        return
    if "anyOf" in schema:
        part = schema["anyOf"][1 if value is None else 0]
        fits(value, part)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert kind_of(value) & set(kinds), (value, kinds)
    if isinstance(value, dict):
        names = schema.get("properties", value)
        assert set(schema.get("required", ())) <= set(value) <= set(names)
        for name, part in value.items():
            fits(part, schema["properties"][name] if "properties" in schema
                 else schema["additionalProperties"])  # fmt: skip
    elif isinstance(value, list):
        for one in value:
            fits(one, schema["items"])


def kind_of(value: Any) -> set[str]:
    if isinstance(value, Literal):
        return {"number"} if "." in value else {"number", "integer"}
    for kind, name in (
        (bool, "boolean"), (str, "string"), (dict, "object"), (list, "array"),
    ):  # fmt: skip
        if isinstance(value, kind):
            return {name}
    return {"null"}


@pytest.mark.parametrize("query", ["", "?numbers=string"])
async def test_answers_fit_their_schemas(query: str) -> None:
    async with Running() as running:
        source = SyntheticUpdates(SPEC, tokens=60, partitions=2, wide=True)
        await running.feed_all(list(source.everything()))
        for path, item in DOCUMENT["paths"].items():
            for media in item["get"]["responses"].get("200", {}).get("content", {}).values():
                if "schema" not in media:
                    continue
                takes = any(one["name"] == "numbers" for one in item["get"]["parameters"])
                status, _, answer = await running.get(
                    path.replace("{id}", "T7") + (query if takes else "")
                )
                assert status == 200
                fits(answer, media["schema"])
        for path in ("/nope", "/api/tokens/SAME/stats", "/api/overview?window=x"):
            _, _, problem = await running.get(path)
            fits(problem, {"$ref": "#/components/schemas/Problem"})


async def test_parameters_are_those_that_are_accepted() -> None:
    async with Running() as running:
        await running.feed_all(list(SyntheticUpdates(SPEC, partitions=2).everything()))
        for path, item in DOCUMENT["paths"].items():
            for param in item["get"]["parameters"]:
                if param["in"] == "path":
                    assert "{" + param["name"] + "}" in path
                    continue
                value = param["schema"]["default"]
                answer = await running.get(f"{path.replace('{id}', 'T7')}?{param['name']}={value}")
                assert answer[0] in (200, 426)


async def test_the_document_is_served_as_it_is() -> None:
    async with Running() as running:
        _, headers, document = await running.get("/openapi.json")
        assert "json" in headers["Content-Type"]
        assert document["openapi"] == "3.1.0"
        assert list(document["paths"]) == list(DOCUMENT["paths"]) == [one.path for one in TABLE]


def test_every_reference_is_defined_and_every_definition_used() -> None:
    used: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                used.add(part["$ref"].removeprefix("#/components/schemas/"))
            for one in part.values():
                look(one)
        elif isinstance(part, list):
            for one in part:
                look(one)

    look(DOCUMENT)
    assert used == set(DOCUMENT["components"]["schemas"])
