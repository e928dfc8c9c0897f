"""Where OKX's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

STREAMS_MAX = 100
PAGE_TRADES = 100
"""OKX gives no more of its history at once."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses, without a slash at the end.

    Attributes:
        stream_url: WebSocket, without the path.
        rest_url: REST API.
    """

    stream_url: str
    rest_url: str

    def stream(self) -> str:
        """Address of the entry that has `trades-all`."""
        return f"{self.stream_url}/ws/v5/business"

    def instruments(self) -> str:
        """Address of the list of all spot instruments."""
        return f"{self.rest_url}/api/v5/public/instruments?instType=SPOT"

    def trades_below(self, instrument: str, trade_id: int | None) -> str:
        """Address of the newest trades of an instrument, with ids below one (None = all).

        The API calls what is older `after`. Its `before` (what is newer) is of no use: it gives
        the newest ones there are, not those that follow.
        """
        address = (
            f"{self.rest_url}/api/v5/market/history-trades"
            f"?instId={quote(instrument)}&type=1&limit={PAGE_TRADES}"
        )
        return address if trade_id is None else f"{address}&after={trade_id}"


PUBLIC = Endpoints("wss://ws.okx.com:8443", "https://www.okx.com")


def subscription(instruments: Sequence[str]) -> str:
    """The frame that asks for the trades of some instruments, each by itself."""
    channels = [{"channel": "trades-all", "instId": instrument} for instrument in instruments]
    return json.dumps({"op": "subscribe", "args": channels})
