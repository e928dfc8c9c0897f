"""Which of a pool's tokens a swap is about, and which one it is paid in.

The better known token is the quote: stables before the chain's own coin before other listed tokens
before all others, and within a list the earlier one. Where neither is listed, token0 is the
token: the pick must not depend on anything that changes.
"""

from dataclasses import dataclass
from typing import Final

from swapstats.core.preprocess.amounts import DECIMALS_MAX
from swapstats.core.preprocess.raw_decode import bad_field, is_address, is_hash, is_name
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import ChainTokens
from swapstats.model.raw_event import PoolSwap

STABLE, NATIVE, OTHER, REST = range(4)
VIEWS_MAX: Final = 50_000
"""Views are found again at no cost but time: beyond it all are forgotten."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """What is the same for all swaps of one pool.

    Attributes:
        token: address of the token.
        token_key: `<chain_id>:<address>`.
        token_symbol: its symbol, if its contract says.
        token_places: its decimals.
        token_is_0: whether it is the pool's first.
        quote: address of the other one.
        quote_places: its decimals.
        token_asset: name under which the token is priced.
        quote_asset: the same of the quote.
        quote_class: STABLE, NATIVE, OTHER or REST.
        assets: both tokens as they are priced, in the pool's order.
        places: decimals of both.
        is_observed: whether what the pool holds can price anything.
        is_denied: whether the pool or one of its tokens is on the deny list.
    """

    token: str
    token_key: str
    token_symbol: str | None
    token_places: int
    token_is_0: bool
    quote: str
    quote_places: int
    token_asset: str
    quote_asset: str
    quote_class: int
    assets: tuple[str, str]
    places: tuple[int, int]
    is_observed: bool
    is_denied: bool


class TokenRanks:
    """How well tokens of one chain are known.

    Args:
        tokens: the lists.
    """

    def __init__(self, tokens: ChainTokens) -> None:
        self._ranks: dict[str, tuple[int, int]] = {}
        for group, listed in (
            (STABLE, tokens.stables), (NATIVE, tokens.natives), (OTHER, tokens.others),
        ):  # fmt: skip
            for index, address in enumerate(listed):
                self._ranks[address] = (group, index)
        self._coin = tokens.natives[0] if tokens.natives else ""

    def rank(self, address: str) -> tuple[int, int]:
        """Group and place within it: the lower, the better known."""
        return self._ranks.get(address, (REST, 0))

    def group(self, address: str) -> int:
        """STABLE, NATIVE, OTHER or REST."""
        return self._ranks.get(address, (REST, 0))[0]

    def asset(self, address: str) -> str:
        """Name under which a token is priced: one for all names of the chain's coin."""
        return self._coin if self.group(address) == NATIVE else address


class PoolViews:
    """Views of the pools of one chain, each made once.

    Args:
        rules: for the deny list, and whose pools price nothing.
        chain_id: the chain.
        ranks: its tokens.
    """

    def __init__(self, rules: PriceRules, chain_id: int, ranks: TokenRanks) -> None:
        self._deny = rules.deny
        self._unbacked = rules.unbacked_venues
        self._chain_id = chain_id
        self._ranks = ranks
        self._views: dict[tuple[object, ...], PoolView | Refusal] = {}

    def view(self, event: PoolSwap) -> PoolView | Refusal:
        """Look at the pool of a swap."""
        key = (
            event.pool, event.token0, event.token1, event.decimals0, event.decimals1,
            event.symbol0, event.symbol1, event.venue,
        )  # fmt: skip
        found = self._views.get(key)
        if found is None:
            if len(self._views) >= VIEWS_MAX:
                self._views.clear()
            found = self._views[key] = _check_pool(event) or self._look(event)
        return found

    def _look(self, event: PoolSwap) -> PoolView:
        rank0, rank1 = self._ranks.rank(event.token0), self._ranks.rank(event.token1)
        is_0 = rank0 >= rank1
        tokens = event.token0, event.token1
        symbols = event.symbol0, event.symbol1
        token, quote = (0, 1) if is_0 else (1, 0)
        assert event.decimals0 is not None
        assert event.decimals1 is not None
        places = event.decimals0, event.decimals1
        assets = self._ranks.asset(event.token0), self._ranks.asset(event.token1)
        keys = {f"{self._chain_id}:{each}" for each in (event.pool, *tokens)}
        quote_class = self._ranks.group(tokens[quote])
        return PoolView(
            token=tokens[token],
            token_key=f"{self._chain_id}:{tokens[token]}",
            token_symbol=symbols[token],
            token_places=places[token],
            token_is_0=is_0,
            quote=tokens[quote],
            quote_places=places[quote],
            token_asset=assets[token],
            quote_asset=assets[quote],
            quote_class=quote_class,
            assets=assets,
            places=places,
            is_observed=quote_class != REST
            and assets[0] != assets[1]
            and event.venue not in self._unbacked,
            is_denied=not self._deny.isdisjoint(keys),
        )


def _check_pool(event: PoolSwap) -> Refusal | None:
    for name in ("token0", "token1"):
        if not is_address(getattr(event, name)):
            return bad_field(name, "0x and 40 lower-case hex digits", getattr(event, name))
    if event.token0 == event.token1:
        return bad_field("token1", "another token than token0", event.token1)
    if not is_hash(event.pool):
        return bad_field("pool", "0x and at most 64 lower-case hex digits", event.pool)
    if not is_name(event.venue):
        return bad_field("venue", "1 to 64 characters without blank or colon", event.venue)
    for name, places in (("decimals0", event.decimals0), ("decimals1", event.decimals1)):
        if places is None or not 0 <= places <= DECIMALS_MAX:
            return Refusal(
                "decimals_unknown", f"Expected {name} from 0 to {DECIMALS_MAX}, was {places}"
            )
    return None
