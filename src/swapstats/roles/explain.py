"""The life of a swap, step by step with the value after each, by production's own functions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from swapstats.core.column_recount import ColumnRecount
from swapstats.core.decode import choose_partitions, decode
from swapstats.core.hash_key import HashKey
from swapstats.core.plain_decode import Refusal, decode_message
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.effects import Effects
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.window import WindowSpec
from swapstats.roles.report import render_tokens

_KEY = HashKey.of(b"explain explains")
MESSAGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the life of a swap.

    Attributes:
        name: what happens.
        where: file and function that do it.
        value: the value after it, as text.
    """

    name: str
    where: str
    value: str


def explain(
    messages: list[bytes], spec: WindowSpec, partition_count: int, max_ahead_ms: int | None
) -> Iterator[Step]:
    """Follow messages, in order, from bytes to the answer of the API.

    T is the newest event_time (the event clock), so that an old example explains as well as a
    new one.

    Args:
        messages: wire v1 messages; a later one may be a duplicate or removal of an earlier one.
        spec: step and windows.
        partition_count: partitions of the log.
        max_ahead_ms: bound on event times ahead of T; None = none.
    """
    shards: dict[int, Shard] = {}
    offsets: dict[int, int] = {}
    batches: dict[int, list[RecordBatch]] = {}
    for number, message in enumerate(messages, 1):
        yield Step(f"message {number}", "the source", message.decode(errors="backslashreplace"))
        block = MessageBlock.of([message])
        partition = int(choose_partitions(block, _KEY, partition_count, 0)[0])
        yield Step(
            "choose the partition by the token key",
            "core/decode.py: choose_partitions",
            f"partition {partition} of {partition_count}",
        )
        offset = offsets.get(partition, 0)
        offsets[partition] = offset + 1
        batch = _record(block, partition, offset)
        yield Step(
            "append to the log and read back",
            "adapters/embedded/log.py: EmbeddedSwapLog.append",
            f"partition {partition}, offset {offset}, {len(message)} bytes",
        )
        yield from _decoded(message, batch, max_ahead_ms)
        shard = shards.setdefault(
            partition,
            Shard(
                ShardConfig(partition, spec, _KEY, max_ahead_ms=max_ahead_ms, event_clock=True), 1
            ),
        )
        effects = shard.apply(batch, 0)
        batches.setdefault(partition, []).append(batch)
        yield from _effects(effects, shard)
    yield from _served(shards, batches, spec)


def _record(block: MessageBlock, partition: int, offset: int) -> RecordBatch:
    return RecordBatch(
        partition=partition,
        offsets=np.array([offset], dtype=np.int64),
        append_ms=np.zeros(1, dtype=np.int64),
        buffer=block.buffer,
        bounds=block.bounds,
    )


def _decoded(message: bytes, batch: RecordBatch, max_ahead_ms: int | None) -> Iterator[Step]:
    columns = decode(batch, _KEY, max_ahead_ms)
    plain = decode_message(message, 0, max_ahead_ms)
    if isinstance(plain, Refusal):
        value = f"refused, {plain.reason}: {plain.detail}"
        yield Step("decode", "core/decode.py: decode", value)
        return
    yield Step(
        "decode",
        "core/decode.py: decode",
        json.dumps(
            {
                "token": plain.token_key,
                "side": plain.side,
                "amount_token": f"{plain.amount_token} / 10^18",
                "amount_usd": None if plain.amount_usd is None else f"{plain.amount_usd} / 10^6",
                "event_ms": plain.event_ms,
                "removed": plain.removed,
            },
            ensure_ascii=False,
        ),
    )
    yield Step(
        "name the pair (event_id, inclusion) and its content",
        "core/kernels/scan.py: scan",
        f"({plain.event_id}, {plain.inclusion}) -> fingerprint {int(columns.fingerprint[0]):016x},"
        f" content check {int(columns.check[0]):08x}",
    )


def _effects(effects: Effects, shard: Shard) -> Iterator[Step]:
    fate = next(
        (n for n, c in effects.counters.items() if c and n not in {"ingested", "late"}), "nothing"
    )
    late = ", late" if effects.counters.get("late") else ""
    yield Step("settle its fate", "core/shard.py: Shard.apply", f"{fate}{late}")
    for letter in effects.dead_letters:
        yield Step(
            "keep it as a dead letter",
            "adapters/embedded/dead_letters.py: EmbeddedDeadLetterStore.put",
            f"{letter.reason}: {letter.detail}",
        )
    update = effects.update
    yield Step(
        "move the windows",
        "core/windows.py: Windows.contribute, Windows.advance",
        f"T = {update.t_ms}, end = {update.end_ms}, {len(update.token_ids)} tokens changed, "
        f"{shard.memory().pairs} pairs held",
    )
    signs = [f"{sign:+d}" for sign in effects.archive.sign.tolist()]
    yield Step(
        "hand out effects",
        "roles/aggregator/run.py: Aggregator._carry_out",
        f"archive rows {signs or 'none'}, update seq {update.seq}, next offset {update.offset}",
    )


def _served(
    shards: dict[int, Shard], batches: dict[int, list[RecordBatch]], spec: WindowSpec
) -> Iterator[Step]:
    """What the API answers, and that a recount says the same."""
    t_ms = max((shard.t_ms for shard in shards.values()), default=0)
    for partition, shard in shards.items():
        shard.tick(t_ms)
        held = shard.live_tokens()
        yield Step(
            "read the windows",
            "roles/report.py: render_tokens",
            json.dumps(render_tokens(held, spec), ensure_ascii=False, indent=1),
        )
        recount = ColumnRecount(spec, t_ms, _KEY, None, 0, refuses_late=False)
        for batch in batches[partition]:
            recount.feed(batch)
        agrees = recount.windows() == held
        yield Step(
            "prove it", "roles/audit.py: audit_shard", "no difference" if agrees else "DIFFERENT"
        )
