"""Circuit breakers of a process, as the settings want them, and what they all say."""

import os
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from swapstats.core.circuit_breaker import CircuitBreaker
from swapstats.errors import SettingsError
from swapstats.model.health import DependencyStatus
from swapstats.ports.clock import Clock
from swapstats.roles.dependency import Dependency
from swapstats.roles.link_watch import LinkWatch
from swapstats.settings import Settings

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class Guards:
    """What a process stands on: each with a breaker of its own, or watched as a connection.

    Args:
        settings: `breaker`.
        clock: monotonic time.
        log: told what is given up and what is back.

    Raises:
        SettingsError: `breaker.open_max` is below `breaker.open`.
    """

    def __init__(self, settings: Settings, clock: Clock, log: "BoundLogger") -> None:
        self._options = settings.breaker
        if self._options.open_ms_max < self._options.open_ms:
            raise SettingsError(
                f"breaker.open_max ({settings.origin_of('breaker.open_max')}): Expected at least "
                f"breaker.open, which is {self._options.open_ms} ms, was "
                f"{self._options.open_ms_max} ms: raise the one or lower the other"
            )
        self._clock = clock
        self._log = log
        self._watched: list[Dependency | LinkWatch] = []

    def breaker(self, name: str) -> Dependency:
        """Make the breaker of something that is called."""
        options = self._options
        made = Dependency(
            name,
            CircuitBreaker(
                options.failures_max,
                options.open_ms,
                options.half_open_max,
                open_ms_max=options.open_ms_max,
                # many instances must not come back in step
                seed=zlib.crc32(b"%d %s" % (os.getpid(), name.encode())),
            ),
            self._clock,
            self._tell,
        )
        self._watched.append(made)
        return made

    def link(
        self, name: str, is_connected: Callable[[], bool], dropped: Callable[[], int] = lambda: 0
    ) -> None:
        """Watch a connection that heals by itself; see `LinkWatch`."""
        self._watched.append(LinkWatch(name, is_connected, dropped))

    def status(self) -> tuple[DependencyStatus, ...]:
        """Tell how everything does now."""
        return tuple(watched.status() for watched in self._watched)

    def _tell(self, status: DependencyStatus) -> None:
        if status.state == "open":
            self._log.warning("dependency given up", name=status.name, reason=status.reason)
        elif status.state == "closed":
            self._log.info("dependency is back", name=status.name, refused=status.refused)
