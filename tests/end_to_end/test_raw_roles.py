"""A real chain that reorgs, collected and priced by processes that are killed all the while."""

import contextlib
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.end_to_end.raw_logs import messages, records
from tests.end_to_end.stack_roles import RoleProcess

from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.errors import UsageError
from swapstats.model.raw_event import PoolSwap
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import Settings, load
from swapstats.stack.anvil import FINALITY_DEPTH
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.running import anvil_market
from swapstats.testing.evm.story import MarketStory
from swapstats.testing.evm.truth import TrueSwap, canonical_swaps
from swapstats.wiring.price_rules import price_rules
from swapstats.wiring.transport import raw_transport, transport

pytestmark = pytest.mark.servers

KILLS = 12
WAIT_MS = 120_000


@pytest.fixture
def market(tmp_path: Path) -> Iterator[tuple[AnvilChain, Market]]:
    try:
        with anvil_market(tmp_path / "anvil") as made:
            yield made
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def config(market: tuple[AnvilChain, Market], tmp_path: Path) -> Iterator[Path]:
    """A configuration with a Redis, and the chain of the market."""
    chain, tokens = market
    try:
        redis = RedisServer(tmp_path / "redis", fsync="always")
    except UsageError as error:
        pytest.skip(str(error))
    redis.start()
    path = tmp_path / "swapstats.yaml"
    path.write_text(
        "ingest: {broker_type: redis, session_timeout: 1s, topic_cfg: {partitions: 3}}\n"
        f"stores: {{redis: {{addr: '127.0.0.1:{redis.port}'}}}}\n"
        "source:\n  evm:\n"
        f"    chains: {{anvil: '{chain.chain_id}'}}\n"
        f"    rpc: '{chain.url}'\n"
        "    start: {anvil: '0'}\n"
        f"    factories: {{anvil: '{' '.join(tokens.factories)}'}}\n"
        f"    v4_managers: {{anvil: '{tokens.v4_manager}'}}\n"
        "    poll_interval: 100ms\n"
        "preprocess:\n"
        "  snapshot_interval: 300ms\n"
        "  liquidity_floor: 1\n"
        f"  stables: {{{chain.chain_id}: '{tokens.usdc}'}}\n"
        f"  natives: {{{chain.chain_id}: '{tokens.weth}'}}\n"
    )
    yield path
    redis.stop()


class Roles:
    """A collector and a preprocessor, one life after the other."""

    def __init__(self, config: Path, path: Path) -> None:
        self._config = config
        self._path = path
        self.alive = {name: self.start(name) for name in ("collect evm", "preprocess")}

    def start(self, name: str) -> RoleProcess:
        return RoleProcess(name, self._config, self._path)

    def kill(self, name: str) -> None:
        self.alive[name].process.kill()
        self.alive[name].process.wait()
        self.alive[name] = self.start(name)

    def check(self) -> None:
        for role in self.alive.values():
            assert role.process.poll() is None, role.said

    def close(self) -> None:
        for role in self.alive.values():
            role.close()


def contributing(raw: list[bytes]) -> Counter[TrueSwap]:
    """What was put on the chain and not taken back, by the raw log."""
    swaps = [msgspec.json.decode(message, type=PoolSwap) for message in raw]
    removed = {pair(swap) for swap in swaps if swap.removed}
    added = {pair(swap): swap for swap in swaps if not swap.removed}
    return Counter(true_swap(swap) for key, swap in added.items() if key not in removed)


def pair(swap: PoolSwap) -> tuple[Any, ...]:
    return swap.tx_hash, swap.log_index, swap.inclusion


def true_swap(swap: PoolSwap) -> TrueSwap:
    return TrueSwap(
        swap.tx_hash,
        swap.log_index,
        swap.block_hash,
        swap.block_number,
        swap.pool,
        int(swap.amount0),
        int(swap.amount1),
    )


def priced_at_once(settings: Settings, reader: SwapLogReader) -> list[bytes]:
    """What one preprocessor makes of the whole raw log without a stop."""
    machine = Preprocessor(price_rules(settings))
    return [swap for batch in records(reader) for swap in machine.apply(batch).swaps]


def test_kills_of_both_under_reorgs_leave_what_the_chain_says(
    market: tuple[AnvilChain, Market], config: Path, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    chain, tokens = market
    story = MarketStory(seed, chain, tokens)
    settings = load(config, environ={})
    for log in (transport(settings), raw_transport(settings)):
        log.prepare()
    roles = Roles(config, tmp_path)
    with contextlib.ExitStack() as opened:
        opened.callback(roles.close)
        raw = opened.enter_context(contextlib.closing(raw_transport(settings).open_reader()))
        swaps = opened.enter_context(contextlib.closing(transport(settings).open_reader()))

        def has_begun() -> bool:
            roles.check()
            return raw.end_offsets()[0] > 0

        story.grow(3)
        eventually(has_begun, WAIT_MS, "raw events")
        for _ in range(KILLS):
            for _ in range(chance.randint(1, 4)):
                story.floor = max(story.floor, chain.blocks[chain.head].number - FINALITY_DEPTH + 1)
                story.step()
            name = chance.choice(("collect evm", "preprocess", "preprocess"))
            with contextlib.suppress(subprocess.TimeoutExpired):
                roles.alive[name].process.wait(chance.uniform(0, 4))
            roles.check()
            roles.kill(name)
        story.grow(1)

        def is_true() -> bool:
            roles.check()
            return contributing(messages(raw)) == canonical_swaps(chain.rpc)

        eventually(is_true, WAIT_MS, "the raw log to say what the chain says")
        whole = set(priced_at_once(settings, raw))
        eventually(lambda: set(messages(swaps)) == whole, WAIT_MS, "all to be priced")
        assert {name: role.end() for name, role in roles.alive.items()} == {
            "collect evm": 0,
            "preprocess": 0,
        }
        found = messages(swaps)
        assert set(found) == whole
        assert len(found) == len(priced_at_once(settings, raw))  # Redis notes in the same write
        assert any(b'"removed":true' in message for message in found)
        assert any(b'"amount_usd":"' in message for message in found)
