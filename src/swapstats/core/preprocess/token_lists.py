"""Tokens that prices are told in, by chain: the default lists.

Addresses are of the issuers' own contracts (bridged ones where the name says so), lower case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

NO_ASSETS: Final[Mapping[str, str]] = MappingProxyType({})
ZERO_ADDRESS: Final = "0x" + "0" * 40
"""What pools without wrapping (Uniswap V4) write for the chain's own coin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTokens:
    """Quote tokens of one chain. In each list the better quote comes first.

    Attributes:
        stables: tokens that promise to be worth a dollar.
        natives: the wrapped coin of the chain, then other names of the same coin.
        others: other tokens that may be a quote.
        exchange_assets: token to the exchange asset of the same worth: its rate stands in where no
            pool gives a price, and says whether a stable is one.
    """

    stables: tuple[str, ...] = ()
    natives: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    exchange_assets: Mapping[str, str] = field(default_factory=lambda: NO_ASSETS)


def _tokens(
    stables: dict[str, str], native: tuple[str, str], others: dict[str, str]
) -> ChainTokens:
    """Build lists of symbols to addresses; the symbols name the exchange assets."""
    assets = {address: _ASSETS.get(symbol, symbol) for symbol, address in stables.items()}
    assets |= {address: _ASSETS.get(symbol, symbol) for symbol, address in others.items()}
    assets |= {native[1]: native[0], ZERO_ADDRESS: native[0]}
    return ChainTokens(
        stables=tuple(stables.values()),
        natives=(native[1], ZERO_ADDRESS),
        others=tuple(others.values()),
        exchange_assets=MappingProxyType(assets),
    )


_ASSETS: Final = {"USDC.e": "USDC", "WBTC": "BTC", "BTCB": "BTC", "WETH": "ETH"}

DEFAULT_CHAINS: Final[Mapping[int, ChainTokens]] = MappingProxyType(
    {
        1: _tokens(  # Ethereum
            {
                "USDC": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
                "USDT": "0xdac17f958d2ee523a2206206994597c13d831ec7",
                "DAI": "0x6b175474e89094c44da98b954eedeac495271d0f",
            },
            ("ETH", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
            {"WBTC": "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"},
        ),
        10: _tokens(  # Optimism
            {
                "USDC": "0x0b2c639c533813f4aa9d7837caf62653d097ff85",
                "USDT": "0x94b008aa00579c1307b0ef2c499ad98a8ce58e58",
                "USDC.e": "0x7f5c764cbc14f9669b88837ca1490cca17c31607",
                "DAI": "0xda10009cbd5d07dd0cecc66161fc93d7c9000da1",
            },
            ("ETH", "0x4200000000000000000000000000000000000006"),
            {"WBTC": "0x68f180fcce6836688e9084f035309e29bf0a2095"},
        ),
        56: _tokens(  # BNB Smart Chain
            {
                "USDT": "0x55d398326f99059ff775485246999027b3197955",
                "USDC": "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d",
                "BUSD": "0xe9e7cea3dedca5984780bafc599bd69add087d56",
                "DAI": "0x1af3f329e8be154074d8769d1ffa4ee058b1dbc3",
            },
            ("BNB", "0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c"),
            {
                "BTCB": "0x7130d2a12b9bcbfae4f2634d864a1ee1ce3ead9c",
                "WETH": "0x2170ed0880ac9a755fd29b2688956bd959f933f8",
            },
        ),
        137: _tokens(  # Polygon
            {
                "USDC": "0x3c499c542cef5e3811e1192ce70d8cc03d5c3359",
                "USDC.e": "0x2791bca1f2de4661ed88a30c99a7a9449aa84174",
                "USDT": "0xc2132d05d31c914a87c6611c10748aeb04b58e8f",
                "DAI": "0x8f3cf7ad23cd3cadbd9735aff958023239c6a063",
            },
            ("POL", "0x0d500b1d8e8ef31e21c99d1db9a6444d3adf1270"),
            {
                "WETH": "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619",
                "WBTC": "0x1bfd67037b42cf73acf2047067bd4f2c47d9bfd6",
            },
        ),
        8453: _tokens(  # Base
            {
                "USDC": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
                "DAI": "0x50c5725949a6f0c72e6c4a641f24049a917db0cb",
            },
            ("ETH", "0x4200000000000000000000000000000000000006"),
            {},
        ),
        42161: _tokens(  # Arbitrum One
            {
                "USDC": "0xaf88d065e77c8cc2239327c5edb3a432268e5831",
                "USDT": "0xfd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9",
                "USDC.e": "0xff970a61a04b1ca14834a43f5de4533ebddb5cc8",
                "DAI": "0xda10009cbd5d07dd0cecc66161fc93d7c9000da1",
            },
            ("ETH", "0x82af49447d8a07e3bd95bd0d56f35241523fbab1"),
            {"WBTC": "0x2f2a2543b76a4166549f7aab2e75bef0aefc5b0f"},
        ),
    }
)
"""Main chains by EIP-155 id."""
