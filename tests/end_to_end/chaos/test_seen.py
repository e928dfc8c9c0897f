"""What watches a run complains of what must not be, and of nothing else."""

from typing import Any

from tests.end_to_end.chaos.clients import StreamClient
from tests.end_to_end.chaos.seen import SAMPLES_MAX, Seen


def data(offset: int, trades: int, *, as_of: int = 7, end: int = 10) -> dict[str, Any]:
    return {
        "token": "A",
        "as_of": as_of,
        "end": end,
        "position": {"partition": 0, "offset": offset},
        "w5m": {"trades": trades},
    }


def snapshot(stream: str, seq: int, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": "snapshot", "channel": "token:A", "token": "A",
        "stream": stream, "seq": seq, "data": told,
    }  # fmt: skip


def test_a_moment_or_a_position_that_goes_back_is_a_complaint() -> None:
    seen = Seen()
    seen.place("one", "A", 5, 5)
    seen.place("one", "A", 5, 6)
    seen.place("other", "A", 1, 1)
    assert not seen.complaints
    seen.place("one", "A", 4, 7)
    seen.place("one", "A", 6, 6)
    assert len(seen.complaints) == 2


def test_the_same_place_with_other_numbers_is_a_complaint() -> None:
    seen = Seen()
    seen.numbers("one", data(3, 1))
    seen.numbers("other", data(3, 1, as_of=8))
    assert (seen.agreed, seen.complaints) == (1, [])
    seen.numbers("other", data(4, 2))
    seen.numbers("other", data(3, 2, end=15))
    assert not seen.complaints
    seen.numbers("third", data(3, 2))
    assert len(seen.complaints) == 1


def test_samples_are_spread_over_all_answers() -> None:
    seen = Seen()
    for offset in range(1_000):
        seen.sample(data(offset, 1))
    offsets = [sample["position"]["offset"] for sample in seen.samples]
    assert SAMPLES_MAX // 3 < len(offsets) <= SAMPLES_MAX
    assert offsets == sorted(offsets)
    assert offsets[0] < 200
    assert offsets[-1] > 800


def test_a_stream_client_complains_of_what_breaks_the_protocol() -> None:
    seen = Seen()
    client = StreamClient("one", ["http://x"], ["A"], seen)
    client._take_event(snapshot("life-0-2", 5, data(3, 1)))
    patch = {
        "event": "patch", "channel": "token:A", "stream": "life-0-2",
        "seq": 6, "prev": 5, "patch": {"position": {"offset": 4}, "w5m": {"trades": 2}},
    }  # fmt: skip
    client._take_event(patch)
    assert not seen.complaints
    client._take_event(patch)
    assert len(seen.complaints) == 1, "another base than the one held"
    client._take_event(snapshot("life-0-2", 4, data(4, 2)))
    assert len(seen.complaints) == 2, "a seq that goes back"
    client._take_event(snapshot("life-0-1", 9, data(4, 2)))
    assert len(seen.complaints) == 3, "an owner of before"
    client._take_event(snapshot("other-0-1", 1, data(1, 1, end=20)))
    assert len(seen.complaints) == 3, "another deployment has positions of its own"


def test_patches_are_held_against_what_others_were_told() -> None:
    seen = Seen()
    seen.numbers("HTTP", data(4, 3))
    client = StreamClient("one", ["http://x"], ["A"], seen)
    client._take_event(snapshot("life-0-2", 5, data(3, 1)))
    client._take_event(
        {
            "event": "patch", "channel": "token:A", "stream": "life-0-2",
            "seq": 6, "prev": 5, "patch": {"position": {"offset": 4}, "w5m": {"trades": 2}},
        }
    )  # fmt: skip
    assert len(seen.complaints) == 1
