"""Answers of the API, read back to the last digit."""

import json
from pathlib import Path

import pytest
from tests.end_to_end.service_process import ServiceProcess

from swapstats.cli.answers import ask, read_answer
from swapstats.errors import Transient, UsageError
from swapstats.model.stats import FIELDS, WindowStats

WINDOW = dict.fromkeys(FIELDS, 0) | {"complete_since": 1}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("quote", ["", '"'], ids=["numbers", "strings"])
def test_numbers_and_strings_are_exact(tmp_path: Path, quote: str) -> None:
    usd, amount = "170141183460469231731.687303", "99999999999999999999.999999999999999999"
    window = json.dumps(WINDOW).replace('"vol_usd": 0', f'"vol_usd": {quote}{usd}{quote}')
    window = window.replace('"vol_token": 0', f'"vol_token": {quote}{amount}{quote}')
    answer = read_answer(
        written(
            tmp_path / "a.json",
            '{"token":"T","as_of":7,"position":{"partition":3,"offset":9},"w5m":' + window + "}",
        )
    )
    assert (answer.token, answer.partition, answer.offset, answer.t_ms) == ("T", 3, 9, 7)
    assert answer.windows == {
        "5m": WindowStats(
            vol_usd=170141183460469231731687303,
            vol_token=99999999999999999999999999999999999999,
        )
    }


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "1", "{}", '{"token":"T"}'),
        '{"token":"T","as_of":7,"position":{"partition":3,"offset":9},"w5m":{}}',
        '{"token":"T","as_of":7,"position":{"partition":3,"offset":9},"w5m":'
        + json.dumps(WINDOW | {"vol_usd": "0.0000001"})
        + "}",
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="Expected an answer of /api/tokens"):
        read_answer(written(tmp_path / "a.json", text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected a file with an answer, was .*No such file"):
        read_answer(tmp_path / "none.json")


@pytest.mark.parametrize(("sample", "count"), [(0, 0), (1, 1), (3, 3), (100, 4)])
def test_a_sample_of_a_running_service(service: ServiceProcess, sample: int, count: int) -> None:
    answers = ask(service.url, sample)
    assert len({answer.token for answer in answers}) == len(answers) == count
    assert all(set(answer.windows) == {"5m", "1h", "24h"} for answer in answers)


def test_nobody_to_ask() -> None:
    with pytest.raises(Transient):
        ask("http://127.0.0.1:1", 3)
