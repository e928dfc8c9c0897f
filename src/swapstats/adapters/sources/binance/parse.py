"""From Binance's messages to wire v1. Pure: no I/O, no clock, no float.

Units are converted here and nowhere else: price x quantity is taken with integers, rounded
half-even to the places of wire v1.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from swapstats.adapters.sources.binance.messages import ExchangeInfo, Frame, Trade
from swapstats.errors import Rejected
from swapstats.model.stats import TOKEN_SCALE_DIGITS, USD_SCALE_DIGITS

VENUE = "binance"
DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "DAI", "USD1", "USD"})
"""Quote assets taken for a dollar; amounts in any other one have no USD value here."""
DIGITS_MAX = 40
SHOWN_CHARS_MAX = 120

_decimal = re.compile(r"([0-9]+)(?:\.([0-9]+))?").fullmatch
_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_trade = msgspec.json.Decoder(Trade).decode
_decode_info = msgspec.json.Decoder(ExchangeInfo).decode


@dataclass(frozen=True, slots=True)
class Market:
    """What a symbol stands for.

    Attributes:
        symbol: as the exchange writes it.
        base: the asset traded.
        quote: the asset it is paid in.
    """

    symbol: str
    base: str
    quote: str


_BUILT_IN_BASES = (
    "BTC ETH SOL BNB XRP DOGE ADA LINK AVAX TRX DOT LTC BCH UNI AAVE PEPE SHIB SUI TON NEAR APT "
    "ARB OP ATOM FIL ETC XLM INJ"
)
BUILT_IN_MARKETS = {
    base + quote: Market(base + quote, base, quote)
    for base in _BUILT_IN_BASES.split()
    for quote in ("USDT", "USDC", "FDUSD")
} | {
    "ETHBTC": Market("ETHBTC", "ETH", "BTC"),
    "SOLBTC": Market("SOLBTC", "SOL", "BTC"),
    "BNBBTC": Market("BNBBTC", "BNB", "BTC"),
}
"""For when the REST API cannot be asked. A list, since a suffix does not tell base from quote."""


def parse_trade(frame: str | bytes) -> Trade | None:
    """Read a trade from a frame of a combined stream; None if the frame is something else.

    Raises:
        Rejected: the frame is not what Binance is known to send.
    """
    try:
        envelope = _decode_frame(frame)
        if envelope.stream is None:
            return None  # an answer to a command
        if not envelope.stream.endswith("@trade"):
            return None
        return _decode_trade(envelope.data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        shown = frame[:SHOWN_CHARS_MAX]
        raise Rejected(f"Expected a trade frame, was {shown!r} ({error})") from error


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of symbols from an `exchangeInfo` answer.

    Raises:
        Rejected: it is none.
    """
    try:
        info = _decode_info(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(f"Expected exchangeInfo, was something else ({error})") from error
    return {row.symbol: Market(row.symbol, row.baseAsset, row.quoteAsset) for row in info.symbols}


def known_markets(symbols: Iterable[str], markets: dict[str, Market]) -> dict[str, Market]:
    """Pick the markets of some symbols.

    Raises:
        Rejected: one of them is not there.
    """
    found = {}
    for symbol in symbols:
        if symbol not in markets:
            raise Rejected(
                f"Expected symbols Binance trades, such as BTCUSDT, was {symbol!r}: "
                f"check the spelling or leave it out of `source.binance.symbols`"
            )
        found[symbol] = markets[symbol]
    return found


def to_wire(trade: Trade, market: Market) -> bytes:
    """Write a trade as wire v1.

    Raises:
        Rejected: price or quantity are no decimals.
    """
    price, price_places = _scaled(trade.p, "price")
    quantity, quantity_places = _scaled(trade.q, "quantity")
    amount = _fixed(rescaled(quantity, quantity_places, TOKEN_SCALE_DIGITS), TOKEN_SCALE_DIGITS)
    usd = "null"
    if market.quote in DOLLARS:
        micros = rescaled(price * quantity, price_places + quantity_places, USD_SCALE_DIGITS)
        usd = f'"{_fixed(micros, USD_SCALE_DIGITS)}"'
    side = "sell" if trade.m else "buy"
    return (
        f'{{"schema_version":1,"event_id":"{VENUE}:{trade.s}:{trade.t}",'
        f'"token_address":"{market.base}","token_symbol":"{market.base}","venue":"{VENUE}",'
        f'"side":"{side}","amount_token":"{amount}","amount_usd":{usd},'
        f'"event_time":{trade.T},"removed":false}}'
    ).encode()


def rescaled(value: int, places: int, places_wanted: int) -> int:
    """Change the scale of a decimal held as an integer, rounding half-even.

    >>> rescaled(25, 1, 0), rescaled(35, 1, 0), rescaled(7, 0, 2)
    (2, 4, 700)
    """
    if places <= places_wanted:
        return value * int(10 ** (places_wanted - places))
    unit = int(10 ** (places - places_wanted))
    whole, rest = divmod(value, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))


def _scaled(text: str, name: str) -> tuple[int, int]:
    """Read a decimal as (integer, places)."""
    match = _decimal(text) if len(text) <= DIGITS_MAX else None
    if match is None:
        raise Rejected(f"Expected a {name} in plain digits, was {text[:SHOWN_CHARS_MAX]!r}")
    fraction = match[2] or ""
    return int(match[1] + fraction), len(fraction)


def _fixed(value: int, places: int) -> str:
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}"
