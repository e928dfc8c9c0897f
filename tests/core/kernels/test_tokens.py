"""Flat objects into the places of their fields, against Python's JSON."""

import json
from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import T0_MS, swap
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import tokens
from swapstats.core.kernels.tokens import NAMES, NOT_PLAIN, UNKNOWN, USD
from swapstats.testing.wire_streams import StreamShape, random_stream, respelled, spelled

Found = dict[str, tuple[str, bytes]]


def tokenized(message: bytes) -> tuple[int, Found]:
    """The mask of fields seen, and type and text of each known one."""
    begins = np.zeros(tokens.FIELD_COUNT, dtype=np.int64)
    ends = np.zeros(tokens.FIELD_COUNT, dtype=np.int64)
    data = readonly(message)
    seen, texts, numbers, trues = tokens.tokenize(data, 1, len(message) - 1, begins, ends)
    found: Found = {}
    for field, name in enumerate(NAMES):
        if seen == NOT_PLAIN or not (seen >> field) & 1:
            continue
        text = message[begins[field] : ends[field]]
        kinds = {"text": texts, "number": numbers, "true": trues}
        kind = [kind for kind, mask in kinds.items() if (mask >> field) & 1] or ["false"]
        assert len(kind) == 1
        found[name] = (kind[0], text if kind[0] in {"text", "number"} else b"")
    return seen, found


def expected(message: bytes) -> Found:
    """The same by Python's parser; numbers as they are written."""
    as_text = json.loads(message, parse_int=lambda text: (text,), parse_float=lambda text: (text,))
    found: Found = {}
    for name in set(as_text) & set(NAMES):
        value = as_text[name]
        if isinstance(value, bool):
            found[name] = (str(value).lower(), b"")
        elif isinstance(value, tuple):
            found[name] = ("number", value[0].encode())
        elif value is not None:
            found[name] = ("text", value.encode())
    return found


@pytest.mark.parametrize("behind", [b"", b'"', b'":1,"side":"buy"}', b"_" * 30, b"\xff" * 16])
def test_every_name_is_known_and_no_other(behind: bytes) -> None:
    """At the end of the buffer and within it: the two are compared in different ways."""

    def named(text: str) -> int:
        return tokens.field_named(readonly(b".." + text.encode() + behind), 2, len(text))

    for field, name in enumerate(NAMES):
        assert named(name) == field
        changed = [name[:at] + "#" + name[at + 1 :] for at in range(len(name))]
        for other in (name[:-1], name + "s", name + "\0", name.upper(), *changed):
            assert named(other) == UNKNOWN, other
    assert named("") == UNKNOWN


@pytest.mark.parametrize("seed", range(4))
def test_fields_are_found_where_json_finds_them(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    plain = 0
    for one in random_stream(rng, StreamShape(swaps=120, start_ms=T0_MS)):
        message = (spelled(one) if rng.random() < 0.5 else respelled(rng, one)).strip()
        seen, found = tokenized(message)
        if seen == NOT_PLAIN:
            continue
        plain += 1
        assert found == expected(message), message
    assert plain > 20


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ('"side":"buy"', True),
        (' "side" : "buy" , "x" : null , "y":false', True),
        ('"amount_usd":null', True),
        ('"x":1,"x":2,"":3', True),
        ("", False),
        (" ", False),
        ('"side":"buy",', False),
        (',"side":"buy"', False),
        ('"side":"buy" "x":1', False),
        ('"side"', False),
        ('"side":', False),
        ('"side" "buy"', False),
        ('"side":"buy","side":"buy"', False),
        ('"side":"b\\u0075y"', False),
        ('"side":"b\u00fcy"', False),
        ('"x":"\\n"', False),
        ('"x":-1', False),
        ('"x":1e3', False),
        ('"x":01', False),
        ('"x":1.', False),
        ('"x":.5', False),
        ('"x":[]', False),
        ('"x":{}', False),
        ('"x":nul', False),
        ('"x":tru', False),
        ('"x":fals', False),
        ('"x":nulL', False),
        ('"x":True', False),
        ('"x":nullx', False),
        ('"side":null', False),
        ('"removed":null', False),
        ("side:1", False),
        ("'side':1", False),
    ],
)
def test_plain_is_narrower_than_json(text: str, is_plain: bool) -> None:
    seen, _ = tokenized(f"{{{text}}}".encode())
    assert (seen != NOT_PLAIN) == is_plain


def test_null_leaves_a_price_absent() -> None:
    assert tokenized(b'{"amount_usd":null,"side":"buy"}')[1] == {"side": ("text", b"buy")}
    assert (tokenized(b'{"amount_usd":2}')[0] >> USD) & 1


def test_every_cut_of_a_message_is_refused_or_ends_in_a_value() -> None:
    message = spelled(swap(1))
    for cut in range(2, len(message)):
        part = message[:cut] + b"}"
        seen, _ = tokenized(part)
        try:
            json.loads(part)
            is_json = True
        except json.JSONDecodeError:
            is_json = False
        assert (seen != NOT_PLAIN) == is_json, part
