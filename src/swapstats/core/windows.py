"""The buckets and rolling sums of one shard: what is held, and what lies in which window.

Reads are O(1) from the rolling sums; moving T costs the cells of the buckets that enter or leave;
an idle token costs nothing.

    bucket   17 | 18 | 19 | 20 | 21 |          window of 3 steps before: 18 19 20
                               T moves ->      after one step:              19 20 21
                                               so 18 leaves and 21 enters
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from swapstats.core.bucket import Bucket
from swapstats.core.columns import Columns
from swapstats.core.kernels import fate as fates
from swapstats.model.stats import ROW_WORDS, TRADES, WindowStats, from_row
from swapstats.model.window import WindowSpec

_SEAL_AFTER_BATCHES = 64
_SEAL_LOOKS_MAX = 64
_SEAL_ENTRIES_MAX = 50_000
_TOKENS_START = 256
_AGES_MAX = 1 << 16


class Windows:
    """Buckets by number, and the sums of every window for every token.

    Attributes:
        spec: step and widths.
        t_ms: T; 0 = no moment yet.
        end_ms: end (exclusive) of all windows at T.
        buckets: held buckets by number, also those that T has not reached yet.
        dirty: numbers of the buckets changed since the last snapshot.
        rolling: int64[tokens, windows, ROW_WORDS].
    """

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.t_ms = 0
        self.end_ms = spec.step_ms
        self.buckets: dict[int, Bucket] = {}
        self.dirty: set[int] = set()
        self.rolling = np.zeros((_TOKENS_START, len(spec.widths_ms), ROW_WORDS), dtype=np.int64)
        self._roomy: deque[Bucket] = deque()
        self._stamps = np.zeros(_TOKENS_START, dtype=np.int64)
        self._changed = np.zeros(_TOKENS_START, dtype=np.int32)
        self._changed_count = 0
        self._stamp = 0
        self._inside_by_age: dict[int, NDArray[np.uint8]] = {}

    @property
    def min_bucket(self) -> int:
        """Lowest bucket number that any window can still cover."""
        return (self.end_ms - self.spec.widest_ms) // self.spec.step_ms

    @property
    def size_bytes(self) -> int:
        """Memory of all arrays."""
        return (
            sum(bucket.size_bytes for bucket in self.buckets.values())
            + self.rolling.nbytes
            + self._stamps.nbytes
            + self._changed.nbytes
        )

    def begin(self) -> None:
        """Begin a batch: nothing has changed yet."""
        self._stamp += 1
        self._changed_count = 0

    def changed(self) -> NDArray[np.int32]:
        """Tokens whose windows changed since `begin` (int32[k], a copy)."""
        return self._changed[: self._changed_count].copy()

    def make_room(self, token_count: int) -> None:
        """Make the arrays that are indexed by token long enough."""
        room = len(self._stamps)
        if token_count <= room:
            return
        more = max(token_count, room * 3 // 2) - room
        self.rolling = np.concatenate(
            (self.rolling, np.zeros((more, *self.rolling.shape[1:]), dtype=np.int64))
        )
        self._stamps = np.concatenate((self._stamps, np.zeros(more, dtype=np.int64)))
        self._changed = np.concatenate((self._changed, np.zeros(more, dtype=np.int32)))

    def open_bucket(self, number: int) -> Bucket:
        """Return a bucket that is about to change, a new one if there is none."""
        bucket = self.buckets.get(number)
        if bucket is None:
            bucket = Bucket(number)
            self.buckets[number] = bucket
            self._roomy.append(bucket)
        elif not bucket.is_roomy:
            bucket.is_roomy = True
            self._roomy.append(bucket)
        bucket.touched = self._stamp
        self.dirty.add(number)
        return bucket

    def put_back(self, bucket: Bucket) -> None:
        """Take a bucket read from a checkpoint; windows that cover it now get its sums."""
        self.buckets[bucket.number] = bucket
        for window in np.flatnonzero(self._inside(bucket.number)).tolist():
            self._shift(bucket, window, 1)

    def contribute(
        self,
        number: int,
        rows: NDArray[np.int32],
        columns: Columns,
        tokens: NDArray[np.int32],
        fate: NDArray[np.uint8],
    ) -> None:
        """Add (or, where the fate is REMOVED, take back) rows of one held bucket."""
        self._changed_count = self.buckets[number].contribute(
            rows,
            columns,
            tokens,
            fate,
            fates.REMOVED,
            self.rolling,
            self._inside(number),
            self._stamps,
            self._stamp,
            self._changed,
            self._changed_count,
        )

    def advance(self, t_ms: int) -> None:
        """Move T forward: buckets enter, leave and are thrown away; never moves back."""
        if t_ms <= self.t_ms:
            return
        self.t_ms = t_ms
        step_ms = self.spec.step_ms
        before = self.end_ms // step_ms
        after = self.spec.end_ms(t_ms) // step_ms
        if after == before:
            return
        for window, width_ms in enumerate(self.spec.widths_ms):
            width = width_ms // step_ms
            for bucket in self._between(before - width, min(before, after - width)):
                self._shift(bucket, window, -1)
            for bucket in self._between(max(before, after - width), after):
                self._shift(bucket, window, 1)
        widest = self.spec.widest_ms // step_ms
        for bucket in self._between(before - widest, after - widest):
            del self.buckets[bucket.number]
            self.dirty.discard(bucket.number)
            bucket.is_roomy = False
        self.end_ms = after * step_ms

    def seal_quiet(self) -> None:
        """Pack a few buckets that nothing touched for a while."""
        entries = 0
        for _ in range(min(len(self._roomy), _SEAL_LOOKS_MAX)):
            bucket = self._roomy.popleft()
            if not bucket.is_roomy:
                continue
            if bucket.touched > self._stamp - _SEAL_AFTER_BATCHES:
                self._roomy.append(bucket)
                continue
            bucket.seal()
            entries += bucket.used + bucket.cell_count
            if entries > _SEAL_ENTRIES_MAX:
                break

    def held_tokens(self, token_count: int) -> NDArray[np.bool_]:
        """Which tokens have a cell in any held bucket (bool[token_count])."""
        held = np.zeros(token_count, dtype=np.bool_)
        for bucket in self.buckets.values():
            bucket.mark_tokens(held)
        return held

    def keep_tokens(self, kept: NDArray[np.int64]) -> None:
        """Forget all tokens but these, which get the numbers 0, 1, 2 ... in this order.

        Args:
            kept: int64[k], old numbers, ascending; every token that has a cell is among them.
        """
        numbers = np.full(len(self._stamps), -1, dtype=np.int64)
        numbers[kept] = np.arange(len(kept))
        for bucket in self.buckets.values():
            bucket.renumber(numbers)
        self.rolling = self.rolling[kept]
        self._stamps = np.zeros(len(kept), dtype=np.int64)
        self._changed = np.zeros(len(kept), dtype=np.int32)
        self._changed_count = 0

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
        points: list[tuple[int, WindowStats]] = []
        for number in range((self.end_ms - span_ms) // step_ms, self.end_ms // step_ms):
            bucket = self.buckets.get(number)
            if bucket is None:
                continue
            row = np.zeros(ROW_WORDS, dtype=np.int64)
            bucket.sum_token(token, row)
            if row.any():
                points.append((number * step_ms, from_row(row)))
        return points

    def _inside(self, number: int) -> NDArray[np.uint8]:
        """Which windows cover a bucket now (uint8[windows], not to be changed)."""
        step_ms = self.spec.step_ms
        age = self.end_ms // step_ms - number
        found = self._inside_by_age.get(age)
        if found is None:
            widths = self.spec.widths_ms
            found = np.array([0 < age <= width // step_ms for width in widths], dtype=np.uint8)
            if len(self._inside_by_age) >= _AGES_MAX:
                self._inside_by_age.clear()
            self._inside_by_age[age] = found
        return found

    def _shift(self, bucket: Bucket, window: int, sign: int) -> None:
        self._changed_count = bucket.shift(
            window,
            sign,
            self.rolling,
            self._stamps,
            self._stamp,
            self._changed,
            self._changed_count,
        )

    def _between(self, low: int, high: int) -> list[Bucket]:
        """Buckets with low <= number < high, by the cheaper of two ways."""
        if high <= low:
            return []
        if high - low <= len(self.buckets):
            found = (self.buckets.get(number) for number in range(low, high))
            return [bucket for bucket in found if bucket is not None]
        return [bucket for number, bucket in self.buckets.items() if low <= number < high]
