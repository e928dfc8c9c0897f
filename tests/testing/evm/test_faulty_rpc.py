import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.chain import BlockPlan
from swapstats.testing.evm.faulty_rpc import FaultyRpc
from swapstats.testing.evm.json_rpc import JsonRpc, RpcFailure
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.rpc_faults import HONEST, Provider
from swapstats.testing.evm.story import MarketStory
from swapstats.testing.evm.truth import canonical_swaps

OnAnvil = tuple[AnvilChain, Market]


@pytest.fixture
def provider(on_anvil: OnAnvil) -> Iterator[FaultyRpc]:
    with FaultyRpc(on_anvil[0].url, seed=1) as made:
        yield made


def test_an_honest_provider_tells_the_truth(on_anvil: OnAnvil, provider: FaultyRpc) -> None:
    chain, market = on_anvil
    MarketStory(1, chain, market).grow(3)
    with closing(JsonRpc(provider.url)) as rpc:
        assert canonical_swaps(rpc) == canonical_swaps(chain.rpc)
        assert rpc.call_many([("eth_chainId", []), ("eth_blockNumber", [])]) == ["0x539", "0x5"]
        with pytest.raises(RpcFailure):
            rpc.call("eth_nonsense")
    assert provider.calls["eth_getLogs"] == 1


@pytest.mark.parametrize(("fault", "status"), [("too_many", 429), ("unavailable", 503)])
def test_refusals_by_http(provider: FaultyRpc, fault: str, status: int) -> None:
    provider.plan.script("eth_chainId", fault)  # type: ignore[arg-type]
    assert post(provider)[0] == status
    assert post(provider) == (200, {"jsonrpc": "2.0", "id": 1, "result": "0x539"})


@pytest.mark.parametrize("fault", ["drop", "cut"])
def test_connections_that_end(provider: FaultyRpc, fault: str) -> None:
    provider.plan.script("eth_chainId", fault)  # type: ignore[arg-type]
    with pytest.raises((OSError, http.client.HTTPException)):
        post(provider)
    assert post(provider)[0] == 200
    assert provider.plan.counts == {fault: 1}


def test_no_answer(provider: FaultyRpc) -> None:
    provider.plan.script("eth_chainId", "hang")
    with pytest.raises(TimeoutError):
        post(provider, timeout_s=0.2)


def test_answers_that_are_none(provider: FaultyRpc) -> None:
    provider.plan.script("eth_chainId", "garbage")
    with pytest.raises(ValueError, match="Expecting value"):
        post(provider)


def test_batches_may_be_too_large(provider: FaultyRpc) -> None:
    provider.set(Provider(batch_max=1))
    status, answer = post(provider, calls=2)
    assert status == 200
    assert "batch" in answer["error"]["message"]  # type: ignore[index]
    provider.set(HONEST)
    assert len(post(provider, calls=2)[1]) == 2  # type: ignore[arg-type]


def test_a_branch_that_left_is_answered_for(on_anvil: OnAnvil, provider: FaultyRpc) -> None:
    chain, market = on_anvil
    with closing(JsonRpc(provider.url)) as rpc:
        left = chain.grow(market.ready, [BlockPlan()])[0]
        assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == left
        now = chain.grow(market.ready, [BlockPlan(after_s=1)])[0]
        provider.plan.script("eth_getBlockByNumber", "orphan")
        assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == left
        assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == now
        assert rpc.call("eth_getLogs", {"blockHash": left}) == []


def test_it_can_be_closed_twice_or_unused(on_anvil: OnAnvil) -> None:
    provider = FaultyRpc(on_anvil[0].url)
    provider.close()
    provider = FaultyRpc(on_anvil[0].url)
    provider.start()
    provider.close()
    provider.close()
    with pytest.raises(OSError):
        post(provider)


def post(provider: FaultyRpc, calls: int = 1, timeout_s: float = 10.0) -> tuple[int, object]:
    bodies = [
        {"jsonrpc": "2.0", "id": number + 1, "method": "eth_chainId", "params": []}
        for number in range(calls)
    ]
    parts = urlsplit(provider.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    with closing(connection):
        connection.request("POST", "/", json.dumps(bodies if calls > 1 else bodies[0]))
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if answer.status == 200 else content
