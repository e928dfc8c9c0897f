"""The names of the fields, at the end of the buffer and within it."""

import pytest
from tests.core.kernels.twins import readonly

from swapstats.core.kernels.fields import NAMES, UNKNOWN, field_named


@pytest.mark.parametrize("behind", [b"", b'"', b'":1,"side":"buy"}', b"_" * 30, b"\xff" * 16])
def test_every_name_is_known_and_no_other(behind: bytes) -> None:
    """At the end of the buffer and within it: the two are compared in different ways."""

    def named(text: str) -> int:
        return field_named(readonly(b".." + text.encode() + behind), 2, len(text))

    for field, name in enumerate(NAMES):
        assert named(name) == field
        changed = [name[:at] + "#" + name[at + 1 :] for at in range(len(name))]
        for other in (name[:-1], name + "s", name + "\0", name.upper(), *changed):
            assert named(other) == UNKNOWN, other
    assert named("") == UNKNOWN
