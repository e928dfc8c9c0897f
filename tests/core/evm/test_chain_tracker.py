"""What a head means, what is written for it, and how a restart goes on from between two writes."""

import itertools

import pytest
from tests.core.evm.blocks import CHAIN_ID, block, hash_of, header, said, start

from swapstats.core.evm.chain import (
    Advance,
    BeyondFinality,
    BlockRef,
    Decision,
    Entry,
    Header,
    Lagging,
    NeedParent,
    NothingNew,
)
from swapstats.core.evm.chain_notes import read_position
from swapstats.core.evm.chain_tracker import ChainTracker
from swapstats.errors import InvariantBroken, Rejected

WINDOW = 100


def tracker_at_103() -> ChainTracker:
    """Final block 100; 101 to 103 on top, with swaps t1; t2, t3; t4."""
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    tracker.add([block(101, "t1"), block(102, "t2", "t3"), block(103, "t4")], 100)
    return tracker


def notes_after(entries: list[Entry], notes: dict[str, str] | None = None) -> dict[str, str]:
    kept: dict[str, str | None] = dict(notes or {})
    for entry in entries:
        kept |= entry.notes
    return {key: text for key, text in kept.items() if text is not None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([header(103)], NothingNew()),
        ([header(102)], Lagging(1)),
        ([header(100)], Lagging(3)),
        ([header(90)], Lagging(13)),
        ([header(104)], Advance(103, (header(104),))),
        ([header(105)], NeedParent(BlockRef(104, "0xa104"))),
        ([header(105), header(104)], Advance(103, (header(104), header(105)))),
        ([header(103, "b", "a")], Advance(102, (header(103, "b", "a"),))),
        ([header(102, "b", "a")], Advance(101, (header(102, "b", "a"),))),
        ([header(101, "b", "a")], Advance(100, (header(101, "b", "a"),))),
        ([header(104, "b")], NeedParent(BlockRef(103, "0xb103"))),
        ([header(101, "b")], BeyondFinality(start(100), "0xb100")),
        ([header(100, "b")], BeyondFinality(start(100), "0xb100")),
        ([header(102, "b"), header(101, "b")], BeyondFinality(start(100), "0xb100")),
    ],
)
def test_what_a_head_means(path: list[Header], expected: Decision) -> None:
    tracker = tracker_at_103()
    before = tracker.position
    assert tracker.decide(path) == expected
    assert tracker.position == before


@pytest.mark.parametrize("parent", [header(104, "b"), header(103), Header(104, "0xa105", "0x", 0)])
def test_a_path_that_is_not_linked_is_refused(parent: Header) -> None:
    with pytest.raises(Rejected, match="Expected the parent"):
        tracker_at_103().decide([header(106), parent])


def test_blocks_are_announced_and_then_added() -> None:
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    ahead, added = tracker.add([block(101, "t1", "t2"), block(102, "t3")], 100)
    assert said(ahead) == []
    assert set(ahead.notes) == {"block/101", "block/102"}
    assert '"head":100,"goal":102' in ahead.position
    assert said(added) == [("t1", 0, False), ("t2", 0, False), ("t3", 0, False)]
    assert added.notes == {}
    assert '"head":102,"goal":102' in added.position
    assert tracker.head == start(102)


def test_empty_blocks_need_no_announcement() -> None:
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    (entry,) = tracker.add([block(101), block(102)], 100)
    assert set(entry.notes) == {"block/101", "block/102"}
    assert '"head":102,"goal":102' in entry.position


def test_a_reorg_takes_back_the_newest_first_and_adds_with_higher_inclusions() -> None:
    tracker = tracker_at_103()
    ahead, dropped = tracker.drop_to(101)
    assert (said(ahead), '"head":103,"goal":101' in ahead.position) == ([], True)
    assert said(dropped) == [("t4", 0, True), ("t3", 0, True), ("t2", 0, True)]
    assert set(dropped.notes) == {"gone/102", "gone/103"}
    branch = [
        block(102, "t4", "t9", branch="b", parent="a"),
        block(103, "t2", branch="b"),
    ]
    ahead, added = tracker.add(branch, 100)
    # t4 was at index 0 before and is so again; t2 as well.
    assert said(added) == [("t4", 1, False), ("t9", 0, False), ("t2", 1, False)]
    assert tracker.head == start(103, "b")


def test_a_chain_that_flips_back_gets_the_same_blocks_with_higher_inclusions() -> None:
    tracker = tracker_at_103()
    tracker.drop_to(102)
    tracker.add([block(103, "t9", branch="b", parent="a"), block(104, branch="b")], 100)
    _, dropped = tracker.drop_to(102)
    assert said(dropped) == [("t9", 0, True)]
    _, added = tracker.add([block(103, "t4")], 100)
    assert said(added) == [("t4", 1, False)]
    _, dropped = tracker.drop_to(102)
    assert said(dropped) == [("t4", 1, True)]
    _, added = tracker.add([block(103, "t4")], 100)
    assert said(added) == [("t4", 2, False)]
    assert tracker.head == start(103)


def test_a_removal_repeats_its_add_but_for_the_flag() -> None:
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    _, added = tracker.add([block(101, "t1")], 100)
    _, dropped = tracker.drop_to(100)
    (add,), (removal,) = added.swaps, dropped.swaps
    assert removal.removed
    fields = [name for name in add.__struct_fields__ if name != "removed"]
    assert [getattr(add, name) for name in fields] == [getattr(removal, name) for name in fields]


def test_final_blocks_leave_the_window_and_their_notes_go_one_entry_later() -> None:
    tracker = tracker_at_103()
    tracker.drop_to(102)
    _, added = tracker.add([block(103, "t4", branch="b", parent="a")], 100)
    assert notes_after([added]) == {}
    (entry,) = tracker.add([block(104, branch="b")], 103)
    assert tracker.final == start(103, "b")
    assert [key for key, text in entry.notes.items() if text is None] == []
    (entry,) = tracker.add([block(105, branch="b")], 103)
    forgotten = {key for key, text in entry.notes.items() if text is None}
    assert forgotten == {"block/101", "block/102", "block/103", "gone/103"}
    assert tracker.decide([header(103)]) == BeyondFinality(start(103, "b"), "0xa103")


def test_nothing_above_the_head_becomes_final() -> None:
    tracker = tracker_at_103()
    tracker.finalise(500)
    assert tracker.final == tracker.head == start(103)


def test_the_window_has_a_limit() -> None:
    tracker = ChainTracker(CHAIN_ID, start(0), 5)
    for number in range(1, 20):
        tracker.add([block(number, f"t{number}")], 0)
    assert (tracker.head.number, tracker.final.number) == (19, 14)
    assert tracker.hash_at(13) is None
    assert tracker.hash_at(14) == hash_of(14)


def test_final_ranges_are_appended_with_inclusions_of_what_left_before() -> None:
    tracker = tracker_at_103()
    tracker.drop_to(102)
    tracker.finalise(102)
    far = block(120, "t4", "t8")
    entry = tracker.append_final(far.swaps, start(130))
    assert said(entry) == [("t4", 1, False), ("t8", 0, False)]
    assert tracker.head == tracker.final == start(130)
    assert "gone/103" in tracker.settled().notes


def test_a_range_is_announced_and_remembered_until_it_is_there() -> None:
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    announced = tracker.announce_final(start(130))
    assert (announced.swaps, tracker.announced) == ((), None)
    notes = notes_after([announced])

    def restored() -> ChainTracker:
        return ChainTracker.restored(announced.position, notes, CHAIN_ID, WINDOW)

    by_range = restored()
    assert by_range.announced == start(130)
    by_range.append_final((), start(120))
    assert by_range.announced == start(130)
    last = by_range.append_final((), start(130))
    assert by_range.announced is None
    assert ChainTracker.restored(last.position, notes, CHAIN_ID, WINDOW).announced is None

    by_blocks = restored()
    for number in range(101, 131):
        assert by_blocks.announced == start(130)
        by_blocks.add([block(number)], 100)
    assert by_blocks.announced is None
    (entry,) = by_blocks.drop_to(125)
    assert entry.notes["range"] is None, "blocks may leave again, which is no surprise"


def test_a_foreign_note_of_a_range_is_refused() -> None:
    position = ChainTracker(CHAIN_ID, start(100), WINDOW).position
    with pytest.raises(Rejected, match="note of a range"):
        ChainTracker.restored(position, {"range": "[1]"}, CHAIN_ID, WINDOW)


def test_ranges_and_blocks_that_are_not_final_do_not_mix() -> None:
    with pytest.raises(InvariantBroken, match="no block above it"):
        tracker_at_103().append_final((), start(130))


@pytest.mark.parametrize(
    "blocks",
    [
        [block(105)],
        [block(104, branch="b")],
        [block(104), block(105, branch="b")],
        [block(104, "t1")],
        [block(104, "t9"), block(105, "t9")],
    ],
)
def test_blocks_that_do_not_fit_are_refused_and_change_nothing(blocks: list[object]) -> None:
    tracker = tracker_at_103()
    before = tracker.position
    with pytest.raises(Rejected):
        tracker.add(blocks, 100)  # type: ignore[arg-type]
    assert tracker.position == before
    assert tracker.decide([header(103)]) == NothingNew()


def test_an_event_of_a_block_that_is_dropped_may_come_again() -> None:
    tracker = tracker_at_103()
    branch = [block(103, "t4", branch="b", parent="a")]
    tracker.check(102, branch)
    with pytest.raises(Rejected, match="on top of"):
        tracker.check(103, branch)


def test_the_ancestor_is_between_the_final_block_and_the_head() -> None:
    for ancestor in (99, 104):
        with pytest.raises(InvariantBroken, match="from 100 to 103"):
            tracker_at_103().drop_to(ancestor)


def all_entries() -> list[Entry]:
    """A story in entries: three blocks, a reorg of two, finality, back again."""
    tracker = ChainTracker(CHAIN_ID, start(100), WINDOW)
    return [
        *tracker.add([block(101, "t1"), block(102, "t2", "t3"), block(103, "t4")], 100),
        *tracker.drop_to(101),
        *tracker.add([block(102, "t3", branch="b", parent="a"), block(103, branch="b")], 101),
        *tracker.drop_to(101),
        *tracker.add([block(102, "t2", "t3"), block(103, "t4")], 101),
        *tracker.add([block(104)], 102),
    ]


@pytest.mark.parametrize("at", range(len(all_entries())))
@pytest.mark.parametrize("notes_written", [False, True])
def test_a_restart_repeats_what_was_under_way_and_is_where_it_would_have_been(
    at: int, notes_written: bool
) -> None:
    """Entry `at` is the last whose position was written; of the next one perhaps the notes."""
    story = all_entries()
    notes = notes_after(story[: at + 1])
    if notes_written and at + 1 < len(story):
        notes = notes_after([story[at + 1]], notes)
    tracker = ChainTracker.restored(story[at].position, notes, CHAIN_ID, WINDOW)
    resumed = tracker.resume()
    if not story[at].swaps and at + 1 < len(story) and story[at + 1].swaps:
        # It was announced: what may have been written is repeated, message by message.
        (entry,) = resumed
        assert entry.swaps == story[at + 1].swaps
        head, expected = (
            read_position(text, CHAIN_ID) for text in (entry.position, story[at + 1].position)
        )
        assert (head.head, head.goal) == (expected.head, expected.goal)
    else:
        assert resumed == []


def test_a_restored_tracker_goes_on_as_the_first_would_have() -> None:
    story = all_entries()
    for cut in range(2, len(story)):
        restored = ChainTracker.restored(
            story[cut].position, notes_after(story[: cut + 1]), CHAIN_ID, WINDOW
        )
        restored.resume()
        ancestor = restored.final.number
        removals = [one for entry in restored.drop_to(ancestor) for one in entry.swaps]
        heights = [one.block_number for one in removals]
        assert all(one.removed for one in removals)
        assert all(upper >= lower for upper, lower in itertools.pairwise(heights))


def test_notes_that_are_needed_no_more_are_forgotten_after_a_restart() -> None:
    story = all_entries()
    notes = notes_after(story) | {"block/90": "old", "block/200": "of a branch that left"}
    restored = ChainTracker.restored(story[-1].position, notes, CHAIN_ID, WINDOW)
    (entry,) = restored.add([block(105)], 102)
    forgotten = {key for key, text in entry.notes.items() if text is None}
    assert {"block/90", "block/200"} <= forgotten


@pytest.mark.parametrize("number", [103, 104])
def test_a_missing_note_is_told(number: int) -> None:
    story = all_entries()
    notes = notes_after(story)
    del notes[f"block/{number}"]
    with pytest.raises(Rejected, match=f"Expected a note of block {number}, was none"):
        ChainTracker.restored(story[-1].position, notes, CHAIN_ID, WINDOW)


def test_notes_of_two_branches_are_refused() -> None:
    story = all_entries()
    notes = notes_after(story)
    (other,) = ChainTracker(CHAIN_ID, start(103, "c"), WINDOW).add([block(104, branch="c")], 0)
    notes["block/104"] = str(other.notes["block/104"])
    with pytest.raises(Rejected, match="on top of 0xa103, was one on top of 0xc103"):
        ChainTracker.restored(story[-1].position, notes, CHAIN_ID, WINDOW)
