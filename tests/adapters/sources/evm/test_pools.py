"""What pools and tokens say: asked once, noted, bounded, and confirmed by a factory."""

import contextlib
from typing import Any

import pytest
from tests.adapters.sources.evm.asking import EVERYTHING, asked
from tests.adapters.sources.evm.fake_chain import (
    POOLS,
    TOKENS,
    TRADER,
    FakeChain,
    FakeNode,
    _word,
)

from swapstats.adapters.sources.evm.pools import FEE_CALL, PAIR_CALL, POOL_CALL, PoolBook
from swapstats.adapters.sources.evm.rpc_errors import RpcError, RpcUnreachable
from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.chain import BlockRef
from swapstats.core.evm.logs import CreatedPool, DecodedSwap, PoolTokens
from swapstats.core.evm.pool_selection import PoolSelection
from swapstats.core.evm.token_metadata import FACTORY_CALL, SYMBOL_CALL
from swapstats.core.evm.words import NATIVE
from swapstats.errors import Rejected

FACTORY, STRANGER, MANAGER = ("0x" + digit * 40 for digit in "789")
POOL_ID, OTHER_ID = ("0x" + digit * 64 for digit in "45")


def fake_chain() -> FakeNode:
    return FakeNode(FakeChain(1, 9))


def swap(pool: str, venue: str = uniswap_v3.VENUE) -> DecodedSwap:
    return DecodedSwap(venue, pool, 1, -1, None, None, None, 5, "0xb", "0xt", 0)


def at(fake: FakeNode) -> BlockRef:
    return BlockRef(fake.chain.head.number, fake.chain.head.hash)


def calls_of(fake: FakeNode) -> list[str]:
    return [params[0]["data"] for method, params in fake.calls if method == "eth_call"]


async def test_pools_and_tokens_are_asked_once_and_noted() -> None:
    fake, book = fake_chain(), PoolBook(EVERYTHING)
    swaps = [swap(POOLS[0]), swap(POOLS[1]), swap(POOLS[0])]
    found = await book.tokens_of(asked(fake), swaps, at(fake))
    first = found[POOLS[0]]
    assert (first.token0, first.token1) == (TOKENS[0], TOKENS[1])
    assert (first.decimals0, first.decimals1) == (6, 7)
    assert (first.symbol0, first.symbol1) == ("TOK0", "TOK1")
    assert len(calls_of(fake)) == 2 * 2 + 3 * 2
    news = book.take_news()
    assert news[f"token/{TOKENS[0]}"] == '[6,"TOK0"]'
    assert set(news) == {f"pool/{pool}" for pool in POOLS[:2]} | {
        f"token/{token}" for token in TOKENS[:3]
    }
    assert book.take_news() == {}
    assert await book.tokens_of(asked(fake), swaps, at(fake)) == found

    restored, silent = PoolBook(EVERYTHING), fake_chain()
    restored.restore({key: str(text) for key, text in news.items()} | {"block/1": "other"})
    assert await restored.tokens_of(asked(silent), swaps, at(fake)) == found
    assert silent.calls == []


async def test_what_was_said_first_stands() -> None:
    class Fickle(FakeNode):
        def eth_call(self, call: dict[str, str], at_block: Any) -> str:
            if call["data"] == SYMBOL_CALL:
                raise LookupError("execution reverted")
            return super().eth_call(call, at_block)

    fake, book = Fickle(FakeChain(1, 9)), PoolBook(EVERYTHING)
    found = await book.tokens_of(asked(fake), [swap(POOLS[0])], at(fake))
    assert found[POOLS[0]].symbol0 is None
    again = await book.tokens_of(asked(fake_chain()), [swap(POOLS[0])], at(fake))
    assert again == found


async def test_what_is_no_pool_is_left_out_for_good() -> None:
    fake, book = fake_chain(), PoolBook(EVERYTHING)

    class Empty(FakeNode):
        def eth_call(self, call: dict[str, str], at_block: Any) -> str:
            return "0x"

    assert await book.tokens_of(asked(Empty(fake.chain)), [swap(POOLS[0])], at(fake)) == {}
    assert book.take_news() == {f"pool/{POOLS[0]}": "null"}
    assert await book.tokens_of(asked(fake), [swap(POOLS[0])], at(fake)) == {}
    assert fake.calls == []


async def test_a_failure_keeps_what_was_answered_before() -> None:
    class Tired(FakeNode):
        left = 60

        def eth_call(self, call: dict[str, str], at_block: Any) -> str:
            self.left -= 1
            if self.left < 0:
                raise LookupError("tired")
            return _word(int(call["to"], 16))

    fake, book = Tired(FakeChain(1, 9)), PoolBook(EVERYTHING)
    pools = [f"0x{number:040x}" for number in range(1, 50)]
    with pytest.raises(RpcError):
        await book.tokens_of(asked(fake), [swap(pool) for pool in pools], at(fake))
    assert len(book.take_news()) == 25


async def test_no_more_are_remembered_than_may_be() -> None:
    fake, book = fake_chain(), PoolBook(EVERYTHING, known_max=2)
    await book.tokens_of(asked(fake), [swap(pool) for pool in POOLS], at(fake))
    news = book.take_news()
    assert [key for key, text in news.items() if text is None] == [
        f"pool/{POOLS[0]}",
        f"token/{TOKENS[0]}",
        f"token/{TOKENS[1]}",
    ]


class Factories(FakeNode):
    """Pools that name their factory, and a factory that knows the first two only."""

    def eth_call(self, call: dict[str, str], at_block: Any) -> str:
        data, to = call["data"], call["to"]
        if data == FACTORY_CALL:
            return _word(int(STRANGER if to == POOLS[2] else FACTORY, 16))
        if data == FEE_CALL:
            return _word(500)
        if data.startswith((PAIR_CALL, POOL_CALL)):
            assert to == FACTORY
            fee = data[10 + 128 :]
            assert fee in ("", _word(500)[2:])
            known = {TOKENS[0]: POOLS[0]}.get("0x" + data[10 + 24 : 10 + 64], NATIVE)
            return _word(int(known, 16))
        return super().eth_call(call, at_block)


@pytest.mark.parametrize("venue", [uniswap_v2.VENUE, uniswap_v3.VENUE])
async def test_a_pool_counts_only_if_a_factory_knows_it(venue: str) -> None:
    """The second claims to be of the factory and is not, the third is of another."""
    fake = Factories(FakeChain(1, 9))
    book = PoolBook(PoolSelection((), (FACTORY,), ()))
    found = await book.tokens_of(asked(fake), [swap(pool, venue) for pool in POOLS], at(fake))
    assert set(found) == {POOLS[0]}


async def test_other_factories_judge_anew_what_was_noted() -> None:
    """A pool that was believed without factories, and one that was refused by another."""
    fake, believing = Factories(FakeChain(1, 9)), PoolBook(EVERYTHING)
    swaps = [swap(pool) for pool in POOLS]
    assert set(await believing.tokens_of(asked(fake), swaps, at(fake))) == set(POOLS)
    notes = {key: str(text) for key, text in believing.take_news().items()}

    strict = PoolBook(PoolSelection((), (STRANGER,), ()))
    strict.restore(notes)
    assert await strict.tokens_of(asked(fake), swaps[:2], at(fake)) == {}
    notes |= {key: text for key, text in strict.take_news().items() if text is not None}
    again = PoolBook(PoolSelection((), (FACTORY,), ()))
    again.restore(notes)
    assert set(await again.tokens_of(asked(fake), swaps, at(fake))) == {POOLS[0]}

    notes |= {key: text for key, text in again.take_news().items() if text is not None}
    known, silent = PoolBook(PoolSelection((), (FACTORY,), ())), fake_chain()
    known.restore(notes)
    assert set(await known.tokens_of(asked(silent), swaps, at(fake))) == {POOLS[0]}
    assert silent.calls == []


async def test_pools_that_were_not_named_are_not_asked() -> None:
    fake = fake_chain()
    book = PoolBook(PoolSelection((POOLS[1],), (), ()))
    found = await book.tokens_of(asked(fake), [swap(pool) for pool in POOLS], at(fake))
    assert set(found) == {POOLS[1]}


class Managed(FakeNode):
    """A V4 manager that created a pool of the chain's own coin in block 3."""

    def eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first >= self.range_max:
            raise LookupError("range too large")
        topic0, ids = query["topics"]
        event = uniswap_v4.pool_event((MANAGER,))
        assert (query["address"], topic0) == ([MANAGER], event.topic0)
        if not first <= 3 <= last or POOL_ID not in ids:
            return []
        log = self.chain.log("0x" + "1" * 64, 0, 3, "0x" + "3" * 64)
        tokens = [_word(int(token, 16)) for token in (NATIVE, TOKENS[1])]
        return [
            log
            | {
                "address": MANAGER,
                "topics": [event.topic0, POOL_ID, *tokens],
                "data": "0x" + "0" * 64 * event.words,
            }
        ]


@pytest.mark.parametrize("range_max", [1_000, 2])
async def test_a_v4_pool_is_known_by_the_log_that_created_it(range_max: int) -> None:
    fake = Managed(FakeChain(1, 9), range_max=range_max)
    selection = PoolSelection((), (), (MANAGER,))
    book = PoolBook(selection, native_symbol="ETH")
    swaps = [swap(pool, uniswap_v4.VENUE) for pool in (POOL_ID, OTHER_ID)]
    found = await book.tokens_of(asked(fake, selection), swaps, at(fake))
    assert set(found) == {POOL_ID}
    tokens = found[POOL_ID]
    assert (tokens.token0, tokens.symbol0, tokens.decimals0) == (NATIVE, "ETH", 18)
    assert (tokens.token1, tokens.symbol1) == (TOKENS[1], "TOK1")
    searched = [method for method, _ in fake.calls].count("eth_getLogs")
    assert searched == 1 if range_max > 9 else searched < 20


async def test_a_search_that_fails_goes_on_where_it_was() -> None:
    """It may take thousands of questions: from the start again it might never end."""

    class Tired(Managed):
        left = 0

        def eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
            found = super().eth_getLogs(query)
            if not self.left:
                raise RpcUnreachable("Expected an answer, was none")
            self.left -= 1
            return found

    fake = Tired(FakeChain(1, 99), range_max=4)
    selection = PoolSelection((), (), (MANAGER,))
    book, tries = PoolBook(selection), 0
    found: dict[str, PoolTokens] | None = None
    while found is None and tries < 50:
        tries, fake.left = tries + 1, 3
        with contextlib.suppress(RpcUnreachable):
            swaps = [swap(pool, uniswap_v4.VENUE) for pool in (POOL_ID, OTHER_ID)]
            found = await book.tokens_of(asked(fake, selection), swaps, at(fake))
        fake.chain.extend()
    assert found is not None
    assert set(found) == {POOL_ID}
    asked_from = [params[0]["fromBlock"] for method, params in fake.calls if "Logs" in method]
    assert len(asked_from) < 120


async def test_a_v4_pool_that_was_seen_being_created_is_not_searched_for() -> None:
    fake = fake_chain()
    selection = PoolSelection((), (), (MANAGER,))
    book = PoolBook(selection)
    created = CreatedPool(uniswap_v4.VENUE, POOL_ID, MANAGER, TOKENS[0], TOKENS[1], 3, "0xb", 0)
    forged = CreatedPool(uniswap_v3.VENUE, POOLS[0], STRANGER, TRADER, TRADER, 3, "0xb", 0)
    book.learn([created, forged])
    found = await book.tokens_of(
        asked(fake, selection), [swap(POOL_ID, uniswap_v4.VENUE), swap(POOLS[0])], at(fake)
    )
    assert (found[POOL_ID].token0, found[POOLS[0]].token0) == (TOKENS[0], TOKENS[0])
    assert "eth_getLogs" not in {method for method, _ in fake.calls}


@pytest.mark.parametrize("note", [{"pool/0x1": "[1]"}, {"token/0x1": '["x","y"]'}, {"pool/": ""}])
def test_foreign_notes_are_refused(note: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="from a copy"):
        PoolBook(EVERYTHING).restore(note)
