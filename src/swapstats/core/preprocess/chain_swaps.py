"""From the swaps of one chain's pools to priced swaps of tokens."""

from collections import Counter
from typing import Any, Final

import msgspec

from swapstats.core.preprocess.amounts import (
    CANDLE_PLACES,
    POWERS,
    PRICE_PLACES,
    TOKEN_PLACES,
    UINT256_MAX,
    USD_PLACES,
    divided,
    plain_text,
    rescaled,
)
from swapstats.core.preprocess.blocks import Answer, Block, Blocks
from swapstats.core.preprocess.candles import CandleBook, PricedTrade
from swapstats.core.preprocess.chain_prices import ChainPrices
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.limits import CLOCK_SLACK_MS, check_amounts
from swapstats.core.preprocess.pool_book import PoolBook
from swapstats.core.preprocess.pool_view import REST, PoolView, PoolViews, TokenRanks
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.wash import FLAG_LISTS, TraderMemory
from swapstats.core.preprocess.wire_swap import ChainSwap, write_swap
from swapstats.model.raw_event import PoolSwap
from swapstats.model.wire import SCHEMA_VERSION


class Trade(msgspec.Struct, frozen=True, gc=False):
    """What changed hands in one swap.

    Attributes:
        side: `buy` or `sell`.
        token: of the token, smallest units, > 0.
        quote: of what it was paid in, smallest units, > 0.
    """

    side: str
    token: int
    quote: int


class Worth(msgspec.Struct, frozen=True, gc=False):
    """What a swap was worth.

    Attributes:
        usd: micro-dollars; None: no trustworthy price.
        price: USD for one token, CANDLE_PLACES places; 0 without a price.
        source: as `price_source` of the swap.
    """

    usd: int | None
    price: int
    source: str


UNPRICED: Final = Worth(None, 0, "none")


class ChainSwaps:
    """Everything that is known about one chain.

    Args:
        chain_id: the chain.
        rules: all rules; those of the chain are looked up.
        rates: of exchanges in the same log.
        candles: of all tokens.
        traders: of all tokens.
    """

    def __init__(
        self,
        chain_id: int,
        rules: PriceRules,
        rates: ExchangeRates,
        candles: CandleBook,
        traders: TraderMemory,
    ) -> None:
        tokens = rules.chains[chain_id]
        self._dust_micros = rules.dust_micros
        self._candle_floor = rules.candle_floor_micros
        self._ranks = TokenRanks(tokens)
        self._views = PoolViews(rules, chain_id, self._ranks)
        self._blocks = Blocks(rules)
        self._book = PoolBook(rules, self._ranks)
        self._prices = ChainPrices(rules, tokens, self._ranks, self._book, rates)
        self._candles = candles
        self._traders = traders

    def apply(self, event: PoolSwap, append_ms: int, counts: Counter[str]) -> bytes | Refusal:
        """Turn one event into a message of the swap log, or say why not.

        Args:
            event: the event, each field in its format.
            append_ms: when the raw log took it.
            counts: what is counted by name.
        """
        view = self._views.view(event)
        if isinstance(view, Refusal):
            return view
        if view.is_denied:
            return Refusal("denied", f"{event.pool} or a token of it is on the deny list")
        block = self._blocks.find(event, append_ms)
        if isinstance(block, Refusal):
            return block
        if not block.events:
            self._book.forget_aged(self._blocks.floor_ms)
        change = block.note(event)
        if change and view.is_observed:
            if change > 0:
                self._book.observe(event, view, block, self._blocks.floor)
            else:
                self._book.take_back(event)
        trade = _trade(event, view)
        if isinstance(trade, Refusal):
            return trade
        worth = self._worth(trade, view, block)
        amount = rescaled(trade.token, view.token_places, TOKEN_PLACES)
        refusal = check_amounts(amount, worth.usd, self._dust_micros)
        if refusal is not None:
            return refusal
        flags = self._follow(
            event,
            view,
            block,
            change,
            trade,
            PricedTrade(worth.price, worth.usd or 0, amount, worth.source),
            append_ms,
            counts,
        )
        counts[worth.source] += 1
        return _write(event, view, trade, amount, worth, flags)

    def _follow(
        self,
        event: PoolSwap,
        view: PoolView,
        block: Block,
        change: int,
        trade: Trade,
        priced: PricedTrade,
        append_ms: int,
        counts: Counter[str],
    ) -> list[str]:
        """Carry a change on to candles and flags; returns the event's flags."""
        if change > 0 and not block.is_judged(event.log_index):
            block.flag(
                event.log_index,
                self._traders.flags(
                    view.token_key, event.trader, trade.side, priced.amount, event.tx_hash,
                    event.event_time,
                ),
            )  # fmt: skip
        if change and priced.usd >= self._candle_floor and priced.price:
            place = (event.event_time, block.number, event.log_index, block.block_hash)
            if change > 0:
                reached_ms = min(event.event_time, append_ms + CLOCK_SLACK_MS)
                fate = self._candles.add(view.token_key, place, priced, reached_ms)
            else:
                fate = self._candles.take_back(view.token_key, place)
            if fate:
                counts[fate] += 1
        flags = FLAG_LISTS[block.flags(event.log_index)]
        for flag in flags:
            counts[flag] += 1
        return flags

    def _worth(self, trade: Trade, view: PoolView, block: Block) -> Worth:
        """Price a swap by its quote, or else by a deep pool of one of its tokens.

        A listed quote books what it is itself worth, whatever the pool says about the token. A
        token nobody listed books no more than the pool that prices it holds, and of two such the
        lower.
        """
        quote = self._prices.price(view.quote_asset, block)
        if quote is not None and view.quote_class != REST:
            return _by(quote, trade.quote, view.quote_places, trade.token, view.token_places)
        token = self._prices.price(view.token_asset, block)
        found = [
            worth
            for answer, amount, places in (
                (quote, trade.quote, view.quote_places), (token, trade.token, view.token_places),
            )
            if answer is not None
            and (worth := _by(answer, amount, places, trade.token, view.token_places)).usd
            is not None
            and (not answer.depth or worth.usd <= answer.depth)
        ]  # fmt: skip
        return min(found, key=lambda worth: worth.usd or 0, default=UNPRICED)

    def pack(self) -> list[object]:
        """Turn into plain values."""
        return [self._blocks.pack(), self._book.pack()]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        blocks, book = packed
        self._blocks.unpack(blocks)
        self._book.unpack(book)


def _trade(event: PoolSwap, view: PoolView) -> Trade | Refusal:
    """Read the amounts from the pool's view: what leaves it was bought."""
    amount0, amount1 = int(event.amount0), int(event.amount1)
    token, quote = (amount0, amount1) if view.token_is_0 else (amount1, amount0)
    if abs(token) > UINT256_MAX or abs(quote) > UINT256_MAX:
        return Refusal("bad_field", "Expected amounts below 2^256, was more")
    if token < 0 < quote:
        return Trade("buy", -token, quote)
    if quote < 0 < token:
        return Trade("sell", token, -quote)
    return Refusal("one_sided", f"{event.amount0} and {event.amount1}: no token for another")


def _by(answer: Answer, amount: int, places: int, token_amount: int, token_places: int) -> Worth:
    """Book an amount of one side at a price, and say what that makes for one token."""
    worth = amount * answer.price
    usd = divided(worth, POWERS[places + PRICE_PLACES - USD_PLACES])
    price = divided(
        worth * POWERS[token_places], token_amount * POWERS[places + PRICE_PLACES - CANDLE_PLACES]
    )
    return Worth(usd, price, answer.source)


def _write(
    event: PoolSwap, view: PoolView, trade: Trade, amount: int, worth: Worth, flags: list[str]
) -> bytes:
    return write_swap(
        ChainSwap(
            SCHEMA_VERSION, event.chain_id, event.tx_hash, event.log_index, event.block_number,
            event.block_hash, event.inclusion, event.removed, view.token, event.pool, event.venue,
            trade.side, plain_text(amount, TOKEN_PLACES),
            None if worth.usd is None else plain_text(worth.usd, USD_PLACES), event.event_time,
            worth.source, view.token_symbol, event.trader, flags,
        )
    )  # fmt: skip
