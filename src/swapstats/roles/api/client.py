"""One WebSocket client: what it subscribed, what it has not been told yet, and its socket.

Holds the set of dirty channels, never a queue of messages: a client that does not drain gets one
merged frame later. Frames are written to the transport as they are, without compression.
"""

import asyncio
from struct import pack
from typing import TYPE_CHECKING

from swapstats.roles.api.options import ApiOptions

if TYPE_CHECKING:
    from swapstats.roles.api.watch import Subscription

_TEXT_FRAME = 0x81


def frame_bytes(payload: bytes) -> bytes:
    """Make one unmasked, final WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT_FRAME, size)) + payload
    if size < 65_536:
        return pack("!BBH", _TEXT_FRAME, 126, size) + payload
    return pack("!BBQ", _TEXT_FRAME, 127, size) + payload


class Client:
    """A connected client.

    Args:
        transport: its socket; WebSocket handshake done, no compression.
        quoted: amounts as strings.
        options: limits.
        now_ms: monotonic.

    Attributes:
        quoted: amounts as strings.
        subs: subscriptions by channel.
        dirty: subscriptions with something to tell, in order.
        sent_ms: monotonic moment of the last write.
        blocked_ms: monotonic moment since when it does not drain; None if it does.
        closing: True once a close was begun; nothing more is written.
    """

    __slots__ = ("_options", "_transport", "blocked_ms", "closing", "dirty", "quoted",
                 "sent_ms", "subs")  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, *, quoted: bool, options: ApiOptions, now_ms: int
    ) -> None:
        self._transport = transport
        self._options = options
        self.quoted = quoted
        self.subs: dict[str, Subscription] = {}
        self.dirty: dict[Subscription, None] = {}
        self.sent_ms = now_ms
        self.blocked_ms: int | None = None
        self.closing = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes written but not yet taken by the kernel."""
        return self._transport.get_write_buffer_size()

    def is_blocked(self, now_ms: int) -> bool:
        """Tell whether the client has more unsent than allowed, and remember since when."""
        if self._transport.get_write_buffer_size() <= self._options.unsent_bytes_max:
            self.blocked_ms = None
            return False
        if self.blocked_ms is None:
            self.blocked_ms = now_ms
        return True

    def is_too_slow(self, now_ms: int) -> bool:
        """Tell whether the client has been blocked for longer than allowed."""
        return self.is_blocked(now_ms) and (
            now_ms - (self.blocked_ms or 0) >= self._options.slow_client_ms
        )

    def take_events(self) -> list[bytes]:
        """Take the events of dirty channels, up to the frame limit; the rest stays dirty."""
        events: list[bytes] = []
        size = 0
        while self.dirty and size < self._options.frame_bytes_max:
            sub = next(iter(self.dirty))
            del self.dirty[sub]
            event = sub.event()
            if event is not None:
                events.append(event)
                size += len(event)
        return events

    def write(self, frame: bytes, now_ms: int) -> None:
        """Write a whole WebSocket frame, unless the socket is closing."""
        if not self.closing and not self._transport.is_closing():
            self.sent_ms = now_ms
            self._transport.write(frame)

    def abort(self) -> None:
        """Drop the socket and all that is unsent, now."""
        self._transport.abort()
