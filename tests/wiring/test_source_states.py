"""What sources say, in readiness and in figures."""

from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.progress import ChainFigures
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.adapters.sources.exchange.open import exchange_source
from swapstats.adapters.system_clock import SystemClock
from swapstats.model.health import Readiness, RoleState
from swapstats.observability.metrics import Metrics
from swapstats.ports.source import SourceStatus
from swapstats.wiring.source_states import failed_sources, note_sources, with_sources


class Told:
    """A source that only says how it does."""

    def __init__(self, name: str, state: str) -> None:
        self.name = name
        self._state = state

    def open(self, position: object, notes: object = None) -> object:
        raise NotImplementedError

    def status(self) -> SourceStatus:
        return SourceStatus(self._state, f"it is {self._state}")


SOURCES = [Told("evm:base", "failed"), Told("evm:ethereum", "waiting"), Told("binance", "live")]


def test_a_failed_source_is_a_warning_and_the_role_stays_ready() -> None:
    state = with_sources(RoleState(Readiness(ready=True), "writing"), SOURCES)  # type: ignore[arg-type]
    assert state.readiness.ready
    assert state.readiness.warning == "evm:base: it is failed"
    assert failed_sources(SOURCES[1:]) is None  # type: ignore[arg-type]


def test_what_keeps_a_role_from_being_ready_comes_first() -> None:
    away = RoleState(Readiness(ready=False, reason="brokers are away"), "waiting")
    assert with_sources(away, SOURCES) is away  # type: ignore[arg-type]


class Chain(Told):
    """A chain that had reorgs, and has blocks left to read."""

    def figures(self) -> ChainFigures:
        refused = {"unknown_emitter": 7}
        return ChainFigures(reorgs=3, deepest=2, blocks_left=40, quiet_ms=1_500, refused=refused)


def test_a_chain_tells_its_reorgs_and_how_far_behind_it_is() -> None:
    metrics = Metrics()
    options = EvmOptions("base", 8453, (Provider("http://node"),))
    new = EvmSource(options, SystemClock())
    note_sources(metrics, [Chain("evm:a", "live"), new, SOURCES[2]])  # type: ignore[list-item]

    def figures(source: str) -> list[float | None]:
        return [
            metrics.registry.get_sample_value(name, {"source": source})
            for name in ("source_reorgs", "source_reorg_blocks_max", "source_blocks_left")
        ]

    def quiet_s(source: str) -> float | None:
        return metrics.registry.get_sample_value("source_quiet_seconds", {"source": source})

    assert (figures("evm:a"), quiet_s("evm:a")) == ([3, 2, 40], 1.5)
    refused = {"source": "evm:a", "reason": "unknown_emitter"}
    assert metrics.registry.get_sample_value("source_refused_logs", refused) == 7
    assert (figures("evm:base"), quiet_s("binance")) == ([0, 0, 0], None)


def test_each_source_is_a_figure() -> None:
    metrics = Metrics()
    note_sources(metrics, [*SOURCES, Told("new", "unheard of")])  # type: ignore[list-item]

    def figure(name: str) -> float | None:
        return metrics.registry.get_sample_value("source_state", {"source": name})

    exchange = exchange_source("binance", ["BTCUSDT"], SystemClock())
    note_sources(metrics, [exchange])  # not opened yet: nothing is known
    assert metrics.registry.get_sample_value("source_filled", {"source": "binance"}) is None
    assert [figure(name) for name in ("evm:base", "evm:ethereum", "binance", "new")] == [3, 2, 1, 2]
