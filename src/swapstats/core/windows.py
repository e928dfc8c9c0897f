"""The buckets and rolling sums of one shard: what is held, and what lies in which window.

Reads are O(1) from the rolling sums; moving T costs the cells of the buckets that enter or leave;
an idle token costs nothing.

    bucket   17 | 18 | 19 | 20 | 21 |          window of 3 steps before: 18 19 20
                               T moves ->      after one step:              19 20 21
                                               so 18 leaves and 21 enters
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from swapstats.core.buckets import Buckets
from swapstats.core.columns import Columns
from swapstats.core.snapshot import FrozenBuckets
from swapstats.core.sorted_rows import SortedRows
from swapstats.core.sums import Sums
from swapstats.model.stats import TRADES, WindowStats, from_row
from swapstats.model.window import WindowSpec

_TOKENS_START = 256


class Windows:
    """Buckets by number, and the sums of every window for every token.

    Attributes:
        spec: step and widths.
        t_ms: T; 0 = no moment yet.
        end_ms: end (exclusive) of all windows at T.
        buckets: held buckets, also those that T has not reached yet.
        sums: the rolling sums, and which tokens changed.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.t_ms = 0
        self.end_ms = spec.step_ms
        self.buckets = Buckets()
        self.sums = Sums(_TOKENS_START, len(spec.widths_ms))
        self._widths = np.array(spec.widths_ms, dtype=np.int64) // spec.step_ms

    @property
    def min_bucket(self) -> int:
        """Lowest bucket number that any window can still cover."""
        return (self.end_ms - self.spec.widest_ms) // self.spec.step_ms

    @property
    def rolling(self) -> NDArray[np.int64]:
        """int64[tokens, windows, ROW_WORDS]: the sums of every window."""
        return self.sums.rolling

    @property
    def size_bytes(self) -> int:
        """Memory of everything."""
        return self.buckets.size_bytes + self.sums.size_bytes

    def begin(self) -> None:
        """Begin a batch: nothing has changed yet."""
        self.sums.stamp += 1
        self.sums.changed_count = 0

    def changed(self) -> NDArray[np.int32]:
        """Tokens whose windows changed since `begin` (int32[k], a copy)."""
        return self.sums.changed[: self.sums.changed_count].copy()

    def make_room(self, token_count: int) -> None:
        """Make the arrays that are indexed by token long enough."""
        self.sums.make_room(token_count)

    def decide(
        self, sorted_rows: SortedRows, columns: Columns, outcome: NDArray[np.uint8]
    ) -> NDArray[np.int32]:
        """Put messages into the sets of their buckets.

        Args:
            sorted_rows: the rows to look up, by bucket.
            columns: the decoded batch.
            outcome: uint8[n], out, by row: what the sets say of each.

        Returns:
            int32[g]: handles of the buckets, for `contribute` within the same batch.
        """
        opened = self.buckets.open(sorted_rows.numbers, self.sums.stamp)
        self.buckets.decide(opened, sorted_rows.edges, sorted_rows.grouped, columns, outcome)
        return opened

    def contribute(
        self,
        opened: NDArray[np.int32],
        sorted_rows: SortedRows,
        columns: Columns,
        tokens: NDArray[np.int32],
        fate: NDArray[np.uint8],
    ) -> None:
        """Add the rows with fate APPLIED, take back those with REMOVED."""
        self.buckets.add(
            opened,
            sorted_rows.edges,
            sorted_rows.grouped,
            columns,
            tokens,
            fate,
            self.end_ms // self.spec.step_ms,
            self._widths,
            self.sums,
        )

    def put_back(self, blobs: Mapping[int, bytes]) -> None:
        """Take buckets read from a checkpoint; windows that cover them now get their sums.

        Raises:
            StoreCorrupt: a bucket is not what was written.
        """
        lowest = self.min_bucket
        for number in sorted(blobs):
            if number >= lowest:
                self.buckets.load(number, blobs[number])
        end = self.end_ms // self.spec.step_ms
        for window, width in enumerate(self._widths.tolist()):
            self.buckets.shift(end - width, end, window, 1, self.sums)

    def advance(self, t_ms: int) -> None:
        """Move T forward: buckets enter, leave and are thrown away; never moves back."""
        if t_ms <= self.t_ms:
            return
        self.t_ms = t_ms
        before = self.end_ms // self.spec.step_ms
        after = self.spec.end_ms(t_ms) // self.spec.step_ms
        if after == before:
            return
        for window, width in enumerate(self._widths.tolist()):
            self.buckets.shift(before - width, min(before, after - width), window, -1, self.sums)
            self.buckets.shift(max(before, after - width), after, window, 1, self.sums)
        self.end_ms = after * self.spec.step_ms
        self.buckets.drop(self.min_bucket)

    def seal_quiet(self) -> None:
        """Now and then: pack buckets that nothing touched for a while."""
        self.buckets.seal_quiet(self.sums)

    def freeze(self, *, everything: bool) -> FrozenBuckets:
        """Take the buckets changed since the last snapshot (or all), by reference."""
        return self.buckets.freeze(everything=everything)

    def held_tokens(self, token_count: int) -> NDArray[np.bool_]:
        """Which tokens have a cell in any held bucket (bool[token_count])."""
        held = np.zeros(token_count, dtype=np.bool_)
        self.buckets.mark_tokens(held)
        return held

    def keep_tokens(self, kept: NDArray[np.int64]) -> None:
        """Forget all tokens but these, which get the numbers 0, 1, 2 ... in this order.

        Args:
            kept: int64[k], old numbers, ascending; every token that has a cell is among them.
        """
        numbers = np.full(len(self.sums.stamps), -1, dtype=np.int64)
        numbers[kept] = np.arange(len(kept))
        self.buckets.renumber(numbers, self.sums)
        self.sums.keep(kept)

    def live_tokens(self, token_count: int) -> list[int]:
        """Numbers of the tokens that have trades in some window."""
        found: list[int] = np.flatnonzero(
            self.rolling[:token_count, :, TRADES].any(axis=1)
        ).tolist()
        return found

    def series(self, token: int, span_ms: int) -> list[tuple[int, WindowStats]]:
        """Buckets of one token within the last `span_ms`, oldest first, empty ones left out.

        Returns:
            (start of the bucket in ms, its statistics).
        """
        step_ms = self.spec.step_ms
        numbers, rows = self.buckets.token_sums(
            token, (self.end_ms - span_ms) // step_ms, self.end_ms // step_ms
        )
        return [
            (number * step_ms, from_row(row))
            for number, row in zip(numbers.tolist(), rows, strict=True)
            if row.any()
        ]
