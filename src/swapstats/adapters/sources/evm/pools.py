"""What pools and tokens say of themselves: asked once, noted for good.

A pool's tokens never change, nor (with honest contracts) a token's places and symbol. What a
contract said first is kept in notes and used ever after, so that a swap that is read again says the
same as before. A V2 or V3 pool is asked; with `factories`, one of them has to confirm it, since
anybody can write a contract that calls itself a pool. A V4 pool is known by the log that created
it, which only its manager can have written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.rpc_errors import RpcRefused, RpcTimeout
from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.chain import BlockRef
from swapstats.core.evm.logs import CreatedPool, DecodedSwap, PoolTokens
from swapstats.core.evm.pool_selection import ADDRESS_CHARS, PoolSelection
from swapstats.core.evm.range_size import RangeSize
from swapstats.core.evm.token_metadata import (
    DECIMALS_CALL,
    FACTORY_CALL,
    SYMBOL_CALL,
    TOKEN0_CALL,
    TOKEN1_CALL,
    TokenMetadata,
    address_result,
    pool_tokens,
    token_metadata,
)
from swapstats.core.evm.words import NATIVE
from swapstats.errors import Rejected

POOL_PREFIX: Final = "pool/"
METADATA_PREFIX: Final = "token/"
FACTORIES_NOTE: Final = "factories"
"""Key of the note that names the factories by which V2 and V3 pools were judged."""
KNOWN_MAX: Final = 100_000
ASKED_MAX: Final = 25
PAIR_CALL: Final = "0xe6a43905"
POOL_CALL: Final = "0x1698ee82"
FEE_CALL: Final = "0xddca3f43"
"""Calldata begins: getPair(address,address), getPool(address,address,uint24); fee()."""

_PoolPair = tuple[str, str]


class PoolBook:
    """Pools and tokens that are known.

    Args:
        selection: which pools count.
        native_symbol: symbol of the chain's own coin.
        known_max: pools, and tokens, that are remembered; beyond it the oldest are asked again.
    """

    def __init__(
        self,
        selection: PoolSelection,
        native_symbol: str | None = None,
        known_max: int = KNOWN_MAX,
    ) -> None:
        self._selection = selection
        self._native_symbol = native_symbol
        self._known_max = known_max
        self._pools: dict[str, _PoolPair | None] = {}
        self._tokens: dict[str, TokenMetadata] = {}
        self._news: dict[str, str | None] = {}
        self._searched_to: dict[str, int] = {}

    def restore(self, notes: Mapping[str, str]) -> None:
        """Read the notes back; pools that other factories were asked about are asked again.

        Raises:
            Rejected: a note is none of ours.
        """
        judges = " ".join(sorted(self._selection.factories))
        is_judged_anew = notes.get(FACTORIES_NOTE, "") != judges
        if is_judged_anew:
            self._news[FACTORIES_NOTE] = judges
        try:
            for key, text in notes.items():
                if key.startswith(POOL_PREFIX):
                    pair = msgspec.json.decode(text, type=_PoolPair | None)
                    pool = key.removeprefix(POOL_PREFIX)
                    if is_judged_anew and len(pool) == ADDRESS_CHARS:
                        self._news[key] = None
                    else:
                        self._pools[pool] = pair
                elif key.startswith(METADATA_PREFIX):
                    decimals, symbol = msgspec.json.decode(text, type=tuple[int | None, str | None])
                    self._tokens[key.removeprefix(METADATA_PREFIX)] = TokenMetadata(
                        decimals, symbol
                    )
        except msgspec.MsgspecError as error:
            raise Rejected(
                f"Expected notes of pools and tokens of an EVM collector, was another ({error}): "
                f"restore the source's position and notes from a copy, or start with an empty data "
                f"directory"
            ) from error

    def take_news(self) -> dict[str, str | None]:
        """Notes since the last call; they have to be written before what was made with them."""
        news, self._news = self._news, {}
        return news

    def learn(self, created: Iterable[CreatedPool]) -> None:
        """Learn V4 pools from the logs that created them."""
        for pool in created:
            if pool.venue == uniswap_v4.VENUE and self._selection.holds(pool.pool):
                self._put_pool(pool.pool, (pool.token0, pool.token1))

    async def tokens_of(
        self, node: ChainNode, swaps: Sequence[DecodedSwap], at_block: BlockRef
    ) -> dict[str, PoolTokens]:
        """Tell the tokens of the pools of some swaps; pools that do not count are left out.

        Args:
            node: whom to ask.
            swaps: of `at_block` and blocks before it.
            at_block: contracts are asked as of this block.

        Raises:
            RpcError: there is no answer; ask again.
        """
        wanted = {swap.pool: swap.venue for swap in swaps if self._selection.holds(swap.pool)}
        unknown = [pool for pool in wanted if pool not in self._pools]
        by_id = [pool for pool in unknown if wanted[pool] == uniswap_v4.VENUE]
        by_address = {pool: wanted[pool] for pool in unknown if wanted[pool] != uniswap_v4.VENUE}
        if by_id:
            await self._find_creations(node, by_id, at_block.number)
        for some in _chunks(list(by_address)):
            venues = {pool: by_address[pool] for pool in some}
            await self._ask_pools(node, venues, at_block.hash)
        pairs = {pool: self._pools[pool] for pool in wanted}
        await self._ask_tokens(node, pairs.values(), at_block.hash)
        found = {
            pool: pool_tokens(*pair, self._tokens, self._native_symbol)
            for pool, pair in pairs.items()
            if pair is not None
        }
        self._forget_oldest()
        return found

    async def _ask_pools(self, node: ChainNode, venues: Mapping[str, str], block_hash: str) -> None:
        """Ask V2 and V3 pools for their tokens, and factories whether they are theirs."""
        questions = [TOKEN0_CALL, TOKEN1_CALL]
        if self._selection.factories:
            questions += [FACTORY_CALL, FEE_CALL]
        calls = [(pool, question) for pool in venues for question in questions]
        said = await node.contract_calls(calls, block_hash)
        count = len(questions)
        pairs: dict[str, _PoolPair | None] = {}
        checks: dict[str, tuple[str, str]] = {}
        for index, (pool, venue) in enumerate(venues.items()):
            answers = said[index * count : (index + 1) * count]
            token0, token1 = address_result(answers[0]), address_result(answers[1])
            pairs[pool] = None if token0 is None or token1 is None else (token0, token1)
            if self._selection.factories:
                check = _factory_check(venue, answers, self._selection)
                if check is None:
                    pairs[pool] = None
                else:
                    checks[pool] = check
        confirmed = await node.contract_calls(list(checks.values()), block_hash)
        for pool, answer in zip(checks, confirmed, strict=True):
            if address_result(answer) != pool:
                pairs[pool] = None
        for pool, pair in pairs.items():
            self._put_pool(pool, pair)

    async def _ask_tokens(
        self, node: ChainNode, pairs: Iterable[_PoolPair | None], block_hash: str
    ) -> None:
        tokens = {token: None for pair in pairs for token in pair or ()}
        unknown = [token for token in tokens if token not in self._tokens and token != NATIVE]
        for some in _chunks(unknown):
            calls = [(token, data) for token in some for data in (DECIMALS_CALL, SYMBOL_CALL)]
            said = await node.contract_calls(calls, block_hash)
            for index, token in enumerate(some):
                self._put_token(token, token_metadata(said[2 * index], said[2 * index + 1]))

    async def _find_creations(self, node: ChainNode, pools: list[str], last: int) -> None:
        """Search backwards for the logs that created V4 pools; one search for all of them.

        It may take thousands of questions: after a failure it goes on where it was.
        """
        managers = sorted(self._selection.managers)
        topic0 = uniswap_v4.pool_event(managers).topic0
        last = max(self._searched_to.get(pool, last) for pool in pools)
        size = RangeSize(last + 1, last + 1)
        missing = dict.fromkeys(pools)
        while missing and last >= 0:
            first = max(0, last - size.blocks + 1)
            try:
                logs = await node.creations(managers, topic0, list(missing), first, last)
            except (RpcRefused, RpcTimeout):
                if not size.refused(last - first + 1):
                    raise
                continue
            size.answered(logs.logs)
            for created in logs.created:
                if created.pool in missing:
                    del missing[created.pool]
                    self._put_pool(created.pool, (created.token0, created.token1))
            last = first - 1
            self._searched_to = dict.fromkeys(missing, last)
        self._searched_to = {}
        for pool in missing:
            self._put_pool(pool, None)

    def _put_pool(self, pool: str, pair: _PoolPair | None) -> None:
        if pool in self._pools and self._pools[pool] == pair:
            return
        self._pools[pool] = pair
        self._news[f"{POOL_PREFIX}{pool}"] = msgspec.json.encode(pair).decode()

    def _put_token(self, token: str, said: TokenMetadata) -> None:
        self._tokens[token] = said
        text = msgspec.json.encode((said.decimals, said.symbol)).decode()
        self._news[f"{METADATA_PREFIX}{token}"] = text

    def _forget_oldest(self) -> None:
        while len(self._pools) > self._known_max:
            pool = next(iter(self._pools))
            del self._pools[pool]
            self._news[f"{POOL_PREFIX}{pool}"] = None
        while len(self._tokens) > self._known_max:
            token = next(iter(self._tokens))
            del self._tokens[token]
            self._news[f"{METADATA_PREFIX}{token}"] = None


def _chunks(names: list[str]) -> Iterable[list[str]]:
    """Few at a time, so that a failure loses few answers."""
    return (names[begin : begin + ASKED_MAX] for begin in range(0, len(names), ASKED_MAX))


def _factory_check(
    venue: str, answers: Sequence[str | None], selection: PoolSelection
) -> tuple[str, str] | None:
    """What to ask the factory that a pool claims to be of; None if it cannot be one that counts."""
    token0, token1, factory = (address_result(answer) for answer in answers[:3])
    if token0 is None or token1 is None or factory not in selection.factories:
        return None
    tokens = _word(token0) + _word(token1)
    if venue == uniswap_v2.VENUE:
        return factory, PAIR_CALL + tokens
    fee = answers[3]
    if venue != uniswap_v3.VENUE or fee is None or len(fee) != len("0x") + 64:
        return None
    return factory, POOL_CALL + tokens + fee.removeprefix("0x")


def _word(address: str) -> str:
    return address.removeprefix("0x").rjust(64, "0")
