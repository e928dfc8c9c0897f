"""The examples run, against an exchange and a chain on this machine, and the page quotes them."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.adapters.sources.exchange.played import made, played

from swapstats.adapters.sources.exchange import open as exchanges
from swapstats.adapters.sources.exchange.binance.endpoints import SPOT
from swapstats.collect import Swap
from swapstats.core.evm.pool_selection import ADDRESS_CHARS
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually_async
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.running import anvil_market
from swapstats.testing.evm.story import MarketStory
from swapstats.testing.evm.truth import canonical_swaps
from swapstats.testing.exchange_replay import ReplayExchange
from swapstats.testing.forking_chain import ForkingChain
from swapstats.testing.raw_events import batch_of

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TIMEOUT_MS = 60_000
START_MS = 1_723_161_255_000
Lines = Callable[[], list[str]]


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lines:
    """What an example has printed so far; its files lie in a directory of the test."""
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []

    def read() -> list[str]:
        lines.extend(capsys.readouterr().out.splitlines())
        return lines

    return read


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnvilChain, Market]]:
    try:
        with anvil_market(tmp_path_factory.mktemp("anvil")) as (chain, market):
            MarketStory(3, chain, market).grow(8)
            yield chain, market
    except UsageError as error:
        pytest.skip(str(error))


def example(name: str) -> Any:
    spec = spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def run_until(main: Awaitable[None], is_enough: Callable[[], bool]) -> None:
    """Run an example until it has printed enough, then as Ctrl-C would end it."""
    running = asyncio.ensure_future(main)
    await eventually_async(lambda: running.done() or is_enough(), TIMEOUT_MS, "the example's lines")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def point_binance_to(served: ReplayExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    here = replace(SPOT, stream_url=served.stream_url, rest_url=served.rest_url)
    monkeypatch.setattr(exchanges, "SPOT", here)


async def test_trades(printed: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = made(400)
    ids = [one.trade.trade_id for one in recording]
    async with played(recording, per_tick=2).serving() as served:
        point_binance_to(served, monkeypatch)
        main = example("trades").main
        await run_until(main(), lambda: len(printed()) > 50)
        first = len(printed())
        await run_until(main(), lambda: printed()[-1].split()[1] == ids[-1])
    told = [line.split()[1] for line in printed()]
    assert told[:first] == ids[:first]
    assert told[first:] == ids[ids.index(told[first]) :]
    assert ids.index(told[first]) <= first, "a trade was missed"
    assert printed()[0].split() == ["BTCUSDT", "1000", "buy", "3.5", "2.30"]


async def test_usd_volume(printed: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = [*made(40, START_MS), *made(1, START_MS + 40, p="0")]
    async with played(recording, per_tick=2).serving() as served:
        point_binance_to(served, monkeypatch)
        await run_until(example("usd_volume").main(), lambda: len(printed()) == 41)
    first, last, refused = (printed()[at].split() for at in (0, 39, 40))
    volumes = [Decimal(one.trade.price) * Decimal("3.5") for one in recording[:40]]
    assert first[:3] == [f"binance:BTCUSDT:{START_MS}", "BTC", "buy"]
    assert last[:3] == [f"binance:BTCUSDT:{START_MS + 39}", "BTC", "buy"]
    assert [Decimal(first[3]), Decimal(last[3])] == [volumes[0], sum(volumes)]
    assert refused[:2] == ["refused:", "one_sided"]


async def test_chain(printed: Lines, anvil: tuple[AnvilChain, Market]) -> None:
    chain, market = anvil
    expected = [
        [swap.block_number, swap.pool, swap.amount0, swap.amount1]
        for swap in canonical_swaps(chain.rpc).elements()
        if len(swap.pool) == ADDRESS_CHARS  # nobody knows this chain's manager of V4
    ]
    main = example("chain").main(chain.url, chain.chain_id, 0, market.factories)
    await run_until(main, lambda: len(printed()) >= len(expected))
    told = [line.split() for line in printed()]
    assert sorted([int(line[0]), line[2], int(line[3]), int(line[4])] for line in told) == sorted(
        expected
    )


async def test_own_chain(printed: Lines, anvil: tuple[AnvilChain, Market]) -> None:
    chain, market = anvil
    main = example("own_chain").main(chain.url, chain.chain_id, market.usdc, market.weth)
    wanted = {"stable", "native"}
    await run_until(main, lambda: {line.split()[-1] for line in printed()} >= wanted)
    priced = [line.split() for line in printed() if line.split()[-1] in wanted]
    assert all(line[1].startswith(f"{chain.chain_id}:0x") for line in priced)
    assert any(float(line[3]) > 0 for line in priced)


def test_stored_events() -> None:
    chain = ForkingChain(Random(4), has_trades=True)
    chain.grow(12)
    chain.reorg(4, 5)
    lines = b"\n".join(msgspec.json.encode(event) for event in chain.log)
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "stored_events.py")],
        input=lines, capture_output=True, check=True,
    )  # fmt: skip
    found = [msgspec.json.decode(line, type=Swap) for line in done.stdout.splitlines()]
    made_swaps = Preprocessor(PriceRules()).apply(batch_of(chain.log)).swaps
    assert found == [msgspec.json.decode(message, type=Swap) for message in made_swaps]
    assert found


def test_every_example_is_run_here() -> None:
    tests = set(re.findall(r"^(?:async )?def test_(\w+)", Path(__file__).read_text(), re.MULTILINE))
    assert EXAMPLES
    assert {path.stem for path in EXAMPLES} <= tests


def test_the_page_quotes_them_to_the_letter() -> None:
    page = (ROOT / "docs" / "PYTHON.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert sorted(quoted) == sorted(path.read_text(encoding="utf-8") for path in EXAMPLES)
    for path in EXAMPLES:
        assert f"](../examples/{path.name})" in page
