"""The table of keys: every key round-trips through every layer and is documented."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swapstats.errors import SettingsError
from swapstats.settings import KEYS, RESERVED_ENV, Key, Settings, Status, load, value_of
from swapstats.settings.document import configuration_page, example_file, yaml_text
from swapstats.settings.kinds import (
    ADDRESS,
    BOOLEAN,
    INTEGER,
    LIST,
    MAP,
    NUMBER,
    PROPERTIES,
    SECRET,
    SIZE,
    SPAN,
    SPAN_MS,
    SPANS,
    TEXT,
    Address,
    Raw,
    Secret,
)

ROOT = Path(__file__).parent.parent

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: text.strip() != ""
)
LABELS = st.from_regex(r"[A-Za-z0-9:._-]+", fullmatch=True)
ADDRESSES = st.builds(
    Address,
    st.sampled_from(["", "127.0.0.1", "::1", "localhost", "db-1.example.org"]),
    st.integers(0, 65_535),
)


def values(key: Key) -> st.SearchStrategy[Any]:
    """Values of a key that contradict no other key."""
    row = key.row
    fixed: dict[str, st.SearchStrategy[Any]] = {
        "app.windows": st.lists(
            st.integers(1, 17_000).map(lambda steps: steps * 5_000),
            min_size=1,
            max_size=16,
            unique=True,
        ).map(tuple),
        "app.bucket_step": st.sampled_from([100, 1_000, 2_500, 5_000, 60_000, 300_000]),
        "log.retention": st.integers(26 * 3_600_000, row.high or 0),
        "dedupe.ttl": st.integers(26 * 3_600_000 + 1, row.high or 0),
        "stores.clickhouse.cold_after": st.integers(row.low or 0, 364 * 86_400_000),
        "stores.clickhouse.delete_after": st.integers(91 * 86_400_000, row.high or 0),
        "api.ws.coalesce_ms": st.integers(1, 5_000),
        "api.ws.heartbeat": st.integers(100, 3_600_000),
        "metrics.pprof": st.none() | st.builds(Address, st.just("127.0.0.1"), st.integers(0, 5999)),
        "metrics.prometheus": st.none()
        | st.builds(Address, LABELS, st.integers(0, 5999)).filter(
            lambda address: ":" not in address.host
        ),
        "api.http.addr": st.builds(
            Address, st.sampled_from(["", "::1", "localhost"]), st.integers(0, 5999)
        ),
    }
    numbers = st.integers(0 if row.low is None else row.low, row.high or 10**12)
    kinds: list[tuple[Any, st.SearchStrategy[Any]]] = [
        (TEXT, WORDS),
        (SECRET, WORDS.map(Secret)),
        (INTEGER, numbers),
        (SPAN, numbers),
        (SPAN_MS, numbers),
        (SIZE, numbers),
        (NUMBER, st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000)),
        (BOOLEAN, st.booleans()),
        (ADDRESS, ADDRESSES),
        (LIST, st.lists(LABELS, min_size=1, max_size=5).map(tuple)),
        (MAP, st.dictionaries(LABELS, LABELS, min_size=1, max_size=5)),
        (
            PROPERTIES,
            st.dictionaries(
                st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}", fullmatch=True),
                LABELS,
                min_size=1,
                max_size=5,
            ),
        ),
        (SPANS, st.lists(st.integers(1, 10**9), min_size=1, max_size=5).map(tuple)),
    ]
    if key.dotted in fixed:
        return fixed[key.dotted]
    for kind, strategy in kinds:
        if row.kind is kind:
            return strategy
    return st.sampled_from(row.kind.expected.removeprefix("one of ").split(", "))


def as_text(raw: Raw) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, Mapping):
        return ",".join(f"{name}={value}" for name, value in raw.items())
    return ",".join(raw)


def as_file(dotted: str, raw: Raw) -> str:
    *sections, name = dotted.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    return "\n".join([*lines, f"{'  ' * len(sections)}{name}: {yaml_text(raw)}"]) + "\n"


@pytest.mark.parametrize("dotted", KEYS)
@given(data=st.data())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_key_round_trips_through_every_layer(
    tmp_path: Path, dotted: str, data: st.DataObject
) -> None:
    key = KEYS[dotted]
    value = data.draw(values(key))
    raw = key.write(value)
    path = tmp_path / "config.yaml"
    path.write_text(as_file(dotted, raw), encoding="utf-8")
    loaded = [load(path, environ={}), load(environ={}, flags={dotted: raw})]
    loaded += [load(environ={name: as_text(raw)}) for name in key.env_names]
    origins = [f"{path}:{dotted.count('.') + 1}", f"flag {key.flag}"]
    origins += [f"env {name}" for name in key.env_names]
    for one, origin in zip(loaded, origins, strict=True):
        assert value_of(one, key) == value
        assert one.origin[dotted] == origin
        others = [other for other in KEYS if one.origin[other] != "default"]
        assert others == [dotted]
        named = [notice for notice in one.notices if notice.startswith(f"{dotted} ")]
        if key.row.status is Status.NOT_YET:
            assert f"is not built yet: {key.row.instead}." in named[0]
        elif key.row.status is Status.SUPERSEDED:
            assert f"superseded by {key.row.instead}." in named[0]


BOUNDED = [
    dotted
    for dotted, key in KEYS.items()
    if key.row.low is not None and key.row.kind.shape == "text"
]


@pytest.mark.parametrize("dotted", BOUNDED)
def test_bounds_are_kept(dotted: str) -> None:
    key = KEYS[dotted]
    low, high = key.row.low, key.row.high
    assert low is not None
    assert high is not None
    for inside in (low, high):
        assert key.read(key.row.kind.write(inside)) == inside
    for outside in (low - 1, high + 1):
        text = key.row.kind.write(outside)
        with pytest.raises(SettingsError, match=f"^Expected .* from .* to .*, was '{text}'"):
            key.read(text)


def test_names_are_unique() -> None:
    env_names = [name for key in KEYS.values() for name in key.env_names]
    env_names += [f"{key.env_names[0]}_FILE" for key in KEYS.values() if key.is_secret]
    env_names += RESERVED_ENV
    assert len(set(env_names)) == len(env_names)
    flags = [key.flag for key in KEYS.values()]
    assert len(set(flags)) == len(flags)
    assert all(re.fullmatch(r"--[a-z0-9]+(-[a-z0-9]+)*", flag) for flag in flags)


def leaves(section: type, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    hints = get_type_hints(section)
    found: dict[tuple[str, ...], Any] = {}
    for member in fields(section):
        kind = hints[member.name]
        if isinstance(kind, type) and is_dataclass(kind) and kind is not Address:
            found |= leaves(kind, (*path, member.name))
        else:
            found[*path, member.name] = kind
    return found


def test_every_field_of_the_tree_is_a_key_of_its_type() -> None:
    typed = leaves(Settings)
    del typed["origin",], typed["notices",]
    assert set(typed) == {key.attributes for key in KEYS.values()}
    plain = load(environ={})
    for key in KEYS.values():
        hint = typed[key.attributes]
        value = value_of(plain, key)
        wanted: dict[Any, Any] = {
            tuple[int, ...]: tuple,
            tuple[str, ...]: tuple,
            Mapping[str, str]: Mapping,
            Address | None: Address,
        }
        assert isinstance(value, wanted.get(hint, hint)), key.dotted


def test_defaults_are_what_the_table_says() -> None:
    plain = load(environ={})
    for key in KEYS.values():
        if key.dotted not in {"log.retention", "dedupe.ttl"}:
            assert value_of(plain, key) == key.read(key.row.default)


@pytest.mark.parametrize("dotted", KEYS)
def test_every_key_is_documented(dotted: str) -> None:
    row = KEYS[dotted].row
    assert row.doc[0].isupper() or row.doc[0] == "`"
    assert row.doc.endswith(".")
    assert "\n" not in row.doc
    assert (row.status is Status.HONOURED) == (row.instead == "")
    assert f"| `{dotted}` |" in configuration_page()


def test_documents_are_up_to_date() -> None:
    hint = "run: python -m swapstats.settings.document"
    page = (ROOT / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8")
    assert page == configuration_page(), hint
    example = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    assert example == example_file(), hint


def test_keys_named_in_texts_exist() -> None:
    known = {*KEYS, *(dotted.rpartition(".")[0] for dotted in KEYS), "security.jwt.secret_file"}
    texts = [configuration_page(), *(key.row.doc + key.row.instead for key in KEYS.values())]
    named = {name for text in texts for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)[`:]", text)}
    assert len(named) > 10
    assert named - known - {"swapstats.settings.document"} == set()


def test_the_example_sets_every_honoured_key_to_its_default() -> None:
    loaded = load(ROOT / "config.example.yaml", environ={})
    plain = load(environ={})
    honoured = {dotted for dotted, key in KEYS.items() if key.row.status is Status.HONOURED}
    assert {dotted for dotted, origin in loaded.origin.items() if origin != "default"} == honoured
    for key in KEYS.values():
        assert value_of(loaded, key) == value_of(plain, key)
    assert loaded.notices == ()


@given(WORDS | st.sampled_from(["", "~", "null", "a: b", "- x", "#", "yes", "'", "\x7f\x85\u2028"]))
def test_any_text_survives_yaml(text: str) -> None:
    node = yaml.compose(f"a: {yaml_text(text)}", Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    ((_, value),) = node.value
    assert (value.value, value.tag.endswith(":null")) == (text, False)
