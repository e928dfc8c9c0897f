"""Rows of the archive: chosen records of a batch, read into the fields that are stored.

The aggregator decided which records become rows and with which sign; here their bytes are read
once more, fast, into plain values. Amounts never pass through a float. A message the fast reader
is not sure of is read by `plain_decode`, so both give the same. Nothing here inserts anything:
`adapters.clickhouse` does.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.core.plain_decode import Refusal, decode_message, time_ms
from swapstats.errors import InvariantBroken
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import RecordBatch
from swapstats.model.stats import TOKEN_SCALE_DIGITS, USD_SCALE_DIGITS

LATE_SIGN: Final = 0
"""Sign of a row that goes to `raw_late`; those of `raw_swaps` are +1 and -1."""
STORED_MS_MAX: Final = 10_413_791_999_999
"""2299-12-31T23:59:59.999Z: no later time can be stored; a later one is stored as this."""
_DIGEST_BYTES: Final = 16
_NOTHING: Final = msgspec.Raw(b"null")
_QUOTE: Final = ord('"')


class SwapFields(msgspec.Struct, gc=False):
    """One message as its producer wrote it; `None` = absent or null.

    Amounts are the JSON values' own bytes, times are integers (ms since epoch) or RFC 3339 texts.
    """

    token_address: str
    side: str
    amount_token: msgspec.Raw
    event_time: int | str
    event_id: str | None = None
    chain_id: int | None = None
    tx_hash: str | None = None
    log_index: int | None = None
    block_number: int | None = None
    block_hash: str | None = None
    inclusion: int | None = None
    token_symbol: str | None = None
    pool_address: str | None = None
    venue: str | None = None
    trader: str | None = None
    amount_usd: msgspec.Raw = _NOTHING
    ingested_time: int | str | None = None
    removed: bool | None = None


@dataclass(frozen=True, slots=True)
class RowRun:
    """Rows of consecutive records of one partition, in log order.

    Attributes:
        offsets: int64[n], ascending; a record makes one row at most.
        signs: int8[n], +1 or -1 for `raw_swaps`, LATE_SIGN for `raw_late`.
        append_ms: int64[n], when the log took each record.
        event_ms: int64[n], at most STORED_MS_MAX.
        messages: the original bytes of each.
        swaps: the fields of each.
    """

    offsets: NDArray[np.int64]
    signs: NDArray[np.int8]
    append_ms: NDArray[np.int64]
    event_ms: NDArray[np.int64]
    messages: list[bytes]
    swaps: list[SwapFields]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def size_bytes(self) -> int:
        """Bytes of all messages."""
        return sum(map(len, self.messages))

    @property
    def months(self) -> NDArray[np.int64]:
        """int64[n], months since 1970 of the event times."""
        return self.event_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)

    def part(self, begin: int, end: int) -> "RowRun":
        """Rows `begin` to `end`, exclusive."""
        return RowRun(
            self.offsets[begin:end],
            self.signs[begin:end],
            self.append_ms[begin:end],
            self.event_ms[begin:end],
            self.messages[begin:end],
            self.swaps[begin:end],
        )

    def chosen(self, rows: NDArray[np.bool_]) -> "RowRun":
        """Those rows that are True in bool[n]."""
        if rows.all():
            return self
        numbers = np.flatnonzero(rows).tolist()
        return RowRun(
            self.offsets[rows],
            self.signs[rows],
            self.append_ms[rows],
            self.event_ms[rows],
            [self.messages[number] for number in numbers],
            [self.swaps[number] for number in numbers],
        )


@dataclass(frozen=True, slots=True)
class RowColumns:
    """Rows by column, in the order and units of the archive's tables.

    Attributes:
        integers: name -> int64[n] or int8[n]; times in ms since epoch.
        texts: name -> texts.
        amount_token: scaled by 10^18.
        amount_usd: micro-dollars, or None.
    """

    integers: dict[str, NDArray[np.int64]]
    texts: dict[str, list[str]]
    amount_token: list[int]
    amount_usd: list[int | None]

    def __len__(self) -> int:
        return len(self.amount_token)


def read_rows(batch: RecordBatch, rows: ArchiveRows) -> RowRun:
    """Read the records of a batch that become rows.

    Args:
        batch: the applied batch.
        rows: what the shard decided about it.

    Raises:
        InvariantBroken: a chosen record is no well-formed swap.
    """
    positions = np.concatenate((rows.index, rows.late_index)).astype(np.int64)
    signs = np.concatenate((rows.sign, np.full(len(rows.late_index), LATE_SIGN, dtype=np.int8)))
    order = np.argsort(positions, kind="stable")
    positions, signs = positions[order], signs[order]
    buffer = batch.buffer.tobytes()
    messages = [
        buffer[begin:end]
        for begin, end in zip(
            batch.bounds[positions].tolist(), batch.bounds[positions + 1].tolist(), strict=True
        )
    ]
    append_ms = batch.append_ms[positions]
    swaps = _read(messages, append_ms)
    times = [swap.event_time for swap in swaps]
    try:
        event_ms = np.array(times, dtype=np.int64)
    except (ValueError, TypeError):
        event_ms = np.array([_ms(time) for time in times], dtype=np.int64)
    return RowRun(
        offsets=batch.offsets[positions],
        signs=signs,
        append_ms=append_ms,
        event_ms=np.minimum(event_ms, STORED_MS_MAX),
        messages=messages,
        swaps=swaps,
    )


def join_runs(runs: Sequence[RowRun]) -> RowRun:
    """Put runs of one partition end to end; an empty run for none."""
    if len(runs) == 1:
        return runs[0]
    no_ms = [np.zeros(0, dtype=np.int64)]
    return RowRun(
        np.concatenate([run.offsets for run in runs] or no_ms),
        np.concatenate([run.signs for run in runs] or [np.zeros(0, dtype=np.int8)]),
        np.concatenate([run.append_ms for run in runs] or no_ms),
        np.concatenate([run.event_ms for run in runs] or no_ms),
        [message for run in runs for message in run.messages],
        [swap for run in runs for swap in run.swaps],
    )


def digest_of(run: RowRun) -> str:
    """Hex digest of rows: their offsets, signs and original bytes.

    However the same rows are cut into batches on their way here, the digest is the same.
    """
    sizes = np.fromiter(map(len, run.messages), dtype=np.int64, count=len(run))
    hasher = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    hasher.update(np.int64(len(run)).tobytes())
    hasher.update(run.offsets.astype("<i8").tobytes())
    hasher.update(run.signs.tobytes())
    hasher.update(sizes.astype("<i8").tobytes())
    hasher.update(b"".join(run.messages))
    return hasher.hexdigest()


def columns_of(run: RowRun, partition: int) -> RowColumns:
    """Lay rows out by column, with the archive's defaults for what is absent: 0 and ''."""
    swaps = run.swaps
    integers = {
        name: np.array([getattr(swap, name) or 0 for swap in swaps], dtype=np.int64)
        for name in ("chain_id", "log_index", "block_number", "inclusion")
    }
    integers |= {
        "event_time": run.event_ms,
        "ingested_time": _ingested(run),
        "removed": np.array([swap.removed is True for swap in swaps], dtype=np.int64),
        "sign": run.signs.astype(np.int64),
        "partition": np.full(len(run), partition, dtype=np.int64),
        "offset": run.offsets,
    }
    texts = {
        name: [getattr(swap, name) or "" for swap in swaps]
        for name in (
            "tx_hash",
            "block_hash",
            "token_address",
            "token_symbol",
            "pool_address",
            "venue",
            "trader",
            "side",
        )
    }
    texts["event_id"] = [event_id_of(swap) for swap in swaps]
    return RowColumns(
        integers=integers,
        texts=texts,
        amount_token=[_scaled(bytes(swap.amount_token), TOKEN_SCALE_DIGITS) for swap in swaps],
        amount_usd=[
            None if (raw := bytes(swap.amount_usd)) == b"null" else _scaled(raw, USD_SCALE_DIGITS)
            for swap in swaps
        ],
    )


def event_id_of(swap: SwapFields) -> str:
    """Identity as given, or composed of its place on chain."""
    if swap.event_id is not None:
        return swap.event_id
    return f"{swap.chain_id}:{swap.tx_hash}:{swap.log_index}"


_decode_all = msgspec.json.Decoder(list[SwapFields]).decode
_decode_one = msgspec.json.Decoder(SwapFields).decode


def _read(messages: list[bytes], append_ms: NDArray[np.int64]) -> list[SwapFields]:
    try:
        swaps = _decode_all(b"[" + b",".join(messages) + b"]")
        if len(swaps) == len(messages) and all(map(_is_plain, swaps)):
            return swaps
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return [
        _read_one(message, when) for message, when in zip(messages, append_ms.tolist(), strict=True)
    ]


def _read_one(message: bytes, append_ms: int) -> SwapFields:
    try:
        swap = _decode_one(message)
        if _is_plain(swap):
            return swap
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    plain = decode_message(message, append_ms, None)
    if isinstance(plain, Refusal):
        raise InvariantBroken(f"Expected a well-formed swap to archive, was {plain.detail}")
    usd = plain.amount_usd
    return SwapFields(
        token_address=plain.token_address,
        side=plain.side,
        amount_token=_raw(plain.amount_token, TOKEN_SCALE_DIGITS),
        event_time=plain.event_ms,
        event_id=plain.event_id,
        chain_id=plain.chain_id,
        tx_hash=plain.tx_hash,
        log_index=plain.log_index,
        block_number=plain.block_number,
        block_hash=plain.block_hash,
        inclusion=plain.inclusion,
        token_symbol=plain.token_symbol,
        pool_address=plain.pool_address,
        venue=plain.venue,
        trader=plain.trader,
        amount_usd=_NOTHING if usd is None else _raw(usd, USD_SCALE_DIGITS),
        ingested_time=plain.ingested_ms,
        removed=plain.removed,
    )


def _is_plain(swap: SwapFields) -> bool:
    """True if the amounts need no unescaping."""
    return b"\\" not in bytes(swap.amount_token) and b"\\" not in bytes(swap.amount_usd)


def _raw(scaled: int, digits: int) -> msgspec.Raw:
    whole, fraction = divmod(scaled, 10**digits)
    return msgspec.Raw(f"{whole}.{fraction:0{digits}}".encode())


def _scaled(raw: bytes, digits: int) -> int:
    """Read plain digits with an optional point, quoted or not, times 10^digits."""
    if raw[0] == _QUOTE:
        raw = raw[1:-1]
    whole, _, fraction = raw.partition(b".")
    return int(whole + fraction.ljust(digits, b"0"))


def _ingested(run: RowRun) -> NDArray[np.int64]:
    """Producers' `ingested_time`, else the append time, within what can be stored."""
    values = [
        when if swap.ingested_time is None else _ms(swap.ingested_time)
        for swap, when in zip(run.swaps, run.append_ms.tolist(), strict=True)
    ]
    return np.array([min(max(value, 0), STORED_MS_MAX) for value in values], dtype=np.int64)


def _ms(value: int | str) -> int:
    if isinstance(value, int):
        return value
    read = time_ms(value)
    if read is None:
        raise InvariantBroken(f"Expected a time to archive, was {value[:80]!r}")
    return read
