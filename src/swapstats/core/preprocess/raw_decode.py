"""From bytes to a raw event whose every field keeps its contract, or why not."""

import re
from typing import Final

import msgspec

from swapstats.core.preprocess.amounts import is_signed, is_unsigned
from swapstats.core.preprocess.refusal import Refusal
from swapstats.model.raw_event import (
    RAW_BYTES_MAX,
    RAW_VERSION,
    ExchangeTrade,
    PoolSwap,
    RawEvent,
)
from swapstats.model.wire import EVENT_MS_MIN, INTEGER_MAX

MULTIPLIER_MAX: Final = 10**12
_SHOWN_CHARS_MAX: Final = 120
_KINDS: Final = ("pool_swap", "exchange_trade")

_is_hash = re.compile(r"0x[0-9a-f]{1,64}").fullmatch
_is_address = re.compile(r"0x[0-9a-f]{40}").fullmatch
_is_name = re.compile(r"[^\s:\x00-\x1f\x7f]{1,64}").fullmatch
_is_market = re.compile(r"[^\s\x00-\x1f\x7f]{1,100}").fullmatch
_is_trade_id = re.compile(r"[^\s\x00-\x1f\x7f]{1,80}").fullmatch
_decode = msgspec.json.Decoder(RawEvent).decode


class _Head(msgspec.Struct):
    kind: object = None
    version: object = RAW_VERSION


def decode_raw(message: bytes) -> RawEvent | Refusal:
    """Decode one raw event and check the format of its fields.

    Addresses, places and symbols of a pool are checked where they are first seen together, by
    `pool_view`: they repeat with every swap.
    """
    if len(message) > RAW_BYTES_MAX:
        detail = f"Expected at most {RAW_BYTES_MAX} bytes, was {len(message)}"
        return Refusal("too_large", detail)
    try:
        event = _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _why(message, error)
    if event.version != RAW_VERSION:
        return _bad_version(event.version)
    if type(event) is PoolSwap:
        return _check_swap(event) or event
    return _check_trade(event) or event


def _why(message: bytes, error: Exception) -> Refusal:
    """Tell apart what the decoder only calls invalid."""
    try:
        head = msgspec.json.decode(message, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Refusal("bad_json", f"Expected a JSON object in UTF-8, was broken: {error}")
    if head.kind not in _KINDS:
        return Refusal("unknown_kind", f"Expected kind {_KINDS}, was {_shown(head.kind)}")
    if type(head.version) is not int or head.version != RAW_VERSION:
        return _bad_version(head.version)
    return Refusal("bad_field", f"Expected fields of {head.kind}, was: {error}")


def _bad_version(version: object) -> Refusal:
    return Refusal("bad_version", f"Expected version {RAW_VERSION}, was {_shown(version)}")


def _check_swap(event: PoolSwap) -> Refusal | None:
    if not (
        _is_hash(event.block_hash)
        and _is_hash(event.tx_hash)
        and 0 <= event.block_number <= INTEGER_MAX
        and 0 <= event.log_index <= INTEGER_MAX
        and 0 <= event.inclusion <= INTEGER_MAX
        and EVENT_MS_MIN <= event.event_time <= INTEGER_MAX
        and is_signed(event.amount0)
        and is_signed(event.amount1)
        and (event.trader is None or _is_hash(event.trader))
        and (event.depth0 is None or is_unsigned(event.depth0))
        and (event.depth1 is None or is_unsigned(event.depth1))
    ):
        return _first_bad(event)
    return None


def _first_bad(event: PoolSwap) -> Refusal:
    """Name the field: slower, for the few that need it."""
    for name in ("block_hash", "tx_hash", "trader"):
        value = getattr(event, name)
        if value is not None and not _is_hash(value):
            return bad_field(name, "0x and at most 64 lower-case hex digits", value)
    for name in ("block_number", "log_index", "inclusion"):
        value = getattr(event, name)
        if not 0 <= value <= INTEGER_MAX:
            return bad_field(name, f"an integer from 0 to {INTEGER_MAX}", value)
    for name in ("amount0", "amount1"):
        if not is_signed(getattr(event, name)):
            return bad_field(name, "a signed integer of at most 78 digits", getattr(event, name))
    for name in ("depth0", "depth1"):
        value = getattr(event, name)
        if value is not None and not is_unsigned(value):
            return bad_field(name, "an integer of at most 78 digits", value)
    return bad_field("event_time", f"ms since epoch from {EVENT_MS_MIN}", event.event_time)


def _check_trade(event: ExchangeTrade) -> Refusal | None:
    if (
        _is_name(event.venue)
        and _is_name(event.base)
        and _is_name(event.quote)
        and _is_market(event.market)
        and _is_trade_id(event.trade_id)
        and event.side in {"buy", "sell"}
        and 1 <= event.multiplier <= MULTIPLIER_MAX
        and EVENT_MS_MIN <= event.event_time <= INTEGER_MAX
    ):
        return None
    for name in ("venue", "base", "quote"):
        if not _is_name(getattr(event, name)):
            return bad_field(
                name, "1 to 64 characters without blank or colon", getattr(event, name)
            )
    if not _is_market(event.market):
        return bad_field("market", "1 to 100 characters without blank", event.market)
    if not _is_trade_id(event.trade_id):
        return bad_field("trade_id", "1 to 80 characters without blank", event.trade_id)
    if event.side not in {"buy", "sell"}:
        return bad_field("side", "buy or sell", event.side)
    if not 1 <= event.multiplier <= MULTIPLIER_MAX:
        return bad_field("multiplier", f"1 to {MULTIPLIER_MAX}", event.multiplier)
    return bad_field("event_time", f"ms since epoch from {EVENT_MS_MIN}", event.event_time)


def is_address(text: str) -> bool:
    """Whether a text is an address of a chain, lower case."""
    return _is_address(text) is not None


def is_hash(text: str) -> bool:
    """Whether a text is a hash, an address or an id of a pool, lower case."""
    return _is_hash(text) is not None


def is_name(text: str) -> bool:
    """Whether a text can be the name of a venue."""
    return _is_name(text) is not None


def bad_field(name: str, expected: str, value: object) -> Refusal:
    """Say which field is wrong."""
    return Refusal("bad_field", f"Expected {name} as {expected}, was {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else text[: _SHOWN_CHARS_MAX - 3] + "..."
