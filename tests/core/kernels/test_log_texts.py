"""Which spellings of one log are taken, where its fields are, and where an object ends."""

import json
import re
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.core.evm.made_logs import Log, v3_swap
from tests.core.evm.spelled_answers import VALUES
from tests.core.kernels.guarded_pages import guarded
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import log_texts
from swapstats.core.kernels.log_texts import (
    ADDRESS,
    BLOCK_HASH,
    BLOCK_NUMBER,
    DATA,
    DATA_DIGITS,
    LOG_INDEX,
    PLACES,
    TOPIC0,
    TOPICS,
    TX_HASH,
    UNSURE,
)

NEEDED = ("address", "topics", "data", "blockNumber", "blockHash", "transactionHash", "logIndex")


def swap(**changes: Any) -> Log:
    return v3_swap(1, -1, 2**96, 5, 0, block=255, index=16) | changes


def spelled(one: object) -> bytes:
    return json.dumps(one, separators=(",", ":")).encode()


def read(text: bytes) -> tuple[int, np.ndarray]:
    places = np.full(PLACES, -7, dtype=np.int64)
    return log_texts.read_log(readonly(text), 0, len(text), places), places


def taken(text: bytes) -> bool:
    end, _ = read(text)
    assert end in (UNSURE, len(text))
    return end == len(text)


def test_places_whatever_the_order_of_keys() -> None:
    one = swap()
    names = list(one)
    rng = Random(1)
    for _ in range(200):
        rng.shuffle(names)
        gap = rng.choice(("", " ", "\n\t"))
        members = f"{gap},{gap}".join(
            f'"{name}"{gap}:{gap}{json.dumps(one[name])}' for name in names
        )
        text = f"{{{gap}{members}{gap}}}".encode()
        end, places = read(text)
        assert end == len(text)

        def digits(column: int, count: int) -> str:
            return "0x" + text[places[column] : places[column] + count].decode()  # noqa: B023

        assert digits(ADDRESS, 40) == one["address"]
        assert digits(BLOCK_HASH, 64) == one["blockHash"]
        assert digits(TX_HASH, 64) == one["transactionHash"]
        assert digits(DATA, int(places[DATA_DIGITS])) == one["data"]
        assert (places[BLOCK_NUMBER], places[LOG_INDEX], places[TOPICS]) == (255, 16, 3)
        assert [digits(TOPIC0 + topic, 64) for topic in range(3)] == one["topics"]


TAKEN: list[Log] = [
    swap(),
    swap(topics=swap()["topics"][:1]),
    swap(topics=[*swap()["topics"], "0x" + "ab" * 32]),
    swap(data="0x"),
    swap(data="0x" + "ab" * 4),
    swap(blockNumber="0x0"),
    swap(logIndex="0x" + "f" * 15),
    swap(transactionIndex=None),
    swap(transactionIndex="any text"),
    swap(blockTimestamp=7, x="}", y=None, z=True),
    {key: value for key, value in swap().items() if key in NEEDED},
]
LEFT: list[Log] = [
    swap(removed=True),
    swap(removed="false"),
    swap(removed=0),
    swap(removed=None),
    swap(topics=[]),
    swap(topics=[*swap()["topics"], "0x" + "ab" * 32, "0x" + "ab" * 32]),
    swap(data="0x" + "ab" * 5),
    swap(logIndex="0x" + "f" * 16),
    swap(transactionIndex="0x"),
    swap(transactionIndex="0x" + "1" * 17),
    swap(transactionIndex=7),
    swap(x=-1),
    swap(x=10**19),
    swap(x=[]),
    swap(x="\u00e9"),
    *({key: value for key, value in swap().items() if key != name} for name in NEEDED),
]


@pytest.mark.parametrize("one", TAKEN)
def test_spellings_that_are_taken(one: Log) -> None:
    assert taken(spelled(one))


@pytest.mark.parametrize("one", LEFT)
def test_spellings_that_are_left(one: Log) -> None:
    assert not taken(spelled(one))


FORMS = {
    "address": "0x[0-9a-f]{40}",
    "data": "0x([0-9a-f]{8})*",
    "blockNumber": "0x[0-9a-f]{1,15}",
    "blockHash": "0x[0-9a-f]{64}",
    "transactionHash": "0x[0-9a-f]{64}",
    "logIndex": "0x[0-9a-f]{1,15}",
}


@pytest.mark.parametrize("name", NEEDED)
def test_values_of_every_other_kind(name: str) -> None:
    for value in VALUES:
        texts = value if name == "topics" and isinstance(value, list) else [value]
        form = FORMS.get(name, FORMS["blockHash"])
        is_plain = all(isinstance(text, str) and re.fullmatch(form, text) for text in texts)
        if name == "topics":
            is_plain = is_plain and isinstance(value, list) and 1 <= len(value) <= 4
        assert taken(spelled(swap(**{name: value}))) == is_plain, value


@pytest.mark.parametrize("name", [*NEEDED, "removed", "transactionIndex"])
def test_a_known_key_twice_is_left_and_a_longer_or_shorter_one_is_another(name: str) -> None:
    text = spelled(swap())
    value = spelled(swap()[name])
    assert not taken(text[:-1] + b',"' + name.encode() + b'":' + value + b"}")
    for other in (name + "x", name[:-1], name.upper(), "x" + name):
        assert taken(text[:-1] + b',"' + other.encode() + b'":"x"}')
        if name in NEEDED:
            renamed = {other if key == name else key: one for key, one in swap().items()}
            assert not taken(spelled(renamed))


@pytest.mark.parametrize("name", [name for name in NEEDED if name != "topics"])
def test_every_character_of_a_hex_text(name: str) -> None:
    """Nothing but digits and letters from a to f at any place, and never a longer text."""
    text, value = spelled(swap()), spelled(swap()[name])[1:-1]
    at = text.index(value, text.index(name.encode()))
    for place in range(at, at + len(value)):
        for code in b'gG`/:AF"\\ \x00\x7f\x80\xffx':
            changed = text[:place] + bytes([code]) + text[place + 1 :]
            is_x = code == ord("x") and place == at + 1
            assert taken(changed) == is_x, changed
    assert not taken(text[:at] + value + b"0" * 17 + text[at + len(value) :])


def test_every_cut_and_every_byte_at_the_end_of_memory() -> None:
    text = spelled(swap(blockTimestamp="0x1"))
    places = np.zeros(PLACES, dtype=np.int64)
    with guarded() as lay:
        for count in range(1, len(text) + 1):
            cut = lay(text[:count], True)
            end = log_texts.read_log(cut, 0, count, places)
            assert end == log_texts.skip_log(cut, 0, count)
            assert end == (count if count == len(text) else UNSURE)
        for begin in range(1, len(text)):
            rest = b"{" + text[begin:]
            log_texts.read_log(lay(rest, True), 0, len(rest), places)
            log_texts.skip_log(lay(rest, True), 0, len(rest))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"{}", 2),
        (b"{}}", 2),
        (b'{"}":"]"}]', 9),
        (b'{"a":[{},{"b":[]}]} ', 19),
        (b"{]", 2),
        (b"{", UNSURE),
        (b'{"a', UNSURE),
        (b'{"\\"":1}', UNSURE),
        (b'{"\xff":1}', UNSURE),
        (b"[" * 8 + b"]" * 8, 16),
        (b"[" * 9 + b"]" * 9, UNSURE),
    ],
)
def test_objects_end_where_their_braces_do(text: bytes, end: int) -> None:
    assert log_texts.skip_log(readonly(text), 0, len(text)) == end
