"""The preprocessor in a thread of its own, with a way to stop it and to learn why it stopped."""

import threading
from collections.abc import Callable

from swapstats.roles.preprocess.run import Preprocess


class PreprocessThread:
    """Runs a preprocessor until it is stopped or fails.

    Args:
        preprocess: nobody else may drive it meanwhile.
        on_end: called from the thread when it ends, however it ends.
    """

    def __init__(self, preprocess: Preprocess, on_end: Callable[[], None]) -> None:
        self._preprocess = preprocess
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="preprocess")
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin: restore, then work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present round and a last saved state."""
        self._stop.set()
        self._preprocess.wake.set()

    def join(self) -> None:
        """Wait for the end; harmless if it never began.

        Raises:
            BaseException: what made it fail.
        """
        if self._thread.ident is not None:
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            self._preprocess.restore()
            self._preprocess.run(self._stop)
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self.failure = error
        finally:
            self._on_end()
