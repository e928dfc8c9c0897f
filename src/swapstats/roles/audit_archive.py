"""The audit's second leg: the archive's rows, summed anew, against the windows, bit by bit.

A checkpoint at offset O and moment T holds what the rows before O with an event time within each
window add up to. The sums come from the raw rows by plain SQL, so that nothing of the engine's own
arithmetic takes part.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, Protocol

from swapstats.core.plain_decode import Refusal, decode_message
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.stats import WindowStats
from swapstats.roles.audit import AuditLog, Difference, compare

_CHUNK_BYTES: Final = 8 << 20
_TAIL_TOKENS_MAX: Final = 10_000
"""With more tokens than this the archive is simply behind."""

Verdict = Literal["equal", "differs", "behind", "begins later"]
"""`behind`: the archive has not reached the checkpoint; `begins later`: than the log does, so the
windows may hold swaps from before it. Neither is a fault."""


class ArchiveSums(Protocol):
    """The archive's rows of one log, as an auditor reads them."""

    def first_offset(self, partition: int) -> int:
        """Offset of the first row of a partition, 0 if there is none."""
        ...

    def end_offset(self, partition: int) -> int:
        """Offset after the newest row of a partition, 0 if there is none."""
        ...

    def windows(
        self, partition: int, before_offset: int, begins_ms: Sequence[int], end_ms: int
    ) -> dict[str, tuple[WindowStats, ...]]:
        """Sum rows by token key and window.

        Args:
            partition: which.
            before_offset: rows at or after it do not count.
            begins_ms: by window, its first event time.
            end_ms: end of all windows, exclusive.
        """
        ...


@dataclass(frozen=True, slots=True)
class ArchiveAudit:
    """The audit of one shard's rows.

    Attributes:
        partition: number.
        t_ms: the checkpoint's moment.
        offset: its position: rows before it were summed.
        first_offset: offset of the first row of the partition, looked up only if anything
            differs, else 0.
        end_offset: offset after the newest.
        tokens: tokens compared.
        verdict: see `Verdict`.
        differences: what does not agree, `recounted` being the archive's, but for tokens it may
            still be behind in; empty unless `differs`.
    """

    partition: int
    t_ms: int
    offset: int
    first_offset: int
    end_offset: int
    tokens: int
    verdict: Verdict
    differences: tuple[Difference, ...]


def audit_archive(
    config: ShardConfig, checkpoint: Checkpoint, archive: ArchiveSums, log: AuditLog
) -> ArchiveAudit:
    """Compare one checkpoint with the archive.

    Args:
        config: what shapes the shard.
        checkpoint: its windows are compared.
        archive: its rows are summed.
        log: tells what the archive cannot have yet, or never had.
    """
    header = checkpoint.header
    shard = Shard.restore(config, checkpoint, header.epoch)
    end_ms = config.spec.end_ms(header.t_ms)
    begins_ms = [end_ms - width_ms for width_ms in config.spec.widths_ms]
    end, first = archive.end_offset(config.partition), 0
    summed = _by_archive_key(
        archive.windows(config.partition, header.next_offset, begins_ms, end_ms)
    )
    held = _by_archive_key(shard.live_tokens())
    differences = compare(config.partition, config.spec.names, held, summed)
    verdict: Verdict = "equal"
    if differences:
        first = archive.first_offset(config.partition)
        # Records right before a checkpoint may make no row: the archive's end alone does not tell
        # whether it has reached it.
        tail = _records(log, config.partition, end, header.next_offset)
        differences = _beyond(differences, tail)
        if not differences or len(tail) > _TAIL_TOKENS_MAX:
            verdict = "behind"
        elif first > log.start_offsets()[config.partition]:
            verdict = "begins later"
        else:
            verdict = "differs"
    return ArchiveAudit(
        partition=config.partition,
        t_ms=header.t_ms,
        offset=header.next_offset,
        first_offset=first,
        end_offset=end,
        tokens=len({*held, *summed}),
        verdict=verdict,
        differences=differences if verdict == "differs" else (),
    )


def archive_key(key: str) -> str:
    """A token key as far as the archive can tell it: chain 0 and no chain are the same there.

    >>> archive_key("0:0xa"), archive_key("1:0xa"), archive_key("BTC")
    ('0xa', '1:0xa', 'BTC')
    """
    while key.startswith("0:"):
        key = key[2:]
    return key


def _beyond(differences: Sequence[Difference], tail: Counter[str]) -> tuple[Difference, ...]:
    """Drop tokens whose missing trades may be among the records the archive lacks."""
    missing: Counter[str] = Counter()
    for one in differences:
        if one.field == "trades":
            missing[one.token] = max(missing[one.token], abs(one.held - one.recounted))
    return tuple(
        one for one in differences if not tail[one.token] or missing[one.token] > tail[one.token]
    )


def _records(log: AuditLog, partition: int, begin: int, end: int) -> Counter[str]:
    """Records by token in a range of the log, as far as it is held; not all if many tokens."""
    found: Counter[str] = Counter()
    offset = max(begin, log.start_offsets()[partition])
    while offset < end and len(found) <= _TAIL_TOKENS_MAX:
        batch, _, next_offset = log.read_past_damage(partition, offset, _CHUNK_BYTES)
        if next_offset <= offset:
            break
        offset = next_offset
        for row in range(0 if batch is None else int((batch.offsets < end).sum())):
            assert batch is not None
            swap = decode_message(batch.message(row), int(batch.append_ms[row]), None)
            if not isinstance(swap, Refusal):
                found[archive_key(swap.token_key)] += 1
    return found


def _by_archive_key(
    windows: Mapping[str, tuple[WindowStats, ...]],
) -> dict[str, tuple[WindowStats, ...]]:
    found: dict[str, tuple[WindowStats, ...]] = {}
    for token, stats in windows.items():
        key = archive_key(token)
        before = found.get(key)
        found[key] = (
            stats
            if before is None
            else tuple(_sum(one, other) for one, other in zip(before, stats, strict=True))
        )
    return found


def _sum(one: WindowStats, other: WindowStats) -> WindowStats:
    names = [each.name for each in fields(WindowStats)]
    return WindowStats(**{name: getattr(one, name) + getattr(other, name) for name in names})
