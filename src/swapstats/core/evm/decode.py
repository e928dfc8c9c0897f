"""From the bytes of an `eth_getLogs` answer to swaps. Pure, and never stopped by a log.

answer ──> logs ──> event by topic0 ──> counts, hex, ranges ──> swaps, new pools
                                                └──> refused, each with a reason
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from swapstats.core.evm.events import PoolEvent, Reserves, SwapEvent
from swapstats.core.evm.logs import (
    LOG_BYTES_SHOWN_MAX,
    CreatedPool,
    DecodedLogs,
    DecodedSwap,
    EvmLog,
    RefusedLog,
)
from swapstats.core.evm.registry import Kind, Other, Registry
from swapstats.core.evm.words import OutOfRange, hex_bytes, quantity
from swapstats.errors import Rejected

SHOWN_BYTES_MAX: Final = 200

_REMOVED: Final = (
    "Expected a log of the canonical chain, was one a node takes back: what left the chain is told "
    "by block hashes, not by this flag"
)


class _Answer(msgspec.Struct, frozen=True):
    """A JSON-RPC answer whose logs are all of the right shape."""

    result: list[EvmLog] | None = None
    error: msgspec.Raw | None = None


class _LooseAnswer(msgspec.Struct, frozen=True):
    """A JSON-RPC answer, its logs not looked at."""

    result: list[msgspec.Raw] | None = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_loose_answer: Final = msgspec.json.Decoder(_LooseAnswer).decode
_decode_list: Final = msgspec.json.Decoder(list[EvmLog]).decode
_decode_loose_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_log: Final = msgspec.json.Decoder(EvmLog).decode
_encode: Final = msgspec.json.Encoder().encode


class _Refusal(Exception):
    """Why a log is refused; never leaves this module."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_REFUSING: Final = (_Refusal, ValueError, ArithmeticError, LookupError)


class _Kinds(dict[str, Kind]):
    """Events by topic0; what is looked up for the first time is tried in lower case."""

    def __missing__(self, topic0: str) -> Kind:
        kind = self[topic0] = self.get(topic0.lower(), Other.FOREIGN)
        return kind


def decode_logs(body: bytes, registry: Registry) -> DecodedLogs:
    """Decode a whole JSON-RPC answer to `eth_getLogs`.

    Args:
        body: the answer as it came.
        registry: events to read; all others count as foreign.

    Raises:
        Rejected: the answer as a whole is none: no JSON, cut off, an error or without a list. It
            says nothing about any log, and has to be asked for again.
    """
    try:
        answer = _decode_answer(body)
    except msgspec.ValidationError:
        return _decode_loosely(body, registry)
    except msgspec.DecodeError as error:
        raise Rejected(f"Expected a JSON-RPC answer, was {_shown(body)}: {error}") from error
    if answer.result is None:
        raise Rejected(f"Expected a list of logs, was {_shown(body)}: ask again")
    return decode_read(answer.result, registry)


def decode_list(result: bytes | msgspec.Raw, registry: Registry) -> DecodedLogs:
    """Decode the list of logs of an answer whose envelope was read already; see `decode_logs`."""
    return decode_logs(b'{"result":' + bytes(result) + b"}", registry)


def decode_read(logs: Sequence[EvmLog], registry: Registry) -> DecodedLogs:
    """Decode logs that were read already, such as those of a subscription."""
    return _decode(range(len(logs)), logs, registry, [])


def _decode_loosely(body: bytes, registry: Registry) -> DecodedLogs:
    """Decode an answer in which something has the wrong shape: log by log."""
    try:
        raws = _decode_loose_answer(body).result
    except msgspec.ValidationError as error:
        raise Rejected(f"Expected a list of logs, was {_shown(body)}: {error}") from error
    indexes, logs, refused = [], [], []
    for index, raw in enumerate(raws or ()):
        try:
            logs.append(_decode_log(raw))
            indexes.append(index)
        except msgspec.ValidationError as error:
            detail = f"Expected a log as eth_getLogs answers it: {error}"
            refused.append(RefusedLog(index, "bad_shape", detail, bytes(raw)[:LOG_BYTES_SHOWN_MAX]))
    return _decode(indexes, logs, registry, refused)


def _decode(
    indexes: Sequence[int], logs: Sequence[EvmLog], registry: Registry, refused: list[RefusedLog]
) -> DecodedLogs:
    known = _Kinds(registry.kinds)
    kinds = [known[log.topics[0]] if log.topics else Other.FOREIGN for log in logs]
    misshapen = len(refused)
    told: dict[tuple[str, str, int], Reserves] = {}
    if Other.SYNC in kinds:
        refused += _read_syncs(indexes, logs, kinds, told)
    syncs = kinds.count(Other.SYNC) - (len(refused) - misshapen)
    swaps: list[DecodedSwap] = []
    created: list[CreatedPool] = []
    for index, log, kind in zip(indexes, logs, kinds, strict=True):
        try:
            if type(kind) is SwapEvent:
                swaps.append(_swap(log, kind, told))
            elif type(kind) is PoolEvent:
                created.append(_pool(log, kind))
        except _REFUSING as error:
            refused.append(_refused(index, log, error))
    if len(refused) > 1:
        refused.sort(key=lambda one: one.index)
    return DecodedLogs(
        logs=len(logs) + misshapen,
        swaps=swaps,
        created=created,
        refused=refused,
        syncs=syncs,
        foreign=kinds.count(Other.FOREIGN),
    )


def _read_syncs(
    indexes: Sequence[int],
    logs: Sequence[EvmLog],
    kinds: Sequence[Kind],
    told: dict[tuple[str, str, int], Reserves],
) -> list[RefusedLog]:
    """Read all reserves first, so that the order of the answer does not matter."""
    refused = []
    for index, log, kind in zip(indexes, logs, kinds, strict=True):
        if kind is not Other.SYNC:
            continue
        try:
            data = _checked(log, 1, 2)
            reserves = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
            told[log.block_hash, log.address, quantity(log.log_index)] = reserves
        except _REFUSING as error:
            refused.append(_refused(index, log, error))
    return refused


def _swap(log: EvmLog, event: SwapEvent, told: dict[tuple[str, str, int], Reserves]) -> DecodedSwap:
    data = _checked(log, event.topics, event.words)
    if event.emitters is not None and log.address.lower() not in event.emitters:
        raise _unknown_emitter(log, event)
    log_index = quantity(log.log_index)
    reserves = None
    if event.sync_topic0 is not None:
        reserves = told.get((log.block_hash, log.address, log_index - 1))
    pool, amount0, amount1, trader, depth0, depth1 = event.read(log, data, reserves)
    return DecodedSwap(
        event.venue,
        pool.lower(),
        amount0,
        amount1,
        trader,
        depth0,
        depth1,
        quantity(log.block_number),
        log.block_hash.lower(),
        log.transaction_hash.lower(),
        log_index,
    )


def _pool(log: EvmLog, event: PoolEvent) -> CreatedPool:
    data = _checked(log, event.topics, event.words)
    if event.emitters is not None and log.address.lower() not in event.emitters:
        raise _unknown_emitter(log, event)
    pool, token0, token1 = event.read(log, data)
    return CreatedPool(
        event.venue,
        pool.lower(),
        log.address.lower(),
        token0,
        token1,
        quantity(log.block_number),
        log.block_hash.lower(),
        quantity(log.log_index),
    )


def _checked(log: EvmLog, topics: int, words: int) -> bytes:
    """Check what holds for every event, and read the data."""
    if log.removed:
        raise _Refusal("removed", _REMOVED)
    if len(log.topics) != topics:
        raise _Refusal("topic_count", f"Expected {topics} topics, was {len(log.topics)}")
    if len(log.data) != 64 * words + 2:
        raise _Refusal(
            "data_length",
            f"Expected {32 * words} bytes of data, was {(len(log.data) - 2) / 2:g}",
        )
    hex_bytes(log.address)
    hex_bytes(log.block_hash)
    hex_bytes(log.transaction_hash)
    return hex_bytes(log.data)


def _unknown_emitter(log: EvmLog, event: SwapEvent | PoolEvent) -> _Refusal:
    return _Refusal(
        "unknown_emitter",
        f"Expected a log of {event.venue} from one of {len(event.emitters or ())} known "
        f"contracts, was from {log.address}: name it in the registry if it is genuine",
    )


def _refused(index: int, log: EvmLog, error: Exception) -> RefusedLog:
    reason, detail = "bad_hex", str(error)
    if isinstance(error, _Refusal):
        reason = error.reason
    elif isinstance(error, OutOfRange):
        reason = "out_of_range"
    elif not isinstance(error, ValueError):
        reason = "not_readable"
    return RefusedLog(index, reason, detail, _encode(log)[:LOG_BYTES_SHOWN_MAX])


def _shown(body: bytes) -> str:
    return repr(body[:SHOWN_BYTES_MAX])
