"""A server of a test: begins, runs what it is asked on its own thread, ends once."""

import threading

from swapstats.testing.threaded_server import ThreadedServer


class Quiet(ThreadedServer):
    def __init__(self) -> None:
        super().__init__("quiet")
        self.told: list[tuple[str, str]] = []

    async def _open(self) -> None:
        self.told.append(("open", threading.current_thread().name))

    async def _shut(self) -> None:
        self.told.append(("shut", threading.current_thread().name))


def test_it_opens_and_shuts_on_its_own_thread() -> None:
    with Quiet() as server:
        assert server.told == [("open", "quiet")]
    server.close()
    assert server.told == [("open", "quiet"), ("shut", "quiet")]
    assert not server._thread.is_alive()


def test_one_that_never_began_ends_as_well() -> None:
    server = Quiet()
    server.close()
    assert server.told == []
