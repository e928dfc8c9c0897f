"""The comparison by arrays against the same rules by dictionaries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.backfill_compare import IN_TABLE, KINDS, SIGHTING, compare_pairs

SINCE_MS, UNTIL_MS = 10, 20
Sighting = tuple[int, int, int, int, int, int]
"""pair, event_ms, place, check, partition, removed"""

sightings = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from((9, 10, 19, 20)),
        st.integers(1, 99),
        st.integers(0, 1),
        st.sampled_from((IN_TABLE, IN_TABLE, 0, 1)),
        st.integers(0, 1),
    ),
    max_size=30,
)


def plainly(seen: list[Sighting]) -> dict[int, tuple[str, int, int, int, int]]:
    """What differs, by pair: kind, event_ms, row, partition, offset."""
    found = {}
    for pair in {each[0] for each in seen}:
        rows = [each for each in seen if each[0] == pair and each[4] == IN_TABLE]
        records = [each for each in seen if each[0] == pair and each[4] != IN_TABLE]
        first = rows[0] if rows else records[0]
        kind = ""
        log_removed = any(each[5] for each in records)
        if not records:
            kind = "missing in the log"
        elif not rows:
            is_added = any(not each[5] for each in records)
            if is_added and not log_removed and SINCE_MS <= first[1] < UNTIL_MS:
                kind = "missing in the table"
        elif any(row[3] != records[0][3] for row in rows):
            kind = "conflict"
        elif log_removed and not any(row[5] for row in rows):
            kind = "removed in the log only"
        elif any(row[5] for row in rows) and not log_removed:
            kind = "removed in the table only"
        if kind:
            record = records[0] if records else (0, 0, 0, 0, -1, 0)
            found[pair] = (kind, first[1], rows[0][2] if rows else 0, record[4], record[2])
    return found


@given(sightings)
def test_equals_the_plain_rules(seen: list[Sighting]) -> None:
    array = np.array(seen, dtype=SIGHTING)
    found = compare_pairs(array, SINCE_MS, UNTIL_MS)
    told = [
        (KINDS[kind], int(event_ms), int(row), int(partition), int(offset))
        for kind, event_ms, row, partition, offset in zip(
            found.kind, found.event_ms, found.row, found.partition, found.offset, strict=True
        )
    ]
    expected = plainly(seen)
    assert told == [expected[pair] for pair in sorted(expected)]
