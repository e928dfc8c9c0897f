"""A chain and an exchange at once through `swapstats run`: what a new user tries first."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.end_to_end.service_process import ServiceProcess, swapstats

from swapstats.errors import UsageError
from swapstats.testing.eventually import eventually
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.running import anvil_market
from swapstats.testing.evm.story import MarketStory, StoryOptions

pytestmark = pytest.mark.servers

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[3] / "shared/data"))
WAIT_MS = 120_000


@pytest.fixture
def market(tmp_path: Path) -> Iterator[tuple[AnvilChain, Market]]:
    try:
        with anvil_market(tmp_path / "anvil") as made:
            yield made
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[str]:
    """Where recorded trades of Binance are played as if they were made now; host and port."""
    folder = DATA / "exchange"
    paths = [folder / f"hft_binance_spot_{name}_20240808.gz" for name in ("btcusdt", "ethusdt")]
    if not all(path.exists() for path in paths):
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    said = tmp_path / "exchange.log"
    command = [sys.executable, "-m", "swapstats.testing.binance_replay", "--now", *map(str, paths)]
    with said.open("wb") as lines:
        playing = subprocess.Popen(command, stdout=lines, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "ws://" in said.read_text(), WAIT_MS, "the exchange to open")
        yield said.read_text().partition("ws://")[2].split()[0]
    finally:
        playing.kill()
        playing.wait()


def test_a_chain_and_an_exchange_are_live_at_once(
    market: tuple[AnvilChain, Market], exchange: str, tmp_path: Path
) -> None:
    chain, tokens = market
    options = StoryOptions(depth_max=8, reorg_share=0, flip_share=0, block_seconds=(1,))
    story = MarketStory(17, chain, tokens, options)
    behind_s = int(time.time()) - chain.blocks[chain.head].time_s
    story.skip(max(1, behind_s - 60))
    story.grow(20)
    config = tmp_path / "swapstats.yaml"
    config.write_text(
        "source:\n"
        "  evm:\n"
        f"    chains: {{local: {chain.chain_id}}}\n"
        f"    factories: {{local: '{' '.join(tokens.factories)}'}}\n"
        f"    v4_managers: {{local: '{tokens.v4_manager}'}}\n"
        "    start: {local: 0}\n"
        "    poll_interval: 100ms\n"
        f"  binance: {{stream_url: 'ws://{exchange}', rest_url: 'http://{exchange}'}}\n"
        "preprocess:\n"
        "  liquidity_floor: 1\n"
        f"  stables: {{{chain.chain_id}: '{tokens.usdc}'}}\n"
        f"  natives: {{{chain.chain_id}: '{tokens.weth}'}}\n"
    )
    sources = ("--source", "evm", "--rpc", chain.url, "--source", "binance:BTCUSDT,ETHUSDT")
    said = tmp_path / "said"
    said.mkdir()
    running = ServiceProcess(tmp_path / "data", said, "--config", str(config), *sources)
    with closing(running):
        running.ready()
        weth = f"{chain.chain_id}:{tokens.weth}"

        def told() -> set[str]:
            rows = running.ask("/api/overview?window=5m&limit=50")["rows"]
            return {row["token"] for row in rows if float(row["vol_usd"]) > 0}

        eventually(lambda: told() >= {"BTC", "ETH", weth}, WAIT_MS, "chain and exchange")
        story.reorg(depth=5, length=6)

        def taken_back() -> bool:
            story.grow()
            return bool(running.status()["counters"]["removed"])

        eventually(taken_back, WAIT_MS, "what left the chain to be taken back")

        def saved() -> bool:
            return running.metrics()["snapshot_duration_ms_count"] >= 4

        eventually(saved, WAIT_MS, "a checkpoint of every partition")
        status = running.status()
        assert status["counters"]["dead_letters"] == 0
        assert status["source"]["state"] == "live"
        checked = swapstats("audit", "--data-dir", running.data_dir, "--url", running.url)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "no difference" in checked.stdout
        assert running.end() in {0, 143}
    ended = swapstats("audit", "--data-dir", running.data_dir, "--archive")
    assert ended.returncode == 0, ended.stdout + ended.stderr
