"""What sources say of themselves, for readiness and figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from swapstats.model.health import RoleState
from swapstats.observability.metrics import Metrics
from swapstats.ports.source import Source

if TYPE_CHECKING:
    from swapstats.adapters.sources.evm.progress import ChainFigures
    from swapstats.adapters.sources.exchange.feed import Feed

_FIGURES: Final[Mapping[str, int]] = {
    "live": 0,
    "done": 0,
    "connecting": 1,
    "waiting": 2,
    "failed": 3,
}


def failed_sources(sources: Sequence[Source]) -> str | None:
    """What does not come any more, and why; None if all is well."""
    states = [(source.name, source.status()) for source in sources]
    return (
        "; ".join(f"{name}: {state.detail}" for name, state in states if state.state == "failed")
        or None
    )


def with_sources(state: RoleState, sources: Sequence[Source]) -> RoleState:
    """Add what failed to what a role says: it goes on with the others, so it stays ready."""
    failed = failed_sources(sources)
    if failed is None or state.readiness.reason is not None:
        return state
    return replace(state, readiness=replace(state.readiness, warning=failed))


def note_sources(metrics: Metrics, sources: Sequence[Source]) -> None:
    """Note how each source does; of exchanges, what was missed; of chains, what left them."""
    for source in sources:
        feed: Feed | None = getattr(source, "feed", None)
        if feed is not None:
            metrics.source_filled.labels(source.name).set(feed.counts.filled)
            metrics.source_missing.labels(source.name).set(feed.missing.trades)
            metrics.source_connections.labels(source.name).set(feed.counts.connections)
        figures: Callable[[], ChainFigures] | None = getattr(source, "figures", None)
        if figures is not None:
            chain = figures()
            metrics.source_reorgs.labels(source.name).set(chain.reorgs)
            metrics.source_reorg_blocks_max.labels(source.name).set(chain.deepest)
            metrics.source_blocks_left.labels(source.name).set(chain.blocks_left)
            metrics.source_quiet_seconds.labels(source.name).set(chain.quiet_ms / 1_000)
            for reason, count in chain.refused.items():
                metrics.source_refused_logs.labels(source.name, reason).set(count)
        figure = _FIGURES.get(source.status().state, _FIGURES["waiting"])
        metrics.source_state.labels(source.name).set(figure)
