"""All roles in one process on real servers: ready, right, and ended in good order."""

import signal
from pathlib import Path

import pytest
from tests.end_to_end.service_process import swapstats
from tests.end_to_end.stack_roles import RoleProcess

from swapstats.errors import UsageError
from swapstats.stack.local_stack import LocalStack
from swapstats.testing.eventually import eventually
from swapstats.testing.evm.running import anvil_market
from swapstats.testing.evm.story import MarketStory

pytestmark = pytest.mark.servers

WAIT_MS = 90_000


def test_one_process_writes_aggregates_and_serves(tmp_path: Path) -> None:
    try:
        stack = LocalStack(tmp_path / "stack", partitions=3)
    except UsageError as error:
        pytest.skip(str(error))
    with stack:
        address = ("--api-http-addr", "127.0.0.1:0")
        run = RoleProcess("run", stack.config_path, tmp_path, *address, "--source", "demo")
        try:
            eventually(lambda: run.get("/readyz")[0] == 200, WAIT_MS, "it to be ready")
            eventually(
                lambda: len(run.ask("/api/overview?window=24h&limit=500")["rows"]) > 100,
                WAIT_MS,
                "many tokens",
            )
            base = f"http://{run.event('metrics')['address']}"
            eventually(lambda: run.metrics()["ready_gauge"] == 1, WAIT_MS, "all roles to be ready")
            assert run.get("/readyz", base)[0] == 200
            assert run.metrics()["events_applied_total"] > 100
            assert run.end() == 0, run.said
        finally:
            run.close()
        audit = swapstats("audit", "--config", stack.config_path)
        assert (audit.returncode, "no difference" in audit.stdout) == (0, True), audit.stdout
        # Nothing is written into a shared log unless a source is named.
        again = RoleProcess("run", stack.config_path, tmp_path, *address)
        try:
            eventually(lambda: again.get("/readyz")[0] == 200, WAIT_MS, "it to be ready")
            eventually(lambda: again.metrics()["ready_gauge"] == 1, WAIT_MS, "all roles")
            assert again.events("source") == []
            stack.redis.kill()
            assert again.end(signal.SIGINT) == 0, again.said
        finally:
            again.close()


def test_one_process_collects_and_prices_a_chain_too(tmp_path: Path) -> None:
    try:
        stack = LocalStack(tmp_path / "stack", partitions=3)
        with stack, anvil_market(tmp_path / "anvil") as (chain, market):
            given = (
                *("--api-http-addr", "127.0.0.1:0", "--source", "evm", "--rpc", chain.url),
                *("--set", f"source.evm.chains=anvil={chain.chain_id}"),
                *("--set", "source.evm.start=anvil=0"),
                *("--set", f"source.evm.factories=anvil={' '.join(market.factories)}"),
                *("--set", f"preprocess.stables={chain.chain_id}={market.usdc}"),
                *("--set", f"preprocess.natives={chain.chain_id}={market.weth}"),
            )
            run = RoleProcess("run", stack.config_path, tmp_path, *given)
            try:
                MarketStory(1, chain, market).grow(5)
                eventually(lambda: run.metrics()["raw_events_total"] > 10, WAIT_MS, "raw events")
                eventually(lambda: run.metrics()["events_ingested_total"] > 10, WAIT_MS, "swaps")
                state = 'source_state{source="evm:anvil"}'  # noted once a second
                eventually(lambda: run.metrics()[state] == 0, WAIT_MS, "the source to be live")
                assert run.end() == 0, run.said
            finally:
                run.close()
    except UsageError as error:
        pytest.skip(str(error))
