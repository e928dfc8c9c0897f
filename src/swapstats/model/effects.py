"""What the aggregator decided: values, to be carried out by its run loop in a written order."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

COUNTER_NAMES = (
    "ingested",
    "applied",
    "duplicates",
    "removed",
    "cancelled",
    "too_old",
    "late",
    "late_refused",
    "dead_letters",
)
"""ingested = applied + duplicates + removed + cancelled + too_old + late_refused + dead_letters;
`late` is a part of applied + late_refused."""


@dataclass(frozen=True, slots=True)
class TokenName:
    """A token that appeared for the first time in a shard, or got its symbol.

    Attributes:
        token_id: dense number within the shard, stable for the shard's life.
        key: token key, `<chain_id>:<token_address>` or `token_address`.
        symbol: label from the first message that had one, or None.
    """

    token_id: int
    key: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class StatsUpdate:
    """New statistics of the tokens that changed, at one moment and one position of a shard.

    Attributes:
        partition: the shard.
        epoch: ownership number of the shard; a lower one than seen before is stale.
        seq: change number, `(epoch << 32) + n`: grows with every update, restarts included.
        offset: next offset to be read: the state holds exactly the records before it.
        t_ms: the shard's T.
        end_ms: end (exclusive) of its windows.
        complete_since_ms: from when on the shard saw the whole stream.
        names: tokens that are new or got their symbol; ids ascending.
        token_ids: int32[k], the tokens whose statistics changed.
        rows: int64[k, windows, ROW_WORDS], see `model.stats`.
        whole: True if it holds every token of the shard: numbers of earlier updates are void.
    """

    partition: int
    epoch: int
    seq: int
    offset: int
    t_ms: int
    end_ms: int
    complete_since_ms: int
    names: tuple[TokenName, ...]
    token_ids: NDArray[np.int32]
    rows: NDArray[np.int64]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that broke the contract.

    Attributes:
        partition: where it stands in the log.
        offset: where it stands in the log.
        append_ms: when the log took it.
        reason: short code, one of `model.wire.REASONS`.
        detail: what was expected and what it was.
        message: the original bytes.
    """

    partition: int
    offset: int
    append_ms: int
    reason: str
    detail: str
    message: bytes


@dataclass(frozen=True, slots=True)
class ArchiveRows:
    """Rows for the archive: which records of the batch, and with which sign.

    Attributes:
        index: int32[k], positions within the applied batch.
        sign: int8[k], +1 when a pair begins to contribute, -1 when it stops.
        late_index: int32[m], too-old or diverted records, archived apart.
        left_out: True if some of those were left out as duplicates known from before the windows:
            the rows come out so again only if that is asked again.
    """

    index: NDArray[np.int32]
    sign: NDArray[np.int8]
    late_index: NDArray[np.int32]
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything one `apply` or `tick` decided.

    Attributes:
        update: changed statistics; `token_ids` may be empty.
        archive: archive rows of the batch.
        dead_letters: messages refused, with reasons.
        counters: how many records met which fate in this call, by COUNTER_NAMES.
    """

    update: StatsUpdate
    archive: ArchiveRows
    dead_letters: tuple[DeadLetter, ...] = ()
    counters: dict[str, int] = field(default_factory=dict)
