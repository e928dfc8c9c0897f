"""The fast scanner: what it takes, it reads as the plain decoder does, and reads no further."""

import json
from itertools import product
from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import T0_MS, swap
from tests.core.kernels.guarded_pages import guarded
from tests.core.kernels.scanning import AHEAD_MS, accepted, row_of, scanned

from swapstats.core.kernels import scan as compiled
from swapstats.model.wire import EVENT_MS_MIN, MESSAGE_BYTES_MAX
from swapstats.testing.wire_streams import (
    BAD_BYTES,
    BAD_VALUES,
    StreamShape,
    bad_message,
    random_stream,
    respelled,
    spelled,
    with_value,
)

PLAIN = swap(1, event_id="event", token_symbol="TTT", chain_id=1, tx_hash="0xab", log_index=3)
ODD = b'"\\{}[],:.-+eE0123456789 \n\t\x00\x1f\x7f\x80\xc3\xff'


def mutated(rng: Random, message: bytes) -> bytes:
    """Flip, insert, delete, double or swap a few bytes."""
    text = bytearray(message)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((1, 1, 2, 8)))
        kind = rng.randrange(6)
        if kind == 0:
            text[at:end] = b""
        elif kind == 1:
            text[at:at] = rng.choice(
                b'"\\{}[],:.-+eE0123456789 \n\t\x00\x1f\x7f\x80\xc3\xff'
            ).to_bytes()
        elif kind == 2:
            text[at:at] = text[at:end]
        elif kind == 3 and at < len(text):
            text[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            other = rng.randrange(len(text) + 1)
            text[at:at] = text[other : other + rng.choice((1, 5, 30))]
        elif kind == 5:
            text[at:end] = rng.choice((b"null", b"true", b"1", b'""', b',"removed":true', b"1.0"))
    return bytes(text)


def stream(rng: Random, swaps: int) -> list[bytes]:
    shape = StreamShape(swaps=swaps, start_ms=T0_MS)
    return [
        spelled(one) if rng.random() < 0.5 else respelled(rng, one)
        for one in random_stream(rng, shape)
    ]


def check_mutations(seed: int, rounds: int) -> int:
    """Returns how many messages were taken."""
    rng = Random(seed)
    messages = stream(rng, 40)
    found = 0
    for _ in range(rounds):
        found += len(accepted([mutated(rng, rng.choice(messages)) for _ in range(300)]))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_mutated_messages(seed: int) -> None:
    print("seed", seed)
    assert check_mutations(seed, 5) > 50


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_million_mutated_messages(seed: int) -> None:
    assert check_mutations(seed, 170) > 1_000


@pytest.mark.parametrize("seed", range(3))
def test_good_and_bad_messages(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    good = stream(rng, 150)
    bad = [bad_message(rng, T0_MS, T0_MS + AHEAD_MS)[1] for _ in range(150)]
    messages = good + bad
    rng.shuffle(messages)
    taken = accepted(messages)
    assert not {messages[row] for row in taken} & set(bad)
    assert len(taken) > 30


def test_no_bad_value_is_taken() -> None:
    alone = swap(1, tx_hash=None)
    messages = [
        with_value(alone, field, text) for (_, field), texts in BAD_VALUES.items() for text in texts
    ]
    messages += [message for texts in BAD_BYTES.values() for message in texts]
    assert accepted(messages) == []


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"schema_version": " 1 "},
        {"event_id": '"a:b/c [d] {e} \x7f"'},
        {"inclusion": "7"},
        {"block_number": "0", "block_hash": '""', "pool_address": '"p"', "trader": '"x"'},
        {"token_symbol": '""'},
        {"side": '"sell"'},
        {"amount_token": "0.5"},
        {"amount_token": '"000.50"'},
        {"amount_usd": "null"},
        {"amount_usd": "12"},
        {"event_time": '"2024-01-05T00:00:00Z"'},
        {"event_time": '"2024-01-05T00:00:00.1Z"'},
        {"event_time": '"2024-01-05T00:00:00.123456789Z"', "ingested_time": "1"},
        {"ingested_time": '"2024-02-29T23:59:59.9Z"'},
        {"removed": "true"},
        {"x": "1", "y": '"{"', "z": "null", "sid": "true", "side_": "false", "": "0.50"},
    ],
)
def test_ordinary_spellings_are_taken(changed: dict[str, str]) -> None:
    message = spelled(PLAIN)
    for field, text in changed.items():
        message = replaced(message, field, text)
    assert accepted([message]) == [0]
    spaced = message.replace(b',"', b' ,\t"').replace(b'":', b'" :\n')
    assert accepted([b" \r\n\t" + spaced + b"\n"]) == [0]


def replaced(message: bytes, field: str, text: str) -> bytes:
    """Put a JSON text into a field, or add the field."""
    fields = dict(part.split(":", 1) for part in message.decode().strip("{}").split(","))
    fields[f'"{field}"'] = text
    return ("{" + ",".join(f"{name}:{value}" for name, value in fields.items()) + "}").encode()


def test_composed_and_given_ids_are_the_same() -> None:
    whole = swap(1, chain_id=5, tx_hash="0xab", log_index=0, event_id="5:0xab:0")
    given = spelled(whole)
    composed = given.replace(b'"event_id":"5:0xab:0",', b"")
    assert composed != given
    assert accepted([given, composed]) == [0, 1]
    data = np.frombuffer(given + composed, dtype=np.uint8)
    bounds = np.array([0, len(given), len(given) + len(composed)])
    _, columns = scanned(compiled.scan, data, bounds)
    assert row_of(columns, 0, data) == row_of(columns, 1, data)


@pytest.mark.parametrize("field", ["amount_token", "amount_usd"])
def test_amounts_of_every_digit_count(field: str) -> None:
    whole_max, places_max = (20, 18) if field == "amount_token" else (12, 6)
    messages, good = [], []
    for whole, places, digit in product(range(1, 23), range(20), "019"):
        text = digit * whole + ("." + digit * places if places else "")
        for written in (text, f'"{text}"'):
            messages.append(with_value(PLAIN, field, written))
            zeros = digit == "0" and whole > 1 and written == text
            good.append(whole <= whole_max and places <= places_max and not zeros)
    taken = accepted(messages)
    assert taken == [row for row, is_good in enumerate(good) if is_good]


def test_random_amounts() -> None:
    rng = Random(20)
    texts = [
        f'"{rng.randrange(10 ** rng.randint(1, 20))}.{rng.randrange(10**18):018}"'
        for _ in range(2_000)
    ]
    assert len(accepted([with_value(PLAIN, "amount_token", text) for text in texts])) == 2_000


@pytest.mark.parametrize("field", ["event_id", "token_address", "token_symbol", "x", "key"])
def test_texts_around_every_word(field: str) -> None:
    """Each special byte at each place of texts of each length, at each place of a word."""
    messages, plain = [], []
    for count, pad in product((0, 1, 7, 8, 9, 15, 16, 17, 24), range(8)):
        for at in range(count):
            for special in (b'"', b"\\", b"\\\\", b'\\"', b"\x00", b"\x1f", b" ", b"!", b"\x7f",
                            b"\x80", b"\xff", b"\xc3\xa9"):  # fmt: skip
                text = b"a" * at + special + b"a" * (count - at - 1)
                messages.append(b" " * pad + around(field, text))
                plain.append(special in {b" ", b"!", b"\x7f"})
    taken = accepted(messages)
    assert taken == [row for row, is_plain in enumerate(plain) if is_plain]


def around(field: str, text: bytes) -> bytes:
    """A good message, but for a text in one of its fields, or as a key."""
    head = spelled(PLAIN)[:-1]
    if field == "key":
        return head + b',"' + text + b'":1}'
    if field == "x":
        return head + b',"x":"' + text + b'"}'
    marked = replaced(head + b"}", field, '"@"')
    return marked.replace(b"@", text)


def test_nothing_is_read_outside_of_the_buffer() -> None:
    """Every cut of a message between two pages that may not be touched."""
    message = around("x", b"0123456789abcdef") + b"\n"
    with guarded() as lay:
        for count in range(len(message) + 1):
            for at_end in (False, True):
                cut = lay(message[:count], at_end)
                left, _ = scanned(compiled.scan, cut, np.array([0, count]))
                assert left == (count < len(message) - 1)


def test_what_stands_behind_a_message_is_not_read() -> None:
    message = spelled(PLAIN)
    tails = (b'"', b"}", b"9", b',"removed":true}', b" " * 9)
    assert accepted([part for tail in tails for part in (message, tail)]) == [0, 2, 4, 6, 8]
    halves = [part for cut in range(1, len(message)) for part in (message[:cut], message[cut:])]
    assert accepted(halves) == []


def test_every_day_of_the_calendar() -> None:
    days = [
        f"{year:04}-{month:02}-{day:02}T12:34:56.7Z"
        for year in (2008, 2009, 2010, 2023, 2024, 2100, 2400, 9999)
        for month in range(14)
        for day in range(33)
    ]
    taken = accepted([with_value(PLAIN, "event_time", f'"{day}"') for day in days], ahead_ms=-1)
    assert len(taken) == 365 - 2 + 365 + 365 + 366 + 365 + 366 + 365


@pytest.mark.parametrize(
    ("at_ms", "ahead_ms", "is_taken"),
    [
        (EVENT_MS_MIN - 1, AHEAD_MS, False),
        (EVENT_MS_MIN, AHEAD_MS, True),
        (T0_MS + AHEAD_MS, AHEAD_MS, True),
        (T0_MS + AHEAD_MS + 1, AHEAD_MS, False),
        (T0_MS, 0, True),
        (T0_MS + 1, 0, False),
        (10**18 - 1, -1, True),
    ],
)
def test_bounds_of_event_time(at_ms: int, ahead_ms: int, is_taken: bool) -> None:
    message = with_value(PLAIN, "event_time", str(at_ms))
    assert accepted([message], ahead_ms) == [0] * is_taken


@pytest.mark.parametrize("fill", [b" ", b"\n"])
def test_a_message_too_large_by_blanks_is_left(fill: bytes) -> None:
    message = spelled(PLAIN)
    blanks = fill * (MESSAGE_BYTES_MAX + 1 - len(message))
    assert accepted([message + blanks, blanks + message, message + fill * 60_000]) == [2]


@pytest.mark.parametrize("field", ["event_id", "tx_hash", "token_address"])
def test_text_bounds(field: str) -> None:
    base = spelled(swap(1, chain_id=7, tx_hash="0xab", log_index=3))
    if field == "tx_hash":
        base = base.replace(b'"event_id":"e:1",', b"")
    room = 256 - len("7::3") * (field == "tx_hash")
    texts = ["", "x", "x" * room, "x" * (room + 1)]
    assert accepted([replaced(base, field, f'"{text}"') for text in texts]) == [1, 2]


def test_a_repeated_known_key_is_left_and_an_unknown_one_is_not() -> None:
    head = spelled(PLAIN)[:-1]
    names = list(json.loads(head + b"}"))
    doubled = [head + f',"{name}":{text}'.encode() + b"}" for name in names for text in "1n"]
    doubled = [message.replace(b":n}", b":null}") for message in doubled]
    assert accepted(doubled) == []
    assert accepted([head + b',"x":1,"x":2}']) == [0]
    unpriced = spelled(swap(1, amount_usd=None))
    assert b'"amount_usd":null' in unpriced
    assert accepted([unpriced[:-1] + b',"amount_usd":"5"}']) in ([], [0])
