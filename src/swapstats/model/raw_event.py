"""Raw events: what collectors write, before a price and a token key are known.

One JSON object an event, UTF-8, told apart by `kind`. Collectors say what a chain or an exchange
said and nothing else; which token it is about, what it is worth in USD and whether it is refused is
decided by the preprocessor (`core/preprocess`), from the raw log alone and in its order, so that a
replay of the log decides the same.

Integers beyond 64 bits are decimal text. Addresses, hashes and ids of pools are lower case with
`0x`. Times are ms since epoch.
"""

from typing import Final

import msgspec

RAW_VERSION: Final = 1
RAW_BYTES_MAX: Final = 1 << 16


class PoolSwap(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="pool_swap"
):
    """One swap in one pool of a chain, as its log says; one hop of a multi-hop trade.

    Amounts are the pool's view, whatever the protocol's own sign: > 0 came into the pool, < 0 left
    it. They are net where a protocol reports both directions.

    A removal repeats every field of the inclusion it takes back, but for `removed`.

    Attributes:
        version: RAW_VERSION.
        chain_id: EIP-155 id.
        block_number: height.
        block_hash: hash of the block that holds it in this inclusion.
        tx_hash: hash of its transaction.
        log_index: index of its log within the block.
        inclusion: 0 for the first time this event came onto the canonical chain, higher each time
            it came back.
        removed: True if this inclusion left the canonical chain.
        event_time: the block's time, ms.
        venue: protocol, such as `uniswap_v2`, `uniswap_v3`, `uniswap_v4`; forks go by the events'.
        pool: address of the pool, or the pool's id where one contract holds all pools.
        token0: address of the pool's first token.
        token1: address of the second.
        amount0: signed integer in the token's smallest unit, pool's view.
        amount1: the same of the second token.
        decimals0: places of token0; None if its contract does not say or says something absurd.
        decimals1: places of token1.
        symbol0: symbol of token0; None if its contract does not say.
        symbol1: symbol of token1.
        trader: sender of the swap as the log says; None if it does not.
        depth0: what the pool holds of token0 around its price after the swap: its reserve (V2), or
            the virtual reserve of the liquidity in range (V3, V4: L * 2^96 / sqrtPriceX96),
            rounded down; None if not known. Price of token0 in token1 = depth1 / depth0.
        depth1: the same of token1 (V3, V4: L * sqrtPriceX96 / 2^96).
    """

    version: int = RAW_VERSION
    chain_id: int
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int
    inclusion: int = 0
    removed: bool = False
    event_time: int
    venue: str
    pool: str
    token0: str
    token1: str
    amount0: str
    amount1: str
    decimals0: int | None = None
    decimals1: int | None = None
    symbol0: str | None = None
    symbol1: str | None = None
    trader: str | None = None
    depth0: str | None = None
    depth1: str | None = None


class ExchangeTrade(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="exchange_trade"
):
    """One public trade of an exchange.

    Attributes:
        version: RAW_VERSION.
        venue: exchange and market kind, such as `binance` (spot), `binance-usdm`, `coinbase`.
        market: symbol as the exchange writes it.
        trade_id: the exchange's id within the market.
        base: asset traded, by the venue's market list, multiplier taken off (`PEPE`).
        quote: asset it is paid in.
        multiplier: base units that one unit of `quantity` stands for (1000 for `1000PEPEUSDT`).
        price: quote units for one unit of `quantity`, plain decimal text.
        quantity: units of the market, plain decimal text.
        side: `buy` or `sell`, the taker's.
        event_time: time of the trade, ms, the exchange's clock.
    """

    version: int = RAW_VERSION
    venue: str
    market: str
    trade_id: str
    base: str
    quote: str
    multiplier: int = 1
    price: str
    quantity: str
    side: str
    event_time: int


RawEvent = PoolSwap | ExchangeTrade
