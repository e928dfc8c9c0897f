import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swapstats.core.token_codec import (
    PAYLOAD_BYTES_MAX,
    VERSION,
    WINDOWS_MAX,
    decode_update,
    encode_update,
)
from swapstats.errors import Rejected
from swapstats.model.stats import ROW_WORDS
from swapstats.model.token_update import TokenUpdate

WORD_MAX = (1 << 63) - 1
NATURALS = st.integers(0, WORD_MAX)
WORDS = st.integers(-WORD_MAX - 1, WORD_MAX) | st.sampled_from((0, -1, WORD_MAX, -WORD_MAX - 1))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=256)


@st.composite
def updates(draw: st.DrawFn) -> TokenUpdate:
    windows = draw(st.integers(1, 4))
    row = draw(st.lists(WORDS, min_size=windows * ROW_WORDS, max_size=windows * ROW_WORDS))
    a, b, c, d, e, f, g, h = draw(st.tuples(*[NATURALS] * 8))
    return TokenUpdate(draw(TEXTS), draw(st.none() | TEXTS), a, b, c, d, e, f, g, h, tuple(row))


GOOD = TokenUpdate("A", None, 0, 1, 2, 0, 3, 4, 5, 6, (0,) * 30)


@given(updates())
def test_an_update_comes_back(update: TokenUpdate) -> None:
    assert decode_update(encode_update(update)) == update


@given(updates(), st.data())
def test_a_cut_or_longer_payload_is_refused(update: TokenUpdate, data: st.DataObject) -> None:
    payload = encode_update(update)
    cut = data.draw(st.integers(0, len(payload) - 1))
    for changed in (payload[:cut], payload + b"\0"):
        with pytest.raises(Rejected):
            decode_update(changed)


@given(st.binary(max_size=200))
@example(b"")
@example(bytes([VERSION]))
@example(bytes([VERSION + 1]) + encode_update(GOOD)[1:])
def test_bytes_are_an_update_or_refused(payload: bytes) -> None:
    try:
        update = decode_update(payload)
    except Rejected:
        return
    assert decode_update(encode_update(update)) == update


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, 5),
        (0, None),
        (0, "x" * 1_025),
        (1, 5),
        (2, -1),
        (3, 1 << 63),
        (4, 1.0),
        (5, "6"),
        (9, None),
        (10, ()),
        (10, (0,) * (ROW_WORDS + 1)),
        (10, (0,) * ROW_WORDS * (WINDOWS_MAX + 1)),
        (10, (1 << 63, *[0] * 9)),
        (10, (1.5, *[0] * 9)),
    ],
)
def test_fields_that_do_not_fit_are_refused(position: int, value: object) -> None:
    fields: list[object] = ["A", None, 0, 1, 2, 0, 3, 4, 5, 6, (0,) * 10]
    fields[position] = value
    with pytest.raises(Rejected):
        decode_update(bytes([VERSION]) + msgspec.msgpack.encode(fields))


def test_numbers_too_large_cannot_be_written() -> None:
    with pytest.raises(Rejected):
        encode_update(_with_seq(1 << 64))


def _with_seq(seq: int) -> TokenUpdate:
    return TokenUpdate("A", None, 0, 1, seq, 0, 3, 4, 5, 6, (0,) * 10)


def test_a_large_payload_is_not_looked_at() -> None:
    with pytest.raises(Rejected, match=str(PAYLOAD_BYTES_MAX)):
        decode_update(bytes(PAYLOAD_BYTES_MAX + 1))


def test_a_usual_update_is_compact() -> None:
    assert len(encode_update(GOOD)) < 60


def test_joining_keeps_the_newest_numbers_and_the_oldest_link() -> None:
    def at(seq: int, prev: int, epoch: int = 1) -> TokenUpdate:
        return TokenUpdate("A", None, 0, epoch, seq, prev, 0, 0, 0, 0, (seq,) * 10)

    assert at(3, 2).standing_for(at(2, 1)) == TokenUpdate(
        "A", None, 0, 1, 3, 1, 0, 0, 0, 0, (3,) * 10
    )
    assert at(9, 0, epoch=2).standing_for(at(8, 7)) == at(9, 0, epoch=2)
    assert at(2, 1).standing_for(at(3, 2)) == at(3, 2)
    assert at(99, 98).standing_for(at(9, 0, epoch=2)) == at(9, 0, epoch=2)
