"""The fast way through an answer comes out as the plain decoder does, whatever the answer is."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm import recorded
from tests.core.evm.made_logs import MANAGER, SENDER, V2_SWAP, answer, v2_swap, v2_sync, v3_swap
from tests.core.evm.spelled_answers import (
    REGISTRY,
    answer_of,
    as_nodes_do,
    broken,
    damaged,
    oddly,
    some_logs,
)

from swapstats.core.evm import decode, plain_decode
from swapstats.core.evm.registry import Registry, standard_registry
from swapstats.errors import Rejected
from swapstats.roles.bench.evm_answers import MANAGER as BENCH_MANAGER
from swapstats.roles.bench.evm_answers import PROTOCOLS, make_answers


def outcome(decoder: Callable[[bytes, Registry], object], body: bytes, registry: Registry) -> Any:
    try:
        return decoder(body, registry)
    except Rejected as error:
        return str(error)


def same(body: bytes, registry: Registry = REGISTRY) -> Any:
    """What both decoders make of an answer."""
    found = outcome(decode.decode_logs, body, registry)
    assert found == outcome(plain_decode.decode_logs, body, registry), body
    return found


def same_of_list(body: bytes) -> None:
    """The same of the list in an answer, its begin and end taken as they come."""
    at = body.find(b"[")
    end = body.rfind(b"]") + 1
    for cut in (body[at:end], b" " + body[at:end] + b"\n", body[at:]):
        wrapped = b'{"result":' + cut + b"}"
        wanted = outcome(plain_decode.decode_logs, wrapped, REGISTRY)
        assert outcome(decode.decode_list, cut, REGISTRY) == wanted, cut


@pytest.fixture
def never_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it an error to give a whole answer to the plain decoder."""

    def refuse(body: bytes, _registry: Registry) -> object:
        raise AssertionError(f"was given a whole answer: {body[:500]!r}")

    monkeypatch.setattr(plain_decode, "decode_logs", refuse)


seeds = st.randoms(use_true_random=False)


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_good_answers(rng: Random) -> None:
    body = answer_of(rng, some_logs(rng, rng.randrange(12)), as_nodes_do)
    same(body)
    same_of_list(body)


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_logs_in_any_order_and_more_than_once(rng: Random) -> None:
    logs = some_logs(rng, rng.randrange(1, 8))
    logs += rng.choices(logs, k=rng.randrange(3))
    if rng.random() < 0.5:
        rng.shuffle(logs)
    for one in logs:
        if rng.random() < 0.1:
            one["blockHash"] = rng.choice(logs)["blockHash"]
        if rng.random() < 0.1:
            one["blockNumber"] = rng.choice(logs)["blockNumber"]
    same(answer_of(rng, logs, as_nodes_do))


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_broken_logs_and_odd_spellings(rng: Random) -> None:
    logs: list[Any] = some_logs(rng, rng.randrange(1, 8))
    for _ in range(rng.choice((0, 1, 1, 3))):
        at = rng.randrange(len(logs))
        if isinstance(logs[at], dict) and isinstance(logs[at].get("topics"), list):
            logs[at] = broken(rng, logs[at])
    body = answer_of(rng, logs, rng.choice((as_nodes_do, oddly)))
    same(body)
    same_of_list(body)


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_damaged_answers(rng: Random) -> None:
    body = answer_of(rng, some_logs(rng, rng.randrange(4)), rng.choice((as_nodes_do, oddly)))
    for _ in range(5):
        hurt = damaged(rng, body)
        same(hurt)
        same_of_list(hurt)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(40))
def test_a_million_damaged_answers(seed: int) -> None:
    rng = Random(seed)
    for _ in range(2_500):
        logs: list[Any] = some_logs(rng, rng.randrange(4))
        if logs and rng.random() < 0.5:
            at = rng.randrange(len(logs))
            logs[at] = broken(rng, logs[at])
        body = answer_of(rng, logs, rng.choice((as_nodes_do, oddly)))
        same(body)
        for _ in range(9):
            same(damaged(rng, body))


def test_every_cut_of_an_answer() -> None:
    logs = [v2_sync(11, 12, index=6), v2_swap(1, 0, 0, 2, index=7), v3_swap(1, -1, 2**96, 5, 0)]
    body = answer(*logs)
    for cut in range(len(body)):
        assert isinstance(same(body[:cut]), str)
        same(body[:cut] + b"]}")


RECORDED = [
    (recorded.ethereum_day, 6_046),
    (recorded.polygon_day, 3_098),
    (recorded.position_manager_day, 0),
    (recorded.two_blocks, 79),
    (recorded.local_node, 7),
]


@pytest.mark.parametrize(("logs", "swaps"), RECORDED)
def test_recorded_logs(logs: Callable[[], list[Any]], swaps: int) -> None:
    body = recorded.body(logs())
    assert len(same(body, standard_registry()).swaps) == swaps


@pytest.mark.usefixtures("never_plain")
@pytest.mark.parametrize(("logs", "swaps"), RECORDED)
def test_recorded_logs_go_the_fast_way(logs: Callable[[], list[Any]], swaps: int) -> None:
    found = decode.decode_logs(recorded.body(logs()), standard_registry())
    assert len(found.swaps) == swaps


@pytest.mark.parametrize("protocols", [*((one,) for one in PROTOCOLS), PROTOCOLS])
def test_answers_that_are_measured(protocols: tuple[str, ...]) -> None:
    for body in make_answers("both", protocols, 2, 400).bodies:
        same(body, standard_registry([BENCH_MANAGER]))


@pytest.mark.usefixtures("never_plain")
def test_what_nodes_write_goes_the_fast_way() -> None:
    """More than one slice of it, and among it logs of which none tells reserves."""
    for seed in range(5):
        rng = Random(seed)
        logs = [one for one in some_logs(rng, 700) if not is_out_of_range(one)]
        removed = v3_swap(1, -1, 2**96, 1, 0) | {"removed": True}
        elsewhere = v2_swap(1, 0, 0, 1)
        elsewhere["topics"].append("0x" + "00" * 32)
        body = answer_of(rng, [*logs, removed, elsewhere, None], as_nodes_do)
        with pytest.raises(AssertionError, match="whole answer"):
            decode.decode_logs(body, REGISTRY)
        body = answer_of(rng, [*logs, removed, elsewhere], as_nodes_do)
        found = decode.decode_logs(body, REGISTRY)
        assert len(found.swaps) > 300
        assert [one.reason for one in found.refused[-2:]] == ["removed", "topic_count"]


def is_out_of_range(one: Any) -> bool:
    """Whether a swap of V2 is refused: it may have been told reserves, so no log is read apart."""
    digits = one["data"][2:]
    return one["topics"][:1] == [V2_SWAP] and any(digits[at] > "7" for at in range(0, 256, 64))


@pytest.mark.usefixtures("never_plain")
def test_swaps_left_over_come_out_in_their_place() -> None:
    first, second, third = (v3_swap(at, -1, 2**96, 1, 0, index=at) for at in (1, 2, 3))
    second["topics"] = [topic.upper().replace("0X", "0x") for topic in second["topics"]]
    third["transactionHash"] = third["transactionHash"].upper().replace("0X", "0x")
    shouted = first | {"address": "0x" + "AB" * 20}
    found = decode.decode_logs(answer(shouted, second, first, third, first), REGISTRY)
    assert [swap.amount0 for swap in found.swaps] == [1, 2, 1, 3, 1]


def test_one_hash_in_two_blocks_is_not_plain() -> None:
    """Reserves go by hash and log index: the later block's would be those of the earlier swap."""
    sync, swap = v2_sync(11, 12, index=6), v2_swap(1, 0, 0, 2, index=7)
    other = v2_sync(13, 14, index=6) | {"blockNumber": "0x7fffffff"}
    (found,) = same(answer(sync, swap, other)).swaps
    assert (found.depth0, found.depth1) == (13, 14)


def test_a_contract_that_may_not_write_is_told_apart() -> None:
    registry = standard_registry([SENDER, MANAGER.upper()])
    rng = Random(3)
    for _ in range(20):
        same(answer_of(rng, some_logs(rng, 9), as_nodes_do), registry)
