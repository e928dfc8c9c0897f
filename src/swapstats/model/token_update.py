"""One token's newest statistics on their way between instances."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TokenUpdate:
    """A token as of one change of its shard.

    Attributes:
        key: token key.
        symbol: symbol, None if no message had one.
        partition: the shard.
        epoch: ownership number of the shard.
        seq: change number of this update.
        prev: seq of the update of this token that was sent before it; 0 = none in this epoch.
        offset: next offset to be read: the numbers hold exactly the records before it.
        t_ms: the shard's T.
        end_ms: end (exclusive) of its windows.
        complete_since_ms: from when on the shard saw the whole stream.
        row: windows x ROW_WORDS integers, flat, see `model.stats`.
    """

    key: str
    symbol: str | None
    partition: int
    epoch: int
    seq: int
    prev: int
    offset: int
    t_ms: int
    end_ms: int
    complete_since_ms: int
    row: tuple[int, ...]

    def standing_for(self, earlier: "TokenUpdate") -> "TokenUpdate":
        """Join this update with another one of the same token that was not sent.

        Returns:
            The newer of the two; in `prev` the link of the older one, so that a receiver sees no
            gap where nothing is missing.
        """
        if (self.epoch, self.seq) <= (earlier.epoch, earlier.seq):
            return earlier
        if self.epoch != earlier.epoch:
            return self
        return replace(self, prev=earlier.prev)
