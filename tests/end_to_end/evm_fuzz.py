"""A chain that lives, providers that err, a collector that is killed: and what the log must say."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
from tests.end_to_end.service_process import clean_environment

from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.errors import StoreError
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.eventually import eventually
from swapstats.testing.evm.chain import DevChain
from swapstats.testing.evm.faulty_rpc import FaultyRpc
from swapstats.testing.evm.json_rpc import RpcFailure
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.rpc_faults import HONEST, Fault, Provider
from swapstats.testing.evm.story import MarketStory, StoryOptions
from swapstats.testing.evm.truth import TrueSwap, canonical_swaps

PROCESS = Path(__file__).with_name("evm_collector_process.py")
SETTLE_MS_MAX = 120_000
READ_BYTES = 1 << 22
WILD = StoryOptions(trades_max=6, reorg_share=0.35, flip_share=0.15)
Pair = tuple[str, int, int]


class CollectedSwaps:
    """What the log says contributes, read on from where it was read last.

    Args:
        path: the log's file; it may not be there yet.

    Attributes:
        counts: messages read, by what they were.
    """

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._offset = 0
        self._added: dict[Pair, PoolSwap] = {}
        self._removed: dict[Pair, PoolSwap] = {}

    def read(self) -> Counter[TrueSwap]:
        """Adds less removals, as a multiset; every repetition must say the same."""
        if self._path.exists():
            self._read_on()
        return Counter(
            TrueSwap(
                swap.tx_hash,
                swap.log_index,
                swap.block_hash,
                swap.block_number,
                swap.pool,
                int(swap.amount0),
                int(swap.amount1),
            )
            for pair, swap in self._added.items()
            if pair not in self._removed
        )

    def _read_on(self) -> None:
        try:
            reader = EmbeddedSwapLogReader(self._path)
        except StoreError:
            # Killed while it was made: there is nothing in it.
            assert not self._offset
            return
        with closing(reader):
            while batch := reader.read(0, self._offset, READ_BYTES):
                for index in range(len(batch)):
                    self._take(msgspec.json.decode(batch.message(index), type=PoolSwap))
                self._offset = batch.next_offset

    def _take(self, swap: PoolSwap) -> None:
        pair = (swap.tx_hash, swap.log_index, swap.inclusion)
        plain = msgspec.structs.replace(swap, removed=False)
        for side in (self._added, self._removed):
            assert side.get(pair, plain) == plain, f"{pair} says two things"
        side = self._removed if swap.removed else self._added
        kind = "removals" if swap.removed else "adds"
        self.counts["repetitions" if pair in side else kind] += 1
        self.counts["included again"] += swap.inclusion > 0 and pair not in side
        side[pair] = plain


class CollectorLives:
    """A collector's process, one life after the other.

    Args:
        directory: for the log and what it says.
        plan: for the process, see its docstring.
    """

    def __init__(self, directory: Path, plan: Mapping[str, object]) -> None:
        self.lives = 0
        self._said = directory / "collector.log"
        self._plan = dict(plan)
        self._process: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> None:
        """Start it if it is not running; an end that is no kill fails the test."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            assert status == -9, self._said.read_text()[-4_000:]
        self._plan["seed"] = f"{self._plan['seeds']}/{self.lives}"
        self.lives += 1
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(PROCESS), json.dumps(self._plan)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )

    def kill(self) -> None:
        """Kill it, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class EvmFuzz:
    """One run, decided by a seed but for the moments of the kills from outside.

    Args:
        chain: with `market` on it; on anvil and geth alike.
        market: what is traded.
        directory: for the log.
        seed: of everything random.
        torn: whether the log has no transactions; see the process.
    """

    def __init__(
        self, chain: DevChain, market: Market, directory: Path, seed: int, *, torn: bool
    ) -> None:
        self.story = MarketStory(seed, chain, market, WILD)
        self._chain = chain
        self._random = Random(seed)
        self._providers = [FaultyRpc(chain.url, seed), FaultyRpc(chain.url, seed + 1)]
        log = directory / "raw.db"
        self.collected = CollectedSwaps(log)
        for provider in self._providers:
            provider.start()
        self.lives = CollectorLives(
            directory,
            {
                "log": str(log),
                "chain_id": chain.chain_id,
                # The liar is not always the second choice.
                "urls": [provider.url for provider in self._providers[:: 1 if seed % 3 else -1]],
                "managers": [market.v4_manager],
                "seeds": seed,
                "deaths": 0.04,
                "torn": torn,
            },
        )

    def run(self, steps: int, before_step: Callable[[], None] = lambda: None) -> None:
        """Let the chain live for so many steps, and hold the log against it again and again.

        Args:
            steps: of its story.
            before_step: called before each of them.
        """
        try:
            self._storm(steps, before_step)
            for provider in self._providers:
                provider.set(HONEST)
            self._settle()
            self._outlive_a_kill()
        finally:
            self.lives.kill()
            for provider in self._providers:
                provider.close()
        print(self.told())

    def told(self) -> str:
        """What happened, for people."""
        faults = sum((provider.plan.counts for provider in self._providers), Counter())
        return (
            f"lives: {self.lives.lives}, log: {dict(self.collected.counts)}, "
            f"chain: {dict(self.story.counts)}, faults: {dict(faults)}"
        )

    def _storm(self, steps: int, before_step: Callable[[], None]) -> None:
        self.story.grow(80)
        for _ in range(steps):
            self.lives.keep_running()
            before_step()
            self._raise_floor()
            self.story.step()
            if self._random.random() < 0.7:
                self._let_it_work(self._random.randint(1, 12))
            if self._random.random() < 0.3:
                self._change_weather()
            if self._random.random() < 0.15:
                self.lives.kill()
                if self._random.random() < 0.08:
                    # Longer away than it takes to become final.
                    self.story.grow(self._random.randint(50, 90))
            if self._random.random() < 0.35:
                self._providers[0].set(HONEST)
                self._settle()

    def _let_it_work(self, calls: int) -> None:
        """Wait until the collector has asked for something so many times."""
        asked = self._calls() + calls

        def has_asked() -> bool:
            self.lives.keep_running()
            return self._calls() >= asked

        eventually(has_asked, SETTLE_MS_MAX, "the collector to ask its providers")

    def _calls(self) -> int:
        return sum(provider.calls.total() for provider in self._providers)

    def _raise_floor(self) -> None:
        """What a node has called final must not leave the chain, here as anywhere."""
        try:
            final = self._chain.rpc.call("eth_getBlockByNumber", "finalized", False)
        except RpcFailure:
            return  # what go-ethereum says as long as there is none
        if final is not None:
            self.story.floor = max(self.story.floor, int(final["number"], 16))

    def _settle(self) -> None:
        """Wait until the log says what the chain says."""

        def is_true() -> bool:
            self.lives.keep_running()
            return self.collected.read() == expected

        expected = canonical_swaps(self._chain.rpc)
        try:
            eventually(is_true, SETTLE_MS_MAX, "the log to say what the chain says")
        except TimeoutError as error:
            found = self.collected.read()
            raise AssertionError(
                f"{error}; missing {len(expected - found)}, too many {len(found - expected)}; "
                f"{self.told()}"
            ) from error

    def _outlive_a_kill(self) -> None:
        """Once all is told, another life tells nothing new."""
        self.lives.kill()
        self._let_it_work(20)
        assert self.collected.read() == canonical_swaps(self._chain.rpc)

    def _change_weather(self) -> None:
        """The first provider errs but does not lie; the second does everything."""
        first: tuple[tuple[Fault, float], ...] = (
            ("limit", 0.03),
            ("too_many", 0.03),
            ("unavailable", self._random.choice((0.02, 1.0))),
            ("drop", 0.02),
            ("cut", 0.02),
        )
        self._providers[0].set(
            self._random.choice(
                (HONEST, Provider(shares=first), Provider(shares=first, results_max=60))
            )
        )
        wild: tuple[tuple[Fault, float], ...] = (
            ("limit", 0.05),
            ("orphan", self._random.choice((0.0, 0.1, 0.3))),
            ("too_many", 0.05),
            ("unavailable", 0.05),
            ("hang", 0.005),
            ("drop", 0.05),
            ("cut", 0.03),
            ("garbage", 0.03),
        )
        self._providers[1].set(
            Provider(
                lag_blocks=self._random.choice((0, 1, 2, 5, 30)),
                shares=wild,
                results_max=self._random.choice((None, 20, 100)),
                range_blocks_max=self._random.choice((None, 5, 50)),
                batch_max=self._random.choice((None, None, 3)),
                chain_id=self._random.choice((None,) * 9 + (1,)),
            )
        )
