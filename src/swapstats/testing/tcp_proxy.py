"""A TCP proxy on loopback that can stop forwarding and go on: a network cut on purpose.

While it is cut, both ends keep their connections and hear nothing; new connections are accepted and
stay silent. What was sent meanwhile arrives when it goes on, however late, as it would by TCP:
a command that its sender gave up long ago is carried out after all.
"""

import asyncio
import contextlib

from swapstats.testing.threaded_server import ThreadedServer

CHUNK_BYTES = 1 << 16


class TcpProxy(ThreadedServer):
    """Forwards connections to a loopback port, from a thread of its own.

    Args:
        target_port: where to.

    Attributes:
        port: where it listens, once started.
        connections: how many it has accepted.
    """

    def __init__(self, target_port: int) -> None:
        super().__init__("proxy")
        self.port = 0
        self.connections = 0
        self._target_port = target_port
        self._passes = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def is_cut(self) -> bool:
        """True while nothing passes."""
        return not self._passes.is_set()

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self._run(self._set(passes=False))

    def mend(self) -> None:
        """Let everything pass again, what waits first."""
        self._run(self._set(passes=True))

    async def _open(self) -> None:
        self._passes.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, *, passes: bool) -> None:
        if passes:
            self._passes.set()
        else:
            self._passes.clear()

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            await self._passes.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            with contextlib.closing(back):
                await self._forward_both(reader, writer, there, back)

    async def _forward_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        """Forward until either end is done."""
        ways = [
            asyncio.create_task(self._forward(reader, back)),
            asyncio.create_task(self._forward(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._passes.wait()
            writer.write(data)
            await writer.drain()
        # The end of a connection is a word too: it does not pass sooner than what was said.
        await self._passes.wait()
