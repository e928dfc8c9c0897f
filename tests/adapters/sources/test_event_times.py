"""Finding and moving event_time, compared with a plain JSON reader."""

import json
import random
from datetime import datetime

import numpy as np
import pytest

from swapstats.adapters.sources.event_times import find_event_times, shift_event_times
from swapstats.core.plain_decode import time_ms
from swapstats.core.replay_pace import NO_TIME_MS
from swapstats.model.record import MessageBlock

MS = 1_704_412_800_123


def shifted(messages: list[bytes], shift_ms: int) -> list[bytes]:
    block = MessageBlock.of(messages)
    moved = shift_event_times(block, find_event_times(block), shift_ms)
    return [moved.message(index) for index in range(len(moved))]


FOUND = [
    (b'{"event_time":1704412800123}', MS),
    (b' {"a":1 , "event_time" : 1704412800123 }', MS),
    (b'{"event_time":"2024-01-05T00:00:00.123Z"}', MS),
    (b'{"event_time":"2024-01-05t01:00:00.1239+01:00","b":2}', MS),
    (b'{"x":{"event_time":1},"event_time":1704412800123}', MS),
    (b'{"x":[{"event_time":1},"]}"],"event_time":1704412800123}', MS),
    (b'{"x":"\\"event_time\\":5,","event_time":1704412800123}', MS),
    (b'{"event_time":7,"event_time":1704412800123}', MS),
    (b'{"event\\u005ftime":1704412800123}', MS),
    (b'{"\\u0065vent_time":"2024-01-05T00:00:00.123\\u005a"}', MS),
    (b'{"event_times":5,"event_tim":6,"":7,"event_time":1704412800123}', MS),
]
NOT_FOUND = [
    b"",
    b"{}",
    b"[1]",
    b"{",
    b'{"event_time"',
    b'{"event_time":',
    b'{"event_time":null}',
    b'{"event_time":1704412800123.0}',
    b'{"event_time":"1704412800123"}',
    b'{"event_time":01704412800123}',
    b'{"event_time":-1704412800123}',
    b'{"event_time":5}',
    b'{"event_time":99999999999999999999}',
    b'{"event_time":"2024-01-05T00:00:00"}',
    b'{"event_time":"2024-02-30T00:00:00Z"}',
    b'{"event_time":{"event_time":1704412800123}}',
    b'{"x":{"event_time":1704412800123}}',
    b'{"x":"event_time:1704412800123"}',
    b'{"event_time":1704412800123,"event_time":null}',
    b'not json "event_time":1704412800123',
    b'{"event_time":"\xff"}',
    b'{"event_time":"\\u12"}',
]


def test_the_event_time_of_the_contract_is_found() -> None:
    messages = [message for message, _ in FOUND] + NOT_FOUND
    times = find_event_times(MessageBlock.of(messages)).event_ms
    assert times.tolist() == [ms for _, ms in FOUND] + [NO_TIME_MS] * len(NOT_FOUND)


def test_only_the_event_time_moves() -> None:
    for message, ms in FOUND:
        (moved,) = shifted([message], 86_400_000)
        assert find_event_times(MessageBlock.of([moved])).event_ms.tolist() == [ms + 86_400_000]
        before = json.loads(message)
        after = json.loads(moved)
        assert {k: v for k, v in before.items() if k != "event_time"} == {
            k: v for k, v in after.items() if k != "event_time"
        }
    assert shifted(NOT_FOUND, 12_345) == NOT_FOUND


@pytest.mark.parametrize(
    ("before", "shift_ms", "after"),
    [
        ("1704412800123", 7, "1704412800130"),
        ("9999999999999", 1, "10000000000000"),
        ('"2024-01-05T00:00:00Z"', 1_000, '"2024-01-05T00:00:01Z"'),
        ('"2024-01-05T00:00:00Z"', 1, '"2024-01-05T00:00:00.001Z"'),
        ('"2024-01-05T00:00:00.0Z"', 1_000, '"2024-01-05T00:00:01.0Z"'),
        ('"2024-01-05T00:00:00.5z"', 200, '"2024-01-05T00:00:00.7z"'),
        ('"2024-01-05T00:00:00.5z"', 250, '"2024-01-05T00:00:00.750z"'),
        ('"2024-01-05T00:00:00.123456Z"', 1, '"2024-01-05T00:00:00.124456Z"'),
        ('"2024-01-05t23:59:59.999-05:30"', 1, '"2024-01-06t00:00:00.000-05:30"'),
        ('"2024-03-01T00:00:00+23:59"', -1_000, '"2024-02-29T23:59:59+23:59"'),
    ],
)
def test_spellings_are_kept(before: str, shift_ms: int, after: str) -> None:
    message = '{"a":"%s","event_time":%s,"b":[1]}'
    assert shifted([(message % ("x", before)).encode()], shift_ms) == [
        (message % ("x", after)).encode()
    ]


def test_a_mixed_block_keeps_its_bounds() -> None:
    messages = [
        message
        for pair in zip(NOT_FOUND, [m for m, _ in FOUND] * 2, strict=True)
        for message in pair
    ]
    moved = shifted(messages, 3_600_000)
    assert moved == [shifted([message], 3_600_000)[0] for message in messages]


def test_random_messages_against_plain_json() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)

    def value(depth: int) -> object:
        kind = rng.randrange(6 if depth else 4)
        if kind == 4:
            return [value(depth - 1) for _ in range(rng.randrange(3))]
        if kind == 5:
            return {rng.choice(["event_time", "x", 'q"{']): value(depth - 1) for _ in range(2)}
        return [None, rng.randrange(1_000), 'a"\\]}{[,:é', "event_time"][kind]

    for _ in range(300):
        ms = rng.randrange(1_300_000_000_000, 1_900_000_000_000)
        written = rng.choice([ms, datetime.fromtimestamp(ms // 1_000).astimezone().isoformat()])
        fields = [(f"f{number}", value(3)) for number in range(rng.randrange(4))]
        fields.insert(rng.randrange(len(fields) + 1), ("event_time", written))
        message = json.dumps(
            dict(fields), ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1])
        ).encode()
        expected_ms = ms if isinstance(written, int) else time_ms(written)
        assert expected_ms is not None
        block = MessageBlock.of([message])
        assert find_event_times(block).event_ms.tolist() == [expected_ms]
        (moved,) = shifted([message], 987_654_321)
        assert json.loads(moved) | {"event_time": 0} == dict(fields) | {"event_time": 0}
        assert find_event_times(MessageBlock.of([moved])).event_ms[0] == expected_ms + 987_654_321


def test_a_time_that_cannot_be_written_stays() -> None:
    message = b'{"event_time":"9999-12-31T00:00:00Z"}'
    assert shifted([message], 1_000) == [message]
    assert np.array_equal(find_event_times(MessageBlock.of([])).event_ms, [])
