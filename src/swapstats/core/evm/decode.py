"""From the bytes of an `eth_getLogs` answer to swaps. Pure, and never stopped by a log.

answer ──> logs ──> event by topic0 ──> counts, hex, ranges ──> swaps, new pools
                                                └──> refused, each with a reason
"""

from binascii import unhexlify
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import structs

from swapstats.core.evm.events import Event, PoolEvent, Reserves, SwapEvent, SyncEvent
from swapstats.core.evm.logs import (
    LOG_BYTES_SHOWN_MAX,
    CreatedPool,
    DecodedLogs,
    DecodedSwap,
    EvmLog,
    RefusedLog,
)
from swapstats.core.evm.registry import Registry
from swapstats.core.evm.words import OutOfRange, is_lower_hex, lower_hex, quantity
from swapstats.errors import Rejected

SHOWN_BYTES_MAX: Final = 200
LOGS_AT_ONCE: Final = 128
"""So many have their hex checked in one go and are read before it has left the cache."""

_REMOVED: Final = (
    "Expected a log of the canonical chain, was one a node takes back: what left the chain is told "
    "by block hashes, not by this flag"
)


class _Answer(msgspec.Struct, frozen=True):
    """A JSON-RPC answer whose logs are all of the right shape."""

    result: list[EvmLog] | None = None
    error: object = None


class _LooseAnswer(msgspec.Struct, frozen=True):
    """A JSON-RPC answer, its logs not looked at."""

    result: list[msgspec.Raw]
    error: object = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_loose_answer: Final = msgspec.json.Decoder(_LooseAnswer).decode
_decode_log: Final = msgspec.json.Decoder(EvmLog).decode
_encode: Final = msgspec.json.Encoder().encode


_NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LOG_INDEXES: Final = {hex(index): index for index in range(1 << 13)}
"""Most of those that occur, by their text: looked up far quicker than read."""
_REFUSING: Final = (ValueError, ArithmeticError, LookupError)
_index: Final = attrgetter("index")

_Meant = tuple[int, EvmLog, Event]
"""Place within the answer, log, and the event it is meant to be."""
_Told = dict[tuple[str, str, int], Reserves]
"""Reserves by block hash, contract and log index."""


class _Kinds(dict[str, Event | None]):
    """Events by topic0, None for those of others; the first look at a topic0 ignores case."""

    def __missing__(self, topic0: str) -> Event | None:
        kind = self[topic0] = self.get(topic0.lower())
        return kind


class _Numbers(dict[str, int]):
    """Numbers by their hex text: those of a block come again with each of its logs."""

    def __missing__(self, text: str) -> int:
        number = self[text] = quantity(text)
        return number


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
    except (msgspec.ValidationError, UnicodeDecodeError):
        return _decode_loosely(body, registry)
    except _NO_JSON as error:
        raise Rejected(f"Expected a JSON-RPC answer, was {_shown(body)}: {error}") from error
    if answer.result is None or answer.error is not None:
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
        answer = _decode_loose_answer(body)
    except _NO_JSON as error:
        raise Rejected(f"Expected a list of logs, was {_shown(body)}: {error}") from error
    if answer.error is not None:
        raise Rejected(f"Expected a list of logs, was {_shown(body)}: ask again")
    indexes, logs, refused = [], [], []
    for index, raw in enumerate(answer.result):
        try:
            logs.append(_decode_log(raw))
            indexes.append(index)
        except _NO_JSON as error:
            detail = f"Expected a log as eth_getLogs answers it: {error}"
            refused.append(RefusedLog(index, "bad_shape", detail, bytes(raw)[:LOG_BYTES_SHOWN_MAX]))
    return _decode(indexes, logs, registry, refused)


def _decode(
    indexes: Sequence[int], logs: Sequence[EvmLog], registry: Registry, refused: list[RefusedLog]
) -> DecodedLogs:
    """Decode logs of the right shape; `refused` holds those of the answer that were not."""
    count = len(logs) + len(refused)
    meant, foreign = _meant(indexes, logs, registry, refused)
    syncs = [item for item in meant if type(item[2]) is SyncEvent]
    told, told_count = _reserves(_in_lower_case(syncs, refused), refused)
    if syncs:
        meant = [item for item in meant if type(item[2]) is not SyncEvent]
    numbers = _Numbers()
    swaps: list[DecodedSwap] = []
    created: list[CreatedPool] = []
    for begin in range(0, len(meant), LOGS_AT_ONCE):
        for index, log, event in _in_lower_case(meant[begin : begin + LOGS_AT_ONCE], refused):
            try:
                if type(event) is SwapEvent:
                    swaps.append(_swap(log, event, told, numbers))
                elif type(event) is PoolEvent:
                    created.append(_pool(log, event, numbers))
            except _REFUSING as error:
                refused.append(_refused(index, log, *_reason(error)))
    refused.sort(key=_index)
    return DecodedLogs(count, swaps, created, refused, told_count, foreign)


def _meant(
    indexes: Sequence[int], logs: Sequence[EvmLog], registry: Registry, refused: list[RefusedLog]
) -> tuple[list[_Meant], int]:
    """Keep the logs that have what their event asks for, and count those of other events."""
    known = _Kinds(registry.kinds)
    meant: list[_Meant] = []
    foreign = 0
    for index, log in zip(indexes, logs, strict=True):
        topics = log.topics
        event = known[topics[0]] if topics else None
        if event is None:
            foreign += 1
        elif (
            len(topics) == event.topics
            and len(log.data) == 2 + 64 * event.words
            and log.data[:2] == "0x"
            and (
                event.emitters is None
                or log.address in event.emitters
                or log.address.lower() in event.emitters
            )
            and not log.removed
        ):
            meant.append((index, log, event))
        else:
            refused.append(_refused(index, log, *_why_not(log, event)))
    return meant, foreign


def _why_not(log: EvmLog, event: Event) -> tuple[str, str]:
    """Reason and detail of a log that has not what its event asks for."""
    if log.removed:
        return "removed", _REMOVED
    if len(log.topics) != event.topics:
        return "topic_count", f"Expected {event.topics} topics, was {len(log.topics)}"
    if len(log.data) != 2 + 64 * event.words:
        bytes_found = f"{len(log.data) / 2 - 1:g}"
        return "data_length", f"Expected {32 * event.words} bytes of data, was {bytes_found}"
    if log.data[:2] != "0x":
        return "bad_hex", f"Expected 0x before the data, was {log.data[:2]!r}"
    return "unknown_emitter", (
        f"Expected a contract known for {event.venue}, was {log.address}: name it in the "
        "registry if it is genuine"
    )


def _in_lower_case(meant: list[_Meant], refused: list[RefusedLog]) -> list[_Meant]:
    """Make sure that addresses, hashes and topics are hex digits in lower case.

    All at once, as nodes write them so; one by one where it does not hold.
    """
    words: list[str] = []
    for _, log, _ in meant:
        words += log.topics
        words += (log.block_hash, log.transaction_hash)
    if is_lower_hex(words, 66) and is_lower_hex([log.address for _, log, _ in meant], 42):
        return meant
    good = []
    for index, log, event in meant:
        try:
            good.append((index, _lowered(log), event))
        except ValueError as error:
            refused.append(_refused(index, log, *_reason(error)))
    return good


def _lowered(log: EvmLog) -> EvmLog:
    return structs.replace(
        log,
        address=lower_hex(log.address),
        topics=tuple(lower_hex(topic) for topic in log.topics),
        block_hash=lower_hex(log.block_hash),
        transaction_hash=lower_hex(log.transaction_hash),
    )


def _reserves(syncs: Sequence[_Meant], refused: list[RefusedLog]) -> tuple[_Told, int]:
    """Read all reserves before any swap, so that the order within the answer does not matter.

    Returns:
        Reserves, and how many logs told some.
    """
    told: _Told = {}
    count = len(syncs)
    for index, log, _ in syncs:
        try:
            data = unhexlify(log.data[2:])
            reserves = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
            log_index = _LOG_INDEXES.get(log.log_index) or quantity(log.log_index)
            told[log.block_hash, log.address, log_index] = reserves
        except ValueError as error:
            refused.append(_refused(index, log, *_reason(error)))
            count -= 1
    return told, count


def _swap(log: EvmLog, event: SwapEvent, told: _Told, numbers: _Numbers) -> DecodedSwap:
    log_index = _LOG_INDEXES.get(log.log_index) or quantity(log.log_index)
    reserves = None
    if event.sync_topic0 is not None:
        reserves = told.get((log.block_hash, log.address, log_index - 1))
    data = unhexlify(log.data[2:])
    pool, amount0, amount1, trader, depth0, depth1 = event.read(log, data, reserves)
    return DecodedSwap(
        event.venue,
        pool,
        amount0,
        amount1,
        trader,
        depth0,
        depth1,
        numbers[log.block_number],
        log.block_hash,
        log.transaction_hash,
        log_index,
    )


def _pool(log: EvmLog, event: PoolEvent, numbers: _Numbers) -> CreatedPool:
    pool, token0, token1 = event.read(log, unhexlify(log.data[2:]))
    return CreatedPool(
        event.venue,
        pool,
        log.address,
        token0,
        token1,
        numbers[log.block_number],
        log.block_hash,
        _LOG_INDEXES.get(log.log_index) or quantity(log.log_index),
    )


def _reason(error: Exception) -> tuple[str, str]:
    """Reason and detail of a log whose values could not be read."""
    detail = str(error) if str(error).startswith("Expected ") else f"Expected hex digits: {error}"
    if isinstance(error, OutOfRange):
        return "out_of_range", detail
    if isinstance(error, ValueError):
        return "bad_hex", detail
    return "not_readable", f"Expected values that can be read, was {error!r}"


def _refused(index: int, log: EvmLog, reason: str, detail: str) -> RefusedLog:
    return RefusedLog(index, reason, detail, _encode(log)[:LOG_BYTES_SHOWN_MAX])


def _shown(body: bytes) -> str:
    return repr(body[:SHOWN_BYTES_MAX])
