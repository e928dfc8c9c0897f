"""What a stateless API process says about itself: health, readiness, status.

Health is about this process alone: while its looks end, failed ones too, a restart would help
nothing and lose what it knows. That the store is away is told by readiness, and by the age of
every answer.
"""

from swapstats.model.health import Health, PartitionState, Readiness, ServiceState
from swapstats.ports.clock import Clock
from swapstats.roles.serve.hearing import Hearing
from swapstats.roles.serve.replica import Replica


class ServeWatch:
    """Looks at the replica and answers for it.

    Args:
        replica: whose places are read.
        clock: monotonic time.
        no_progress_ms: a replica of which no look ended for so long is unhealthy.
        hearing: what hears other instances; None = nothing does.

    Attributes:
        waiting: why the replica has not begun, for people; None once it has.
        trouble: what keeps it from beginning; None if nothing does.
        notes: sentences for people.
    """

    def __init__(
        self,
        replica: Replica,
        clock: Clock,
        no_progress_ms: int,
        hearing: Hearing | None = None,
    ) -> None:
        self._replica = replica
        self._clock = clock
        self._no_progress_ms = no_progress_ms
        self._hearing = hearing
        self._asked_ms = clock.monotonic_ms()
        self._has_served = False
        self.waiting: str | None = "Expected the hot store's answer, was none yet"
        self.trouble: str | None = None
        self.notes: list[str] = []

    def asked(self) -> None:
        """Take note that a question to the store ended, before the replica began."""
        self._asked_ms = self._clock.monotonic_ms()

    def health(self) -> Health:
        """Whether looks at the store end, in whatever way."""
        still_ms = self._clock.monotonic_ms() - max(self._asked_ms, self._replica.ended_ms or 0)
        if still_ms <= self._no_progress_ms:
            return Health(healthy=True)
        return Health(
            healthy=False,
            reason=f"Expected a look at the hot store to end within {self._no_progress_ms} ms, "
            f"was none for {still_ms} ms",
        )

    def readiness(self) -> Readiness:
        """Whether every partition was read once, and anything was found.

        Once ready it stays so: without the store, what is known is served with its age.
        """
        if not self._has_served:
            found = self._first_readiness()
            self._has_served = found.ready
            if not found.ready:
                return found
        trouble = self._trouble()
        if trouble is None:
            return Readiness(ready=True)
        return Readiness(ready=True, warning=f"{_aged(self.lag_ms())}: {trouble}")

    def _first_readiness(self) -> Readiness:
        places = self._replica.places
        looked = sum(place.looked for place in places)
        if self.waiting is not None:
            return Readiness(ready=False, progress=0.0, reason=self.trouble or self.waiting)
        if looked < len(places):
            return Readiness(
                ready=False,
                progress=looked / len(places),
                reason=self._replica.trouble or "reading the hot store after a start",
            )
        if all(place.head is None for place in places):
            return Readiness(
                ready=False,
                reason="Expected statistics in the hot store, was empty: nothing was written yet; "
                "start an aggregator",
            )
        return Readiness(ready=True)

    def service(self) -> ServiceState:
        """The part of `/api/status` that the API cannot know by itself."""
        replica = self._replica
        partitions = []
        for place in replica.places:
            head = place.head
            offset = 0 if head is None else head.offset
            partitions.append(
                PartitionState(
                    place.partition,
                    offset,
                    # The end of the log is known to the owners only; `lag_ms` tells their distance.
                    offset,
                    0 if head is None else head.t_ms,
                    place.looked and head is not None,
                )
            )
        counters = {"updates": replica.updates, "failed_looks": replica.failed_looks}
        if self._hearing is not None:
            counters |= {"heard": self._hearing.heard, "unheard_tokens": self._hearing.refused}
        return ServiceState(
            partitions=tuple(partitions),
            counters=counters,
            warnings=tuple(self._warnings()),
        )

    def lag_ms(self) -> int:
        """Longest lag of any partition."""
        return self._replica.lag_ms()

    def _trouble(self) -> str | None:
        return self._replica.trouble if self.waiting is None else self.trouble

    def _warnings(self) -> list[str]:
        found = list(self.notes)
        readiness = self.readiness()
        trouble = readiness.warning or self._trouble()
        if trouble is not None:
            found.append(trouble)
        if readiness.ready:
            silent = [place.partition for place in self._replica.places if place.head is None]
            if silent:
                listed = ", ".join(map(str, silent[:10])) + (" ..." if len(silent) > 10 else "")
                found.append(f"Nothing was written yet of partitions {listed}")
        if self._hearing is not None and not self._hearing.is_connected:
            found.append("NATS cannot be reached: changes come by looking at the hot store only")
        return found


def _aged(lag_ms: int) -> str:
    """Say how old what is known is."""
    return f"What is known is served with its age, {lag_ms / 1_000:.1f} s now"
