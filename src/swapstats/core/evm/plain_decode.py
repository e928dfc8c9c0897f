"""The plain decoder of `eth_getLogs` answers: any JSON to swaps and refusals, log by log.

It says what is right. The fast scanner (`decode.py`) takes what it is sure of, and comes out alike.

answer ──> logs ──> event by topic0 ──> counts, hex, ranges ──> swaps, new pools
                                                └──> refused, each with a reason
"""

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
from swapstats.core.evm.words import OutOfRange, hex_bytes, is_lower_hex, lower_hex, quantity
from swapstats.errors import Rejected

SHOWN_BYTES_MAX: Final = 200

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
_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode
_decode_log: Final = msgspec.json.Decoder(EvmLog).decode
_encode: Final = msgspec.json.Encoder().encode


_NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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
    """Numbers by their hex text: those of blocks and logs come again and again."""

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


def decode_read(logs: Sequence[EvmLog], registry: Registry) -> DecodedLogs:
    """Decode logs that were read already, such as those of a subscription."""
    return _decode(range(len(logs)), logs, registry, [])


def decode_raws(
    raws: Sequence[tuple[int, bytes]], registry: Registry
) -> tuple[DecodedLogs, list[int]] | None:
    """Decode some of the logs of an answer, apart from the others.

    Args:
        raws: place within the answer and JSON of each.
        registry: events to read.

    Returns:
        What became of them, and the place of each swap; None if one is no JSON, or may tell another
        log's reserves or be told its own by another log: then no log can be read apart.
    """
    indexes: list[int] = []
    logs: list[EvmLog] = []
    refused: list[RefusedLog] = []
    for index, raw in raws:
        try:
            logs.append(_decode_log(raw))
            indexes.append(index)
        except _NO_JSON as error:
            if not _is_json(raw):
                return None
            refused.append(_unshaped(index, raw, error))
    meant = _meant(indexes, logs, registry)
    if any(_is_told(event) for _, _, event in _fitting(meant, [])):
        return None
    found = _decode(indexes, logs, registry, refused)
    bad = {one.index for one in found.refused}
    swaps = [index for index, _, event in meant if type(event) is SwapEvent and index not in bad]
    return found, swaps


def _is_json(raw: bytes) -> bool:
    try:
        _check_json(raw)
    except _NO_JSON:
        return False
    return True


def _is_told(event: Event) -> bool:
    """Whether reserves go from this log to another, or the other way."""
    if type(event) is SwapEvent:
        return event.sync_topic0 is not None
    return type(event) is SyncEvent


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
            refused.append(_unshaped(index, raw, error))
    return _decode(indexes, logs, registry, refused)


def _decode(
    indexes: Sequence[int], logs: Sequence[EvmLog], registry: Registry, refused: list[RefusedLog]
) -> DecodedLogs:
    """Decode logs of the right shape; `refused` holds those of the answer that were not."""
    count = len(logs) + len(refused)
    meant = _meant(indexes, logs, registry)
    good = _in_lower_case(_fitting(meant, refused), refused)
    told, syncs = _reserves(good, refused)
    numbers = _Numbers()
    swaps: list[DecodedSwap] = []
    created: list[CreatedPool] = []
    for index, log, event in good:
        try:
            if type(event) is SwapEvent:
                swaps.append(_swap(log, event, told, numbers))
            elif type(event) is PoolEvent:
                created.append(_pool(log, event, numbers))
        except _REFUSING as error:
            refused.append(_refused(index, log, _reason(error), str(error)))
    refused.sort(key=_index)
    return DecodedLogs(count, swaps, created, refused, syncs, len(logs) - len(meant))


def _meant(indexes: Sequence[int], logs: Sequence[EvmLog], registry: Registry) -> list[_Meant]:
    """Keep the logs of events that are read."""
    known = _Kinds(registry.kinds)
    return [
        (index, log, kind)
        for index, log in zip(indexes, logs, strict=True)
        if log.topics and (kind := known[log.topics[0]]) is not None
    ]


def _fitting(meant: Sequence[_Meant], refused: list[RefusedLog]) -> list[_Meant]:
    """Keep the logs that have what their event asks for; refuse the others."""
    good = []
    for item in meant:
        index, log, event = item
        if log.removed:
            refused.append(_refused(index, log, "removed", _REMOVED))
        elif len(log.topics) != event.topics:
            detail = f"Expected {event.topics} topics, was {len(log.topics)}"
            refused.append(_refused(index, log, "topic_count", detail))
        elif len(log.data) != 64 * event.words + 2:
            detail = f"Expected {32 * event.words} bytes of data, was {len(log.data) / 2 - 1:g}"
            refused.append(_refused(index, log, "data_length", detail))
        elif event.emitters is not None and log.address.lower() not in event.emitters:
            detail = (
                f"Expected a contract known for {event.venue}, was {log.address}: name it in the "
                "registry if it is genuine"
            )
            refused.append(_refused(index, log, "unknown_emitter", detail))
        else:
            good.append(item)
    return good


def _in_lower_case(meant: list[_Meant], refused: list[RefusedLog]) -> list[_Meant]:
    """Make sure that addresses, hashes and topics are hex digits in lower case.

    All at once, as nodes write them so; one by one where it does not hold.
    """
    words: list[str] = []
    for _, log, _ in meant:
        words += log.topics
        words.append(log.block_hash)
        words.append(log.transaction_hash)
    if is_lower_hex(words, 66) and is_lower_hex([log.address for _, log, _ in meant], 42):
        return meant
    good = []
    for index, log, event in meant:
        try:
            lowered = structs.replace(
                log,
                address=lower_hex(log.address),
                topics=tuple(lower_hex(topic) for topic in log.topics),
                block_hash=lower_hex(log.block_hash),
                transaction_hash=lower_hex(log.transaction_hash),
            )
            good.append((index, lowered, event))
        except ValueError as error:
            refused.append(_refused(index, log, "bad_hex", str(error)))
    return good


def _reserves(good: Sequence[_Meant], refused: list[RefusedLog]) -> tuple[_Told, int]:
    """Read all reserves before any swap, so that the order within the answer does not matter.

    Returns:
        Reserves, and how many logs told some.
    """
    told: _Told = {}
    syncs = 0
    for index, log, event in good:
        if type(event) is not SyncEvent:
            continue
        try:
            data = hex_bytes(log.data)
            reserves = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
            told[log.block_hash, log.address, quantity(log.log_index)] = reserves
            syncs += 1
        except ValueError as error:
            refused.append(_refused(index, log, "bad_hex", str(error)))
    return told, syncs


def _swap(log: EvmLog, event: SwapEvent, told: _Told, numbers: _Numbers) -> DecodedSwap:
    log_index = numbers[log.log_index]
    reserves = None
    if event.sync_topic0 is not None:
        reserves = told.get((log.block_hash, log.address, log_index - 1))
    pool, amount0, amount1, trader, depth0, depth1 = event.read(log, hex_bytes(log.data), reserves)
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
    pool, token0, token1 = event.read(log, hex_bytes(log.data))
    return CreatedPool(
        event.venue,
        pool,
        log.address,
        token0,
        token1,
        numbers[log.block_number],
        log.block_hash,
        numbers[log.log_index],
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OutOfRange):
        return "out_of_range"
    return "bad_hex" if isinstance(error, ValueError) else "not_readable"


def _refused(index: int, log: EvmLog, reason: str, detail: str) -> RefusedLog:
    return RefusedLog(index, reason, detail, _encode(log)[:LOG_BYTES_SHOWN_MAX])


def _unshaped(index: int, raw: bytes | msgspec.Raw, error: Exception) -> RefusedLog:
    detail = f"Expected a log as eth_getLogs answers it: {error}"
    return RefusedLog(index, "bad_shape", detail, bytes(raw)[:LOG_BYTES_SHOWN_MAX])


def _shown(body: bytes) -> str:
    return repr(body[:SHOWN_BYTES_MAX])
