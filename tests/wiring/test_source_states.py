"""What sources say, in readiness and in figures."""

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


def test_each_source_is_a_figure() -> None:
    metrics = Metrics()
    note_sources(metrics, [*SOURCES, Told("new", "unheard of")])  # type: ignore[list-item]

    def figure(name: str) -> float | None:
        return metrics.registry.get_sample_value("source_state", {"source": name})

    exchange = exchange_source("binance", ["BTCUSDT"], SystemClock())
    note_sources(metrics, [exchange])  # not opened yet: nothing is known
    assert metrics.registry.get_sample_value("source_filled", {"source": "binance"}) is None
    assert [figure(name) for name in ("evm:base", "evm:ethereum", "binance", "new")] == [3, 2, 1, 2]
