"""A recount by sorting instead of by state: what the audit holds the engine against.

It shares the decoder with the engine and nothing after it: no sets, no buckets, no rolling sums.
All rows are kept, sorted once by pair, and summed once by token; so it is quick, takes memory in
proportion to the log, and has no memory of time. `core.recount` is the same by plain dictionaries
and the plain decoder, slower and fully independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.decode import decode
from swapstats.core.hash_key import HashKey
from swapstats.core.kernels.fate import IS_LATE
from swapstats.core.kernels.fate import sort_out as judge_lateness
from swapstats.model.record import RecordBatch
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec

_HALF = np.uint64(0xFFFFFFFF)
_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Decoded rows that may count (arrays of one length, in log order)."""

    fingerprint: NDArray[np.uint64]
    check: NDArray[np.uint32]
    removed: NDArray[np.uint8]
    event_ms: NDArray[np.int64]
    token: NDArray[np.int64]
    side: NDArray[np.uint8]
    unpriced: NDArray[np.uint8]
    usd: NDArray[np.int64]
    lo: NDArray[np.uint64]
    hi: NDArray[np.uint64]


class ColumnRecount:
    """Recounts one partition at a moment known beforehand.

    Args:
        spec: step and windows.
        t_ms: the moment: only event times its windows cover are kept.
        key: hash key for fingerprints; any key gives the same windows.
        max_ahead_ms: as the shard's.
        grace_ms: as the shard's.
        refuses_late: True under `late: drop` and `late: divert`.
    """

    def __init__(
        self,
        spec: WindowSpec,
        t_ms: int,
        key: HashKey,
        max_ahead_ms: int | None,
        grace_ms: int,
        refuses_late: bool,
    ) -> None:
        self._spec = spec
        self._end_ms = spec.end_ms(t_ms)
        self._key = key
        self._max_ahead_ms = max_ahead_ms
        self._grace_ms = grace_ms
        self._refuses_late = refuses_late
        self._newest_ms = 0
        self._numbers: dict[bytes, int] = {}
        self._by_hash: dict[int, int] = {}
        self._parts: list[_Rows] = []

    def feed(self, batch: RecordBatch) -> None:
        """Take the next records of the partition, in log order."""
        columns = decode(batch, self._key, self._max_ahead_ms)
        count = len(batch)
        late = np.empty(count, dtype=np.uint8)
        bucket = np.empty(count, dtype=np.int64)
        listed = np.empty(count, dtype=np.int32)
        _, self._newest_ms, _, _ = judge_lateness(
            columns.accepted,
            columns.event_ms,
            columns.removed,
            self._spec.step_ms,
            0,
            self._newest_ms,
            self._grace_ms,
            False,
            late,
            bucket,
            listed,
        )
        when = columns.event_ms
        keep = (columns.accepted == 1) & (when < self._end_ms)
        keep &= when >= self._end_ms - self._spec.widest_ms
        if self._refuses_late:
            keep &= late != IS_LATE
        rows = np.flatnonzero(keep)
        if len(rows) == 0:
            return
        hashes, first, inverse = np.unique(
            columns.token_hash[rows], return_index=True, return_inverse=True
        )
        numbers = np.empty(len(hashes), dtype=np.int64)
        for index, (token_hash, row) in enumerate(zip(hashes.tolist(), rows[first], strict=True)):
            numbers[index] = self._number(token_hash, columns.key(int(row)).encode())
        self._parts.append(
            _Rows(
                fingerprint=columns.fingerprint[rows],
                check=columns.check[rows],
                removed=columns.removed[rows],
                event_ms=when[rows],
                token=numbers[inverse],
                side=columns.side[rows],
                unpriced=columns.unpriced[rows],
                usd=columns.usd[rows],
                lo=columns.lo[rows],
                hi=columns.hi[rows],
            )
        )

    def windows(self) -> dict[str, tuple[WindowStats, ...]]:
        """Statistics of every token with trades in some window, by token key."""
        if not self._parts:
            return {}
        rows = self._contributing()
        keys = {number: key.decode() for key, number in self._numbers.items()}
        found: dict[str, list[WindowStats]] = {}
        for window, width_ms in enumerate(self._spec.widths_ms):
            inside = np.flatnonzero(rows.event_ms >= self._end_ms - width_ms)
            for number, stats in _sum_by_token(rows, inside):
                of_token = found.setdefault(
                    keys[number], [WindowStats()] * len(self._spec.widths_ms)
                )
                of_token[window] = stats
        return {key: tuple(stats) for key, stats in found.items()}

    def _number(self, token_hash: int, key: bytes) -> int:
        number = self._by_hash.get(token_hash)
        if number is None:
            number = self._numbers.setdefault(key, len(self._numbers))
            self._by_hash[token_hash] = number
        return number

    def _contributing(self) -> _Rows:
        """The rows that count: one add for each pair that was added and not removed."""
        rows = _join(self._parts)
        bucket = rows.event_ms // self._spec.step_ms
        order = np.lexsort((np.arange(len(bucket)), rows.fingerprint, bucket))
        fingerprint, place = rows.fingerprint[order], bucket[order]
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = (fingerprint[1:] != fingerprint[:-1]) | (place[1:] != place[:-1])
        pair = np.cumsum(begins) - 1
        first_check = rows.check[order][begins]
        same = rows.check[order] == first_check[pair]
        is_removal = rows.removed[order] == 1
        pairs = int(pair[-1]) + 1
        was_removed = np.zeros(pairs, dtype=bool)
        was_removed[pair[same & is_removal]] = True
        adds = np.flatnonzero(same & ~is_removal)
        _, first_adds = np.unique(pair[adds], return_index=True)
        chosen = adds[first_adds]
        chosen = chosen[~was_removed[pair[chosen]]]
        return _pick(rows, order[chosen])


def _join(parts: list[_Rows]) -> _Rows:
    return _Rows(*(np.concatenate([getattr(p, f) for p in parts]) for f in _Rows.__slots__))


def _pick(rows: _Rows, index: NDArray[np.int64]) -> _Rows:
    return _Rows(*(getattr(rows, f)[index] for f in _Rows.__slots__))


def _sum_by_token(rows: _Rows, inside: NDArray[np.int64]) -> list[tuple[int, WindowStats]]:
    """Sum rows by token: in 32-bit limbs, so that 2^32 rows cannot overflow."""
    if len(inside) == 0:
        return []
    picked = _pick(rows, inside[np.argsort(rows.token[inside], kind="stable")])
    starts = np.flatnonzero(np.diff(picked.token, prepend=-1))
    buys = picked.side == 1
    usd = picked.usd.astype(np.uint64)
    nothing = np.uint64(0)
    usd_sums = _wide_sums((usd,), starts)
    token_sums = _wide_sums((picked.lo, picked.hi), starts)
    buy_sums = _wide_sums((np.where(buys, usd, nothing),), starts)
    trades = np.diff(starts, append=len(picked.token)).tolist()
    buy_counts = np.add.reduceat(buys.astype(np.int64), starts).tolist()
    unpriced = np.add.reduceat(picked.unpriced.astype(np.int64), starts).tolist()
    return [
        (
            number,
            WindowStats(
                vol_usd=usd_sums[i],
                vol_token=token_sums[i],
                trades=trades[i],
                buy=buy_counts[i],
                sell=trades[i] - buy_counts[i],
                buy_usd=buy_sums[i],
                sell_usd=usd_sums[i] - buy_sums[i],
                unpriced=unpriced[i],
            ),
        )
        for i, number in enumerate(picked.token[starts].tolist())
    ]


def _wide_sums(words: tuple[NDArray[np.uint64], ...], starts: NDArray[np.int64]) -> list[int]:
    """Exact sums of unsigned integers given as 64-bit words, little word first."""
    sums = [0] * len(starts)
    for place, word in enumerate(words):
        for half, limb in enumerate((word & _HALF, word >> _BITS)):
            shift = 64 * place + 32 * half
            for i, part in enumerate(np.add.reduceat(limb, starts).tolist()):
                sums[i] += part << shift
    return sums
