import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swapstats.core.subject import (
    KEY_BYTES_MAX,
    TOKEN_SUBJECT_PREFIX,
    decode_key,
    encode_key,
    token_subject,
)
from swapstats.errors import Rejected

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=256)


@given(KEYS)
@example("")
@example("%")
@example("a.b.*.> [c]\t\r\n\0~%25")
@example("1:0xABCdef")
def test_a_key_comes_back_and_its_part_is_plain(key: str) -> None:
    part = encode_key(key)
    assert re.fullmatch(r"[A-Za-z0-9_:%-]+", part)
    assert decode_key(part) == key
    assert token_subject(key) == TOKEN_SUBJECT_PREFIX + part


@given(KEYS, KEYS)
@example("%2E", ".")
@example("", "%")
def test_two_keys_have_two_subjects(one: str, other: str) -> None:
    assert (encode_key(one) == encode_key(other)) == (one == other)


@given(st.text(max_size=30) | st.text("%2eE.aF ", max_size=8))
@example("%2e")
@example("%61")
@example("%FF")
@example("%2")
@example("")
def test_only_what_encoding_writes_is_read(part: str) -> None:
    try:
        key = decode_key(part)
    except Rejected:
        return
    assert encode_key(key) == part


@pytest.mark.parametrize("key", ["x" * (KEY_BYTES_MAX + 1), "\ud800"])
def test_keys_without_a_subject_are_refused(key: str) -> None:
    with pytest.raises(Rejected, match="token key"):
        encode_key(key)


def test_the_longest_key_fits_a_line_of_the_protocol() -> None:
    assert len(token_subject("\n" * KEY_BYTES_MAX)) < 4_096
