"""What is told of a source, in words."""

from tests.adapters.sources.evm.asking import link_to
from tests.adapters.sources.evm.fake_chain import FakeChain, FakeNode

from swapstats.adapters.sources.evm.progress import ChainFigures, Progress
from swapstats.adapters.sources.evm.providers import Providers
from swapstats.ports.source import SourceStatus
from swapstats.testing.manual_clock import ManualClock


def test_a_backfill_tells_how_far_it_is_and_how_long_it_takes() -> None:
    clock = ManualClock()
    progress = Progress("polygon", clock)
    assert progress.status() == SourceStatus("connecting", "polygon: not started yet")
    progress.catching_up(1_000, 3_000)
    assert progress.status().detail == "polygon: reading the past, block 1000 of 3000 (0 %)"
    clock.advance(10_000)
    progress.caught_up(1_500)
    assert progress.status() == SourceStatus(
        "live", "polygon: reading the past, block 1500 of 3000 (25 %, about 30s left)"
    )
    clock.advance(90_000)
    progress.caught_up(1_600)
    assert "(30 %, about 4m left)" in progress.status().detail


def test_new_blocks_and_reorgs_are_told() -> None:
    clock = ManualClock()
    progress = Progress("polygon", clock)
    progress.advanced(7, 3)
    assert progress.status() == SourceStatus("live", "polygon: block 7, 3 more to read")
    progress.reorged(2)
    progress.reorged(1)
    progress.advanced(9, 0)
    assert progress.status().detail == "polygon: block 9; 2 reorgs, 2 blocks at most"
    clock.advance(150_000)
    assert progress.quiet_ms() == 150_000
    assert "block 9, no new block for 2m; 2 reorgs" in progress.status().detail


def test_figures_tell_reorgs_and_how_far_behind_it_is() -> None:
    clock = ManualClock()
    progress = Progress("polygon", clock)
    assert progress.figures() == ChainFigures(0, 0, 0, 0, {})
    progress.catching_up(1_000, 3_000)
    progress.caught_up(1_500)
    assert progress.figures().blocks_left == 1_500
    progress.reorged(2)
    progress.reorged(1)
    progress.advanced(3_010, 7)
    clock.advance(5_000)
    assert progress.figures() == ChainFigures(2, 2, 7, 5_000, {})


def test_troubles_are_told_beside_it() -> None:
    clock = ManualClock()
    progress = Progress("polygon", clock)
    link = link_to(FakeNode(FakeChain()), clock)
    progress.watch(Providers([link]))
    progress.advanced(7, 0)
    link.trouble = "Expected an answer of node, was none"
    progress.looked(is_known=False)
    assert progress.status() == SourceStatus(
        "waiting", "polygon: block 7; Expected an answer of node, was none"
    )
    link.trouble = None
    progress.looked(is_known=True)
    assert progress.status() == SourceStatus("live", "polygon: block 7")
    progress.failed("it is over")
    assert progress.status() == SourceStatus("failed", "polygon: it is over")
