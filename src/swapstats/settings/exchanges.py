"""Keys of exchanges as sources: what is taken from them and where they are.

A part of the table of every key; `stream.py` says how to read it.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from dataclasses import dataclass

from swapstats.settings.key import key
from swapstats.settings.kinds import LIST, SECRET, TEXT, Secret


@dataclass(frozen=True, slots=True)
class BinanceSource:
    """Live public trades of Binance's spot market."""

    symbols: tuple[str, ...] = key(
        "symbols",
        LIST,
        ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT"),
        "Markets to take trades from.",
        bounds=(1, 200),
    )
    stream_url: str = key(
        "stream_url",
        TEXT,
        "",
        "Address of its streams; empty = Binance's.",
    )
    rest_url: str = key(
        "rest_url",
        TEXT,
        "",
        "Address of its REST API; empty = Binance's.",
    )


@dataclass(frozen=True, slots=True)
class BinanceUsdmSource:
    """Live public trades of Binance's USD-M futures."""

    symbols: tuple[str, ...] = key(
        "symbols", LIST, ("BTCUSDT", "ETHUSDT"), "Markets to take trades from.", bounds=(1, 200)
    )
    stream_url: str = key("stream_url", TEXT, "", "Address of its streams; empty = Binance's.")
    rest_url: str = key("rest_url", TEXT, "", "Address of its REST API; empty = Binance's.")
    api_key: Secret = key(
        "api_key",
        SECRET,
        "",
        "API key without rights, for history by id; without one, gaps of more than 1,000 trades "
        "stay.",
    )
