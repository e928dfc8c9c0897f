"""The newest statistics of all tokens of all shards, in memory, fed by updates.

Never goes back in time: updates of an older epoch or an older seq are dropped and counted, and a
new epoch that starts behind what was shown is held back until it has passed it. Rows live in one
array so that ranking 100,000 tokens is vectorised. `core.patch` writes what is read here.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapstats.core.merge_updates import merge_updates
from swapstats.core.patch import Version, origin_digest, stream_name
from swapstats.core.ranking import TextRanks
from swapstats.core.recent_updates import RecentUpdates
from swapstats.errors import InvariantBroken
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.stats import ROW_WORDS
from swapstats.model.window import WindowSpec

_NONE = np.empty(0, dtype=np.intp)
_UNBOUND = -1

# Columns of a token's line: its owner, when it was named, its symbol's number + 1, and the place
# of its newest version.
_PARTITION, _NAMED, _SYMBOL, _EPOCH, _SEQ, _OFFSET, _T, _END, _COMPLETE = range(9)
_COLUMNS = 9


@dataclass(slots=True)
class _Shard:
    """What is known of one partition; epoch 0 = nothing yet."""

    recent: RecentUpdates
    epoch: int = 0
    seq: int = 0
    offset: int = 0
    t_ms: int = 0
    end_ms: int = 0
    complete_since_ms: int = 0
    held: StatsUpdate | None = None
    index_of: NDArray[np.intp] = field(default_factory=lambda: np.full(64, _UNBOUND, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Place:
    """Where one partition stands: the moment and position its numbers hold for.

    Attributes:
        epoch: ownership number; 0 = no update came yet.
        seq: number of the newest update.
        offset: next offset to be read.
        t_ms: T.
        end_ms: end (exclusive) of its windows.
        complete_since_ms: from when on it saw the whole stream.
    """

    epoch: int
    seq: int
    offset: int
    t_ms: int
    end_ms: int
    complete_since_ms: int


class Market:
    """All tokens. Tokens are numbered 0, 1, 2 ... as they come; a number never changes.

    Args:
        spec: step and windows; every update must have as many windows.
        partitions: number of partitions of the log.
        origin: text that names this log's life, such as the id of its hash key. It goes into
            `stream`, so that a client of another life is never given a patch by accident.
        history_bytes_max: bound on the rows kept for resuming clients, over all partitions.
        history_ms_max: how far back they are kept, in stream time.
        tokens_max: tokens beyond this are not served; `refused_tokens` counts them.

    Attributes:
        revision: number of updates applied.
        origin: digest of the origin, as it stands in stream names.
        stale_updates: updates dropped because a newer epoch or seq was seen.
        held_updates: updates held back because their epoch was behind what was shown.
        unnamed_rows: rows of tokens whose name never came.
        refused_tokens: tokens beyond `tokens_max`.
    """

    def __init__(
        self,
        spec: WindowSpec,
        partitions: int,
        *,
        origin: str = "",
        history_bytes_max: int = 32 << 20,
        history_ms_max: int = 30_000,
        tokens_max: int = 5_000_000,
    ) -> None:
        self.spec = spec
        self.origin = origin_digest(origin)
        self.revision = 0
        self.stale_updates = 0
        self.held_updates = 0
        self.unnamed_rows = 0
        self.refused_tokens = 0
        self._tokens_max = tokens_max
        self._shards = [
            _Shard(RecentUpdates(history_bytes_max // partitions, history_ms_max))
            for _ in range(partitions)
        ]
        self._keys: list[str] = []
        self._symbols: list[str | None] = []
        self._search_texts: list[str] = []
        self._index_by_key: dict[str, int] = {}
        self._indexes_by_symbol: dict[str, list[int]] = {}
        self._symbol_numbers: dict[str, int] = {}
        self._key_ranks = TextRanks()
        self._symbol_ranks = TextRanks()
        self._rows = np.zeros((64, len(spec.widths_ms), ROW_WORDS), dtype=np.int64)
        self._place = np.zeros((64, _COLUMNS), dtype=np.int64)
        self._as_of_ms = 0
        self._end_ms = 0

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def partitions(self) -> int:
        """Number of partitions."""
        return len(self._shards)

    @property
    def as_of_ms(self) -> int:
        """The moment all partitions seen so far have reached; never goes back. 0 = none yet."""
        return self._as_of_ms

    @property
    def end_ms(self) -> int:
        """End (exclusive) of the windows at `as_of_ms`; 0 = nothing came yet."""
        return self._end_ms

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64[tokens, windows, ROW_WORDS]: a view, valid until the next `apply`."""
        return self._rows[: len(self._keys)]

    def key(self, index: int) -> str:
        """Key of a token."""
        return self._keys[index]

    def symbol(self, index: int) -> str | None:
        """Symbol of a token, None if no message had one."""
        return self._symbols[index]

    def by_key(self, key: str) -> int | None:
        """Number of the token with this exact key."""
        return self._index_by_key.get(key)

    def by_symbol(self, symbol: str) -> list[int]:
        """Numbers of all tokens with this exact symbol."""
        return self._indexes_by_symbol.get(symbol, [])

    def search_texts(self) -> list[str]:
        """Case-folded key and symbol of each token, by token number; not to be changed."""
        return self._search_texts

    def key_ranks(self) -> NDArray[np.int64]:
        """Rank of each token's key by code point: int64[tokens]."""
        return self._key_ranks.ranks()

    def symbol_ranks(self) -> NDArray[np.int64]:
        """Rank of each token's symbol by code point, -1 for none: int64[tokens]."""
        numbers = self._place[: len(self._keys), _SYMBOL]
        if not len(self._symbol_ranks):
            return np.full(len(numbers), -1, dtype=np.int64)
        return np.where(numbers > 0, self._symbol_ranks.ranks()[numbers - 1], -1)

    def place(self, partition: int) -> Place:
        """Where a partition stands."""
        shard = self._shards[partition]
        return Place(
            shard.epoch,
            shard.seq,
            shard.offset,
            shard.t_ms,
            shard.end_ms,
            shard.complete_since_ms,
        )

    def apply(self, update: StatsUpdate) -> NDArray[np.intp]:
        """Take an update in.

        Args:
            update: updates of one partition come in order; others are dropped and counted.

        Returns:
            intp[k]: numbers of the tokens that changed, ascending and distinct; empty if dropped.

        Raises:
            InvariantBroken: the update's shape does not fit the windows or partitions.
        """
        if not 0 <= update.partition < len(self._shards) or update.rows.shape != (
            len(update.token_ids),
            *self._rows.shape[1:],
        ):
            raise InvariantBroken(
                f"Expected rows of {self._rows.shape[1:]} for each of {len(update.token_ids)} "
                f"tokens of {len(self._shards)} partitions, was {update.rows.shape} of "
                f"partition {update.partition}"
            )
        shard = self._shards[update.partition]
        newest = shard.held or shard
        if (update.epoch, update.seq) <= (newest.epoch, newest.seq):
            self.stale_updates += 1
            return _NONE
        if shard.held is not None:
            update = merge_updates(shard.held, update)
        if update.epoch > shard.epoch > 0 and (
            update.offset < shard.offset or update.t_ms < shard.t_ms
        ):
            # A restored owner that has not caught up with what clients have already seen.
            shard.held = update
            self.held_updates += 1
            return _NONE
        shard.held = None
        return self._take(shard, update)

    def _take(self, shard: _Shard, update: StatsUpdate) -> NDArray[np.intp]:
        if update.t_ms < shard.t_ms or update.end_ms < shard.end_ms:
            update = replace(
                update,
                t_ms=max(shard.t_ms, update.t_ms),
                end_ms=max(shard.end_ms, update.end_ms),
            )
        whole = update.whole or (
            shard.epoch > 0 and shard.complete_since_ms != update.complete_since_ms
        )
        shard.epoch, shard.seq, shard.offset = update.epoch, update.seq, update.offset
        shard.t_ms, shard.end_ms = update.t_ms, update.end_ms
        shard.complete_since_ms = update.complete_since_ms
        if update.whole:
            shard.index_of[:] = _UNBOUND
            shard.recent.clear()
            self._rows[: len(self._keys)][self._owned(update.partition)] = 0
        named = [index for name in update.names if (index := self._name(shard, name, update)) >= 0]
        token_ids = update.token_ids
        if len(token_ids) and int(token_ids.max()) >= len(shard.index_of):
            shard.index_of = _grown(shard.index_of, int(token_ids.max()) + 1, _UNBOUND)
        indexes = shard.index_of[token_ids]
        rows = update.rows
        known = indexes != _UNBOUND
        if not known.all():
            self.unnamed_rows += int(len(known) - known.sum())
            indexes, rows = indexes[known], rows[known]
        self._rows[indexes] = rows
        changed = np.unique(np.concatenate((indexes, np.array(named, dtype=np.intp))))
        if whole:
            changed = np.flatnonzero(self._owned(update.partition))
        self._place[changed, _EPOCH : _COMPLETE + 1] = (
            update.epoch,
            update.seq,
            update.offset,
            update.t_ms,
            update.end_ms,
            update.complete_since_ms,
        )
        shard.recent.add(update)
        self.revision += 1
        seen = [other for other in self._shards if other.epoch]
        self._as_of_ms = max(self._as_of_ms, min(other.t_ms for other in seen))
        self._end_ms = max(self._end_ms, min(other.end_ms for other in seen))
        return changed

    def _owned(self, partition: int) -> NDArray[np.bool_]:
        """Which tokens belong to a partition (bool[tokens])."""
        return np.equal(self._place[: len(self._keys), _PARTITION], partition)

    def _name(self, shard: _Shard, name: TokenName, update: StatsUpdate) -> int:
        index = self._index_by_key.get(name.key, _UNBOUND)
        if index == _UNBOUND:
            index = len(self._keys)
            if index >= self._tokens_max:
                self.refused_tokens += 1
                return _UNBOUND
            self._grow(index + 1)
            self._keys.append(name.key)
            self._symbols.append(None)
            self._search_texts.append(name.key.casefold())
            self._index_by_key[name.key] = index
            self._key_ranks.add(name.key)
        if name.symbol is not None and self._symbols[index] is None:
            self._symbols[index] = name.symbol
            # A line break parts the two, so that no query matches across them by accident.
            self._search_texts[index] += "\n" + name.symbol.casefold()
            self._indexes_by_symbol.setdefault(name.symbol, []).append(index)
            number = self._symbol_numbers.get(name.symbol)
            if number is None:
                number = self._symbol_numbers[name.symbol] = self._symbol_ranks.add(name.symbol)
            self._place[index, _SYMBOL] = number + 1
        self._place[index, _PARTITION] = update.partition
        self._place[index, _NAMED] = update.seq
        if name.token_id >= len(shard.index_of):
            shard.index_of = _grown(shard.index_of, name.token_id + 1, _UNBOUND)
        shard.index_of[name.token_id] = index
        return index

    def _grow(self, count: int) -> None:
        if count > len(self._rows):
            self._rows = _grown(self._rows, count, 0)
            self._place = _grown(self._place, count, 0)

    def position(self, index: int) -> tuple[int, Place]:
        """Partition of a token and where that partition stands now."""
        partition = int(self._place[index, _PARTITION])
        return partition, self.place(partition)

    def seq(self, index: int) -> int:
        """Change number of a token's newest version."""
        return int(self._place[index, _SEQ])

    def version(self, index: int) -> Version:
        """A token as of its last change: a pure function of its `stream` and `seq`."""
        place = self._place[index].tolist()
        return Version(
            key=self._keys[index],
            symbol=self._symbols[index],
            partition=place[_PARTITION],
            stream=stream_name(self.origin, place[_PARTITION], place[_EPOCH]),
            seq=place[_SEQ],
            offset=place[_OFFSET],
            as_of_ms=place[_T],
            end_ms=place[_END],
            complete_since_ms=place[_COMPLETE],
            rows=tuple(map(tuple, self._rows[index].tolist())),
        )

    def current(self, index: int) -> Version:
        """A token as of now: the numbers of `version`, the moment of its partition."""
        partition, place = self.position(index)
        return Version(
            key=self._keys[index],
            symbol=self._symbols[index],
            partition=partition,
            stream=stream_name(self.origin, partition, place.epoch),
            seq=place.seq,
            offset=place.offset,
            as_of_ms=place.t_ms,
            end_ms=place.end_ms,
            complete_since_ms=place.complete_since_ms,
            rows=tuple(map(tuple, self._rows[index].tolist())),
        )

    def past_version(self, index: int, stream: str, seq: int) -> Version | None:
        """A token as of an earlier change, if that is still known."""
        newest = self.version(index)
        if (stream, seq) == (newest.stream, newest.seq):
            return newest
        shard = self._shards[newest.partition]
        update = shard.recent.find(seq)
        if update is None or seq <= int(self._place[index, _NAMED]):
            return None
        if stream != stream_name(self.origin, update.partition, update.epoch):
            return None
        at = np.flatnonzero(shard.index_of[update.token_ids] == index)
        if not len(at):
            return None
        return Version(
            key=newest.key,
            symbol=newest.symbol,
            partition=newest.partition,
            stream=stream,
            seq=seq,
            offset=update.offset,
            as_of_ms=update.t_ms,
            end_ms=update.end_ms,
            complete_since_ms=update.complete_since_ms,
            rows=tuple(map(tuple, update.rows[int(at[0])].tolist())),
        )

    def promote(self, index: int) -> None:
        """Give a token's unchanged numbers the moment and seq of its partition's newest update.

        Its numbers hold for that moment as well; a client that knows a seq in between then sees
        it grow.
        """
        _, place = self.position(index)
        self._place[index, _EPOCH : _COMPLETE + 1] = (
            place.epoch,
            place.seq,
            place.offset,
            place.t_ms,
            place.end_ms,
            place.complete_since_ms,
        )


def _grown(array: NDArray[Any], count: int, fill: int) -> NDArray[Any]:
    larger = np.full((max(count, 2 * len(array)), *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
