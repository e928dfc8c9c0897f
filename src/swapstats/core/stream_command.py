"""What a WebSocket client may say, read and checked: subscribe and unsubscribe.

Never touches a socket; a message that cannot be used is a MessageRefused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from swapstats.core.overview import ORDERS, SORTS
from swapstats.errors import Rejected

CHANNEL_CHARS_MAX = 600
STREAM_CHARS_MAX = 64
SEQ_MAX = (1 << 63) - 1


class MessageRefused(Rejected):
    """A message that cannot be used.

    Args:
        name: `bad-message` or `unknown-channel`.
        detail: what was expected and what it was.
        channel: the channel it concerns, if one.
    """

    def __init__(self, name: str, detail: str, channel: str | None = None) -> None:
        super().__init__(detail)
        self.name = name
        self.channel = channel


@dataclass(frozen=True, slots=True)
class Wanted:
    """One channel to subscribe.

    Attributes:
        channel: as the client wrote it.
        stream: name of the line the client knows, None if it starts anew.
        seq: the newest change number the client knows.
    """

    channel: str
    stream: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Begin these channels."""

    wanted: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End these channels."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenChannel:
    """`token:<id>`.

    Attributes:
        id: key or symbol.
    """

    id: str


@dataclass(frozen=True, slots=True)
class OverviewChannel:
    """`overview:<window>` or `overview:<window>:<sort>:<asc|desc>:<limit>`."""

    window: str
    sort: str = "vol_usd"
    order: str = "desc"
    limit: int = 50


def parse_command(text: str) -> Subscribe | Unsubscribe:
    """Read one message.

    Raises:
        MessageRefused: not JSON, or not a command.
    """
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise MessageRefused("bad-message", "Expected a JSON object, was another text") from None
    if not isinstance(message, dict) or len(message.keys() & {"subscribe", "unsubscribe"}) != 1:
        raise MessageRefused(
            "bad-message", 'Expected an object with "subscribe" or "unsubscribe", was another'
        )
    if "unsubscribe" in message:
        _known(message, {"unsubscribe"})
        listed = message["unsubscribe"]
        channels = listed if isinstance(listed, list) else [listed]
        return Unsubscribe(tuple(_channel(channel) for channel in channels))
    listed = message["subscribe"]
    if not isinstance(listed, list):
        _known(message, {"subscribe", "stream", "seq"})
        return Subscribe((_wanted(listed, message),))
    _known(message, {"subscribe"})
    return Subscribe(tuple(_item(item) for item in listed))


def _item(item: Any) -> Wanted:
    if not isinstance(item, dict):
        return _wanted(item, {})
    _known(item, {"channel", "stream", "seq"})
    return _wanted(item.get("channel"), item)


def _known(message: Mapping[str, Any], names: set[str]) -> None:
    unknown = sorted(message.keys() - names)
    if unknown:
        raise MessageRefused(
            "bad-message", f"Expected only {', '.join(sorted(names))}, was {unknown[0][:40]!r} too"
        )


def _channel(channel: Any) -> str:
    if isinstance(channel, str) and len(channel) <= CHANNEL_CHARS_MAX:
        return channel
    raise MessageRefused(
        "bad-message", f"Expected a channel of at most {CHANNEL_CHARS_MAX} characters, was another"
    )


def _wanted(channel: Any, message: Mapping[str, Any]) -> Wanted:
    name = _channel(channel)
    stream, seq = message.get("stream"), message.get("seq")
    if stream is None and seq is None:
        return Wanted(name)
    whole = isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq <= SEQ_MAX
    if isinstance(stream, str) and len(stream) <= STREAM_CHARS_MAX and whole:
        return Wanted(name, stream, int(seq or 0))
    raise MessageRefused(
        "bad-message", 'Expected "stream" as text and "seq" as an integer, both or none', name
    )


def parse_channel(channel: str, limit_max: int) -> TokenChannel | OverviewChannel:
    """Read the name of a channel.

    Args:
        channel: as the client wrote it.
        limit_max: rows an overview may have.

    Raises:
        MessageRefused: there is no such channel.
    """
    kind, _, rest = channel.partition(":")
    if kind == "token" and rest:
        return TokenChannel(rest)
    parts = rest.split(":")
    if kind == "overview" and rest and len(parts) == 1:
        return OverviewChannel(parts[0], limit=min(50, limit_max))
    if kind == "overview" and len(parts) == 4:
        window, sort, order, limit = parts
        digits = limit.isascii() and limit.isdigit() and len(limit) < 10
        if sort in SORTS and order in ORDERS and digits and 1 <= int(limit) <= limit_max:
            return OverviewChannel(window, sort, order, int(limit))
    raise MessageRefused(
        "unknown-channel",
        "Expected token:<id>, overview:<window> or overview:<window>:<sort>:<asc|desc>:<limit> "
        f"with a limit from 1 to {limit_max}, was {channel[:80]!r}",
        channel,
    )
