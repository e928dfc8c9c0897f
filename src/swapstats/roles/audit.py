"""The audit: recount the log up to a position for a moment, and compare bit by bit.

Audited are the newest checkpoint of each shard (what a restart would go on from) and answers that
somebody was given. It works beside a running process, for it only reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from swapstats.core.column_recount import ColumnRecount
from swapstats.core.recount import Recount
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import StoreCorrupt
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.record import RecordBatch
from swapstats.model.stats import FIELDS, WindowStats

_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One number that is not what the log says.

    Attributes:
        partition: where.
        token: token key.
        window: window name.
        field: which of the eight.
        held: what the checkpoint says, as a scaled integer.
        recounted: what the log says, as a scaled integer.
    """

    partition: int
    token: str
    window: str
    field: str
    held: int
    recounted: int


@dataclass(frozen=True, slots=True)
class ShardAudit:
    """The audit of one shard.

    Attributes:
        partition: number.
        t_ms: the moment.
        offset: the position: records before it were recounted.
        messages: how many those are.
        tokens: tokens compared.
        differences: what does not agree.
        damaged: sentences about records whose bytes are not what was written.
    """

    partition: int
    t_ms: int
    offset: int
    messages: int
    tokens: int
    differences: tuple[Difference, ...]
    damaged: tuple[str, ...]


class AuditLog(Protocol):
    """The log as an auditor reads it: damaged records are named, not fatal."""

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        ...

    def read_past_damage(
        self, partition: int, offset: int, bytes_max: int
    ) -> tuple[RecordBatch | None, tuple[str, ...], int]:
        """Read records; returns them, what is damaged, and the offset to go on from."""
        ...


def compare(
    partition: int,
    window_names: tuple[str, ...],
    held: Mapping[str, tuple[WindowStats, ...]],
    recounted: Mapping[str, tuple[WindowStats, ...]],
) -> tuple[Difference, ...]:
    """List every number in which two sets of windows differ."""
    nothing = (WindowStats(),) * len(window_names)
    found = []
    for token in sorted({*held, *recounted}):
        mine, theirs = held.get(token, nothing), recounted.get(token, nothing)
        if mine == theirs:
            continue
        for name, ours, log_says in zip(window_names, mine, theirs, strict=True):
            found += [
                Difference(
                    partition, token, name, field, getattr(ours, field), getattr(log_says, field)
                )
                for field in FIELDS
                if getattr(ours, field) != getattr(log_says, field)
            ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody was told about one token.

    Attributes:
        token: token key.
        partition: where it lives.
        offset: the answer holds the records before it.
        t_ms: the moment it holds for.
        windows: by window name: the eight fields as scaled integers.
    """

    token: str
    partition: int
    offset: int
    t_ms: int
    windows: Mapping[str, WindowStats]


def audit_answer(
    config: ShardConfig, log: AuditLog, answer: Answer, *, plain: bool = False
) -> ShardAudit:
    """Recount the log up to an answer's position for its moment, and compare that token.

    Args:
        config: what shapes the shard; its windows must include the answer's.
        log: what is recounted.
        answer: what somebody was told.
        plain: see `audit_shard`.
    """
    recount = _recounter(config, answer.t_ms, plain)
    messages, damaged = _feed(config.partition, log, recount, answer.offset, None)
    nothing = (WindowStats(),) * len(config.spec.names)
    recounted = recount.windows().get(answer.token, nothing)
    log_says = dict(zip(config.spec.names, recounted, strict=True))
    names = tuple(answer.windows)
    return ShardAudit(
        partition=config.partition,
        t_ms=answer.t_ms,
        offset=answer.offset,
        messages=messages,
        tokens=1,
        differences=compare(
            config.partition,
            names,
            {answer.token: tuple(answer.windows.values())},
            {answer.token: tuple(log_says[name] for name in names)},
        ),
        damaged=damaged,
    )


def audit_shard(
    config: ShardConfig,
    checkpoint: Checkpoint,
    log: AuditLog,
    *,
    plain: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ShardAudit:
    """Audit one checkpoint.

    Args:
        config: what shapes the shard.
        checkpoint: what is audited.
        log: what is recounted.
        plain: use the plain decoder and dictionaries: slower, shares nothing with the engine.
        on_progress: called with (offset, position to reach).
    """
    header = checkpoint.header
    shard = Shard.restore(config, checkpoint, header.epoch)
    recount = _recounter(config, header.t_ms, plain)
    messages, damaged = _feed(config.partition, log, recount, header.next_offset, on_progress)
    recounted = recount.windows()
    held = shard.live_tokens()
    return ShardAudit(
        partition=config.partition,
        t_ms=header.t_ms,
        offset=header.next_offset,
        messages=messages,
        tokens=len({*held, *recounted}),
        differences=compare(config.partition, config.spec.names, held, recounted),
        damaged=damaged,
    )


def _feed(
    partition: int,
    log: AuditLog,
    recount: "_Recounter",
    end: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[int, tuple[str, ...]]:
    """Recount the records before `end`; returns how many, and what is damaged."""
    offset = log.start_offsets()[partition]
    damaged: list[str] = []
    messages = 0
    while offset < end:
        batch, found, next_offset = log.read_past_damage(partition, offset, _CHUNK_BYTES)
        damaged += found
        if batch is not None and len(batch):
            part = _cut(batch, end)
            messages += len(part)
            recount.feed(part)
        if next_offset <= offset:
            raise StoreCorrupt(
                f"Expected partition {partition} of the log to reach offset {end}, was {offset} "
                "long: copy a data directory while nothing writes to it"
            )
        offset = min(next_offset, end)
        if on_progress is not None:
            on_progress(offset, end)
    return messages, tuple(damaged)


class _Recounter(Protocol):
    def feed(self, batch: RecordBatch) -> None: ...

    def windows(self) -> dict[str, tuple[WindowStats, ...]]: ...


class _Plain:
    """The plain recount, fed by batches."""

    def __init__(self, config: ShardConfig, t_ms: int) -> None:
        self._recount = Recount(
            config.spec, config.grace_ms, config.late, config.max_ahead_ms, "wall", t_ms
        )

    def feed(self, batch: RecordBatch) -> None:
        for row in range(len(batch)):
            self._recount.feed(batch.message(row), int(batch.append_ms[row]))

    def windows(self) -> dict[str, tuple[WindowStats, ...]]:
        return {key: tuple(stats.values()) for key, stats in self._recount.windows().items()}


def _recounter(config: ShardConfig, t_ms: int, plain: bool) -> _Recounter:
    if plain:
        return _Plain(config, t_ms)
    return ColumnRecount(
        config.spec,
        t_ms,
        config.key,
        config.max_ahead_ms,
        config.grace_ms,
        config.refuses_late,
    )


def _cut(batch: RecordBatch, end: int) -> RecordBatch:
    """Drop records at or after an offset."""
    count = int((batch.offsets < end).sum())
    if count == len(batch):
        return batch
    return RecordBatch(
        batch.partition,
        batch.offsets[:count],
        batch.append_ms[:count],
        batch.buffer,
        batch.bounds[: count + 1],
    )
