"""The canonical chain as a collector has written it, and how it follows a new head.

A node's word on what was `removed` is never asked for: a head and its ancestors, linked by parent
hashes, say which blocks are canonical, and the logs of a block are asked for by its hash. Nothing
changes here before all of that is at hand. Then, for a reorg, everything above the common ancestor
is taken back, the newest first, and the new branch is added:

    final ── 101 ── 102 ── 103          head 103'': drop 103, 102; add 102'', 103''
               └─── 102'' ── 103''

What changes is given as entries to write in their order. Messages are announced by an empty entry
before them, so that after a kill between the two, on a log that takes messages and positions
apart, `resume` repeats what may be there already, which is harmless, and finishes it.

Blocks from the final one on are the window; up to the final block everything is in the log for
good, and forgotten here. A note is asked to be forgotten one entry after the position that does not
need it any more, so that notes may be written a moment before their position.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from swapstats.core.evm.chain import (
    Advance,
    BeyondFinality,
    Block,
    BlockRef,
    Decision,
    Entry,
    Header,
    Lagging,
    NeedParent,
    NothingNew,
)
from swapstats.core.evm.chain_notes import (
    BLOCK_PREFIX,
    RANGE_KEY,
    REMEDY,
    block_key,
    read_block,
    read_position,
    read_range,
    write_block,
    write_position,
    write_range,
)
from swapstats.core.evm.inclusions import GONE_EVENTS_MAX, Inclusions
from swapstats.errors import InvariantBroken, Rejected
from swapstats.model.raw_event import PoolSwap


class ChainTracker:
    """One chain's window of blocks.

    Args:
        chain_id: EIP-155 id.
        final: everything up to this block is written, or is not wanted.
        window_blocks_max: blocks above the final one at most; the oldest become final.
        gone_events_max: events that left the chain and are remembered.
    """

    def __init__(
        self,
        chain_id: int,
        final: BlockRef,
        window_blocks_max: int,
        gone_events_max: int = GONE_EVENTS_MAX,
    ) -> None:
        self._chain_id = chain_id
        self._final = final
        self._window_blocks_max = window_blocks_max
        self._blocks: dict[int, Block] = {}
        self._events: set[tuple[str, int]] = set()
        self._head = self._goal = final.number
        self._inclusions = Inclusions(gone_events_max)
        self._announced: BlockRef | None = None
        self._forget: list[str] = []
        self._forget_next: list[str] = []

    @classmethod
    def restored(
        cls,
        position: str,
        notes: Mapping[str, str],
        chain_id: int,
        window_blocks_max: int,
        gone_events_max: int = GONE_EVENTS_MAX,
    ) -> "ChainTracker":
        """Restore a tracker; `resume` must be asked for next.

        Raises:
            Rejected: the position or the notes are not those of this chain.
        """
        at = read_position(position, chain_id)
        tracker = cls(
            chain_id, BlockRef(at.final, at.final_hash), window_blocks_max, gone_events_max
        )
        tracker._head, tracker._goal = at.head, at.goal
        tracker._restore_blocks(notes)
        tracker._inclusions.restore(notes)
        if RANGE_KEY in notes:
            tracker._announced = read_range(notes[RANGE_KEY])
            tracker._reach_announced()
        return tracker

    @property
    def final(self) -> BlockRef:
        """The newest final block."""
        return self._final

    @property
    def head(self) -> BlockRef:
        """The newest block that is included."""
        if self._head == self._final.number:
            return self._final
        return self._blocks[self._head].header.ref

    @property
    def announced(self) -> BlockRef | None:
        """Last block of a range that may be in the log already, and has to be on the chain."""
        return self._announced

    @property
    def position(self) -> str:
        """Where it stands, for the log."""
        return write_position(self._chain_id, self._final, self._head, self._goal)

    def hash_at(self, number: int) -> str | None:
        """Hash of our block at a height; None above the head and below the final block."""
        if number == self._final.number:
            return self._final.hash
        block = self._blocks.get(number)
        return block.header.hash if block is not None and number <= self._head else None

    def decide(self, path: Sequence[Header]) -> Decision:
        """Say what a head means.

        Args:
            path: the head, its parent, its parent's parent and so on, as far as they are known.

        Raises:
            Rejected: they are not linked.
        """
        for child, parent in pairwise(path):
            if (parent.hash, parent.number) != (child.parent_hash, child.number - 1):
                raise Rejected(
                    f"Expected the parent {child.parent_hash} of block {child.number}, "
                    f"was {parent.hash} at {parent.number}"
                )
        head, lowest = path[0], path[-1]
        ours = self.hash_at(head.number)
        if ours == head.hash:
            behind = self._head - head.number
            return Lagging(behind) if behind else NothingNew()
        if head.number <= self._final.number:
            if head.number == self._final.number:
                return BeyondFinality(self._final, head.hash)
            return Lagging(self._head - head.number)
        for depth, header in enumerate(path):
            if (
                self._announced is not None
                and header.number == self._announced.number
                and header.hash != self._announced.hash
            ):
                return BeyondFinality(self._announced, header.hash)
            if self.hash_at(header.number - 1) == header.parent_hash:
                return Advance(header.number - 1, tuple(reversed(path[: depth + 1])))
            if header.number - 1 == self._final.number:
                return BeyondFinality(self._final, header.parent_hash)
        return NeedParent(BlockRef(lowest.number - 1, lowest.parent_hash))

    def check(self, ancestor: int, blocks: Sequence[Block]) -> None:
        """Check blocks before they are added on top of `ancestor`; changes nothing.

        Raises:
            Rejected: they do not belong together, or hold an event twice.
        """
        number, parent_hash = ancestor, self.hash_at(ancestor)
        dropped = {
            _event(swap)
            for height in range(ancestor + 1, self._head + 1)
            for swap in self._blocks[height].swaps
        }
        seen: set[tuple[str, int]] = set()
        for block in blocks:
            header = block.header
            if (header.number, header.parent_hash) != (number + 1, parent_hash):
                raise Rejected(
                    f"Expected block {number + 1} on top of {parent_hash}, "
                    f"was block {header.number} on top of {header.parent_hash}"
                )
            number, parent_hash = header.number, header.hash
            for swap in block.swaps:
                if swap.block_hash != header.hash or swap.block_number != header.number:
                    raise Rejected(
                        f"Expected a swap of block {header.hash}, was one of {swap.block_hash}"
                    )
                event = _event(swap)
                if event in seen or (event in self._events and event not in dropped):
                    raise Rejected(f"Expected each event once on a chain, was {event} again")
                seen.add(event)

    def drop_to(self, ancestor: int) -> list[Entry]:
        """Take back every block above `ancestor`.

        Raises:
            InvariantBroken: it is below the final block, or something else is under way.
        """
        self._must_be_idle()
        if not self._final.number <= ancestor <= self._head:
            raise InvariantBroken(
                f"Expected an ancestor from {self._final.number} to {self._head}, was {ancestor}"
            )
        entries = []
        if any(self._blocks[number].swaps for number in range(ancestor + 1, self._head + 1)):
            self._goal = ancestor
            entries.append(self._entry())
        self._goal = ancestor
        return [*entries, self._dropped()]

    def add(self, blocks: Sequence[Block], final_number: int) -> list[Entry]:
        """Include blocks on top of the head; then everything up to `final_number` is final.

        Inclusion numbers are given here, whatever the swaps say.

        Raises:
            InvariantBroken: something else is under way.
            Rejected: as `check`.
        """
        self._must_be_idle()
        self.check(self._head, blocks)
        notes: dict[str, str | None] = {}
        for block in blocks:
            swaps = tuple(self._numbered(swap) for swap in block.swaps)
            included = Block(block.header, swaps)
            self._put(included)
            notes[block_key(block.header.number)] = write_block(included)
        self._goal = self._head + len(blocks)
        if any(block.swaps for block in blocks):
            return [self._entry(notes=notes), self._added({}, final_number)]
        return [self._added(notes, final_number)]

    def announce_final(self, end: BlockRef) -> Entry:
        """Announce that final blocks up to `end` are appended next: see `announced`."""
        return self._entry(notes={RANGE_KEY: write_range(end)})

    def append_final(self, swaps: Iterable[PoolSwap], final: BlockRef) -> Entry:
        """Append swaps of blocks that were final before they were read, up to `final`.

        Raises:
            InvariantBroken: there are blocks that are not final yet.
        """
        self._must_be_idle()
        if self._head != self._final.number or final.number < self._head:
            raise InvariantBroken(
                f"Expected a final block above {self._final.number} and no block above it, "
                f"was {final.number} and {self._head}"
            )
        numbered = tuple(self._numbered(swap) for swap in swaps)
        self._final = final
        self._head = self._goal = final.number
        self._reach_announced()
        self._forget_next += self._inclusions.final(numbered)
        return self._entry(numbered)

    def finalise(self, number: int) -> None:
        """Everything up to `number`, or up to the head if that is lower, is final.

        Written with the next entry.
        """
        number = max(min(number, self._head), self._head - self._window_blocks_max)
        if number <= self._final.number:
            return
        final = self._blocks[number].header.ref
        for height in range(self._final.number + 1, number + 1):
            block = self._pop(height)
            self._forget_next.append(block_key(height))
            self._forget_next += self._inclusions.final(block.swaps)
        self._final = final

    def settled(self) -> Entry:
        """What is final and forgotten, to be written by itself."""
        return self._entry()

    def resume(self) -> list[Entry]:
        """Repeat and finish what was under way when the position was written."""
        if self._goal < self._head:
            return [self._dropped()]
        if self._goal > self._head:
            return [self._added({}, self._final.number)]
        return []

    def _dropped(self) -> Entry:
        removals: list[PoolSwap] = []
        notes: dict[str, str | None] = {}
        for number in range(self._head, self._goal, -1):
            swaps = self._pop(number).swaps
            removals += [msgspec.structs.replace(swap, removed=True) for swap in reversed(swaps)]
            notes |= self._inclusions.left(number, swaps)
            self._forget_next.append(block_key(number))
        self._head = self._goal
        return self._entry(removals, notes)

    def _added(self, notes: dict[str, str | None], final_number: int) -> Entry:
        numbers = range(self._head + 1, self._goal + 1)
        swaps = [swap for number in numbers for swap in self._blocks[number].swaps]
        self._head = self._goal
        self._reach_announced()
        self.finalise(final_number)
        return self._entry(swaps, notes)

    def _entry(
        self, swaps: Iterable[PoolSwap] = (), notes: Mapping[str, str | None] | None = None
    ) -> Entry:
        put = dict(notes or {})
        self._forget_next = [key for key in self._forget_next if put.get(key) is None]
        said = {key: None for key in self._forget if key not in put} | put
        self._forget, self._forget_next = self._forget_next, []
        return Entry(tuple(swaps), self.position, said)

    def _reach_announced(self) -> None:
        """Forget what was announced once it is there: as a block it may well leave again."""
        if self._announced is not None and self._head >= self._announced.number:
            self._announced = None
            self._forget_next.append(RANGE_KEY)

    def _put(self, block: Block) -> None:
        self._blocks[block.header.number] = block
        self._events.update(map(_event, block.swaps))

    def _pop(self, number: int) -> Block:
        block = self._blocks.pop(number)
        self._events.difference_update(map(_event, block.swaps))
        return block

    def _numbered(self, swap: PoolSwap) -> PoolSwap:
        inclusion = self._inclusions.next(swap)
        if (swap.inclusion, swap.removed) == (inclusion, False):
            return swap
        return msgspec.structs.replace(swap, inclusion=inclusion, removed=False)

    def _must_be_idle(self) -> None:
        if self._goal != self._head:
            raise InvariantBroken(
                f"Expected nothing under way, was the way from block {self._head} to {self._goal}"
            )

    def _restore_blocks(self, notes: Mapping[str, str]) -> None:
        """Read the blocks that are needed; other notes of blocks are left over, and forgotten."""
        parent_hash = self._final.hash
        needed = range(self._final.number + 1, max(self._head, self._goal) + 1)
        for number in needed:
            text = notes.get(block_key(number))
            if text is None:
                raise Rejected(f"Expected a note of block {number}, was none: {REMEDY}")
            block = read_block(number, text)
            if block.header.parent_hash != parent_hash:
                raise Rejected(
                    f"Expected a note of block {number} on top of {parent_hash}, "
                    f"was one on top of {block.header.parent_hash}: {REMEDY}"
                )
            parent_hash = block.header.hash
            self._put(block)
        kept = {block_key(number) for number in needed}
        self._forget += [key for key in notes if key.startswith(BLOCK_PREFIX) and key not in kept]


def _event(swap: PoolSwap) -> tuple[str, int]:
    return swap.tx_hash, swap.log_index
