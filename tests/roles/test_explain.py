"""The life of a swap, told step by step: the steps, and that each is the real one."""

import json
import re
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS, swap

import swapstats
from swapstats.core.decode import partition_of_key
from swapstats.model.window import WindowSpec
from swapstats.roles.explain import Step, explain

SPEC = WindowSpec(5_000, (300_000, 3_600_000))
SOURCE = Path(swapstats.__file__).parent
ADD = swap(1, START_MS)
REMOVAL = swap(1, START_MS, removed=True)


def steps_of(*messages: bytes, max_ahead_ms: int | None = None) -> list[Step]:
    return list(explain(list(messages), SPEC, 4, max_ahead_ms))


def values(steps: list[Step], name: str) -> list[str]:
    return [step.value for step in steps if step.name == name]


def test_one_swap_takes_every_step() -> None:
    steps = steps_of(ADD)
    assert [step.name for step in steps] == [
        "message 1",
        "choose the partition by the token key",
        "append to the log and read back",
        "decode",
        "name the pair (event_id, inclusion) and its content",
        "settle its fate",
        "move the windows",
        "hand out effects",
        "read the windows",
        "prove it",
    ]
    partition = partition_of_key("BTC", 4)
    assert steps[1].value == f"partition {partition} of 4"
    assert steps[2].value == f"partition {partition}, offset 0, {len(ADD)} bytes"
    assert json.loads(steps[3].value) == {
        "token": "BTC",
        "side": "buy",
        "amount_token": f"{2 * 10**18} / 10^18",
        "amount_usd": "1500000 / 10^6",
        "event_ms": START_MS,
        "removed": False,
    }
    assert re.fullmatch(
        r"\(x:BTC:1, 0\) -> fingerprint [0-9a-f]{16}, content check [0-9a-f]{8}", steps[4].value
    )
    assert steps[5].value == "applied"
    assert steps[6].value == (
        f"T = {START_MS}, end = {START_MS + 5_000}, 1 tokens changed, 1 pairs held"
    )
    assert steps[7].value.startswith("archive rows ['+1'], update seq ")
    window = {
        "vol_usd": "1.500000",
        "vol_token": "2.000000000000000000",
        "trades": 1,
        "buy": 1,
        "sell": 0,
        "buy_usd": "1.500000",
        "sell_usd": "0.000000",
        "unpriced": 0,
    }
    assert json.loads(steps[8].value) == {"BTC": {"w5m": window, "w1h": window}}
    assert steps[9].value == "no difference"


@pytest.mark.parametrize(
    ("messages", "fates", "tokens"),
    [
        ([ADD, ADD], ["applied", "duplicates"], 1),
        ([ADD, REMOVAL], ["applied", "removed"], 0),
        ([REMOVAL, ADD], ["cancelled", "cancelled"], 0),
        ([ADD, REMOVAL, swap(1, START_MS, inclusion=1)], ["applied", "removed", "applied"], 1),
        ([ADD, swap(1, START_MS, side="sell")], ["applied", "dead_letters"], 1),
        ([ADD, swap(2, START_MS - 120_001)], ["applied", "applied, late"], 1),
        ([ADD, swap(2, START_MS - 3_600_000)], ["applied", "too_old"], 1),
        ([b"nonsense"], ["dead_letters"], 0),
    ],
    ids=lambda value: "",
)
def test_fates_are_told_and_proved(messages: list[bytes], fates: list[str], tokens: int) -> None:
    steps = steps_of(*messages)
    assert values(steps, "settle its fate") == fates
    assert len(json.loads(values(steps, "read the windows")[-1])) == tokens
    assert set(values(steps, "prove it")) == {"no difference"}


def test_a_removal_tells_its_archive_row() -> None:
    effects = values(steps_of(ADD, REMOVAL), "hand out effects")
    rows = [value.partition("]")[0] for value in effects]
    assert rows == ["archive rows ['+1'", "archive rows ['-1'"]


def test_a_bad_message_tells_why_and_where_it_is_kept() -> None:
    bad = swap(1, START_MS, side="hold")
    steps = steps_of(ADD, bad, b"\xff{")
    decoded = values(steps, "decode")
    assert decoded[1].startswith("refused, bad_side: Expected")
    assert decoded[2].startswith("refused, not_utf8")
    letters = values(steps, "keep it as a dead letter")
    assert [letter.partition(":")[0] for letter in letters] == ["bad_side", "not_utf8"]
    assert values(steps, "message 3") == ["\\xff{"]


def test_a_conflict_is_kept_as_a_dead_letter() -> None:
    letters = values(steps_of(ADD, swap(1, START_MS, side="sell")), "keep it as a dead letter")
    assert [letter.partition(":")[0] for letter in letters] == ["conflict"]


def test_each_partition_is_read_and_proved() -> None:
    messages = [swap(n, START_MS, f"T{n}") for n in range(8)]
    partitions = {partition_of_key(f"T{n}", 4) for n in range(8)}
    steps = steps_of(*messages)
    assert len(values(steps, "prove it")) == len(partitions) > 1
    tokens = [token for text in values(steps, "read the windows") for token in json.loads(text)]
    assert sorted(tokens) == [f"T{n}" for n in range(8)]


def test_every_place_that_is_named_is_there() -> None:
    steps = steps_of(ADD, REMOVAL, b"bad")
    places = {step.where for step in steps if step.where != "the source"}
    assert len(places) >= 9
    for place in places:
        file, _, names = place.partition(": ")
        text = (SOURCE / file).read_text(encoding="utf-8")
        for name in names.split(", "):
            for part in name.split("."):
                assert re.search(rf"^ *(async )?(def|class) {part}\b", text, re.MULTILINE), place
