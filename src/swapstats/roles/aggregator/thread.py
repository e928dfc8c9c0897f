"""The aggregator in a thread of its own, with a way to stop it and to learn why it stopped."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from swapstats.roles.aggregator.run import Aggregator


def set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Set an event of a loop from another thread; a loop that is gone needs no telling."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)


class AggregatorThread:
    """Runs an aggregator until it is stopped, drained or fails.

    Args:
        aggregator: the aggregator; nobody else may drive it meanwhile.
        on_restored: called from the thread once every shard is back.
        on_end: called from the thread when it ends, however it ends.
    """

    def __init__(
        self,
        aggregator: Aggregator,
        on_restored: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._aggregator = aggregator
        self._on_restored = on_restored
        self._on_end = on_end
        self._stop = threading.Event()
        self._drain = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aggregator")
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin: restore, then work."""
        self._thread.start()

    def drain(self) -> None:
        """End as soon as everything in the log is applied and a last checkpoint is written."""
        self._drain.set()
        self._aggregator.wake.set()

    def stop(self) -> None:
        """End after the present round and a last checkpoint."""
        self._stop.set()
        self._aggregator.wake.set()

    @property
    def alive(self) -> bool:
        """True while it works."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end.

        Raises:
            BaseException: what made it fail.
        """
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            self._aggregator.restore()
            self._on_restored()
            self._aggregator.run(self._stop, self._drain)
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self.failure = error
        finally:
            self._aggregator.close()
            self._on_end()
