"""What a token of a chain was worth as of a block: asked once a block, then frozen.

Nothing but blocks below it decides, and rates of exchanges from seconds before its own. So a block
prices the same wherever reorgs led before it.
"""

from typing import Final

from swapstats.core.preprocess.amounts import POWERS, PRICE_PLACES, USD_PLACES
from swapstats.core.preprocess.blocks import Answer, Block
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.peg import told_rate, voted_rate
from swapstats.core.preprocess.pool_book import Pool, PoolBook
from swapstats.core.preprocess.pool_view import NATIVE, REST, STABLE, TokenRanks
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import ChainTokens

HOPS_MAX: Final = 2
"""Pools between a token and a dollar."""


class ChainPrices:
    """Prices of the tokens of one chain.

    Args:
        rules: floors and bounds.
        tokens: the chain's lists.
        ranks: the same, to look up.
        book: what its pools held.
        rates: of exchanges in the same log.
    """

    def __init__(
        self,
        rules: PriceRules,
        tokens: ChainTokens,
        ranks: TokenRanks,
        book: PoolBook,
        rates: ExchangeRates,
    ) -> None:
        self._floor = rules.liquidity_floor_micros
        self._depeg_bps = rules.depeg_bps
        self._age_max_ms = rules.observation_ms
        self._exchange_assets = tokens.exchange_assets
        self._ranks = ranks
        self._book = book
        self._rates = rates

    def price(self, asset: str, block: Block, hops: int = HOPS_MAX) -> Answer | None:
        """Price one whole token as of a block; None: nothing trustworthy is known.

        Args:
            asset: the token, as named by `TokenRanks.asset`.
            block: the block it is asked in.
            hops: how many pools may lie between it and a dollar.
        """
        name = asset if hops == HOPS_MAX else f"{asset}/{hops}"
        if name in block.answers:
            return block.answers[name]
        group = self._ranks.group(asset)
        if group == STABLE:
            found = self._stable(asset, block)
        elif group == NATIVE:
            found = self._median(asset, block) or self._exchange(asset, block)
        else:
            found = self._deepest(asset, block, hops)
            if found is None and group != REST:
                found = self._exchange(asset, block)
        block.answers[name] = found
        return found

    def _stable(self, asset: str, block: Block) -> Answer | None:
        """A dollar where it holds, else the market rate; None if nobody knows which one slipped.

        A market in dollars proper decides alone. Else deep pools with other stables vote, the
        deepest of each pair.
        """
        exchange_asset = self._exchange_assets.get(asset)
        if exchange_asset is not None:
            rate = self._rates.fiat_rate(exchange_asset, block.event_ms // 1_000)
            if rate is not None:
                return Answer(told_rate(rate, self._depeg_bps), 0, "stable")
        votes: dict[str, tuple[int, str, int]] = {}
        for pool in self._book.pricing(asset):
            side = pool.assets.index(asset)
            other = pool.assets[1 - side]
            if self._ranks.group(other) != STABLE:
                continue
            found = self._through(pool, side, POWERS[PRICE_PLACES], block)
            if found is not None:
                price, depth = found
                votes[other] = max(votes.get(other, (0, "", 0)), (depth, pool.name, price))
        rate = voted_rate([price for _, _, price in votes.values()], self._depeg_bps)
        return None if rate is None else Answer(rate, 0, "stable")

    def _median(self, asset: str, block: Block) -> Answer | None:
        """The median of all deep pools with stables; the lower of two middle ones."""
        prices = []
        for pool in self._book.pricing(asset):
            side = pool.assets.index(asset)
            other = pool.assets[1 - side]
            if self._ranks.group(other) != STABLE:
                continue
            stable = self.price(other, block)
            found = stable and self._through(pool, side, stable.price, block)
            if found:
                prices.append(found[0])
        if not prices:
            return None
        return Answer(sorted(prices)[(len(prices) - 1) // 2], 0, "native")

    def _deepest(self, asset: str, block: Block, hops: int) -> Answer | None:
        """By the pool that holds most of a token whose price is known with a hop less."""
        best = (0, "", 0)
        for pool in self._book.pricing(asset):
            side = pool.assets.index(asset)
            other = pool.assets[1 - side]
            if self._ranks.group(other) == STABLE:
                known = self.price(other, block)
            elif hops == 1:
                continue
            elif self._ranks.group(other) == NATIVE:
                known = self.price(other, block)
            else:
                known = self.price(other, block, hops - 1)
            found = known and self._through(pool, side, known.price, block)
            if found:
                price, depth = found
                best = max(best, (depth, pool.name, price))
        return Answer(best[2], best[0], "pool") if best[0] else None

    def _through(
        self, pool: Pool, side: int, other_price: int, block: Block
    ) -> tuple[int, int] | None:
        """Price a pool's token by what it holds, and say how deep it is; None if it is too thin.

        Args:
            pool: the pool.
            side: which of its tokens to price.
            other_price: price of the other one.
            block: as of which.

        Returns:
            Its price, rounded down, and the worth of the other token it holds in micro-dollars.
        """
        held = pool.before(block.number, block.event_ms - self._age_max_ms)
        if held is None:
            return None
        depths = int(held.depth0), int(held.depth1)
        own, other = depths[side], depths[1 - side]
        other_places = pool.places[1 - side]
        if not own or not other:
            return None
        worth = other * other_price
        depth = worth // POWERS[other_places + PRICE_PLACES - USD_PLACES]
        if depth < self._floor:
            return None
        price = worth * POWERS[pool.places[side]] // (own * POWERS[other_places])
        return (price, depth) if price else None

    def _exchange(self, asset: str, block: Block) -> Answer | None:
        exchange_asset = self._exchange_assets.get(asset)
        if exchange_asset is None:
            return None
        rate = self._rates.rate(exchange_asset, block.event_ms // 1_000, "")
        return Answer(rate, 0, "exchange") if rate else None
