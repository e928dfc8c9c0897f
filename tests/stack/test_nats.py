from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from swapstats.errors import UsageError
from swapstats.stack.nats import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    try:
        server = NatsServer(tmp_path)
    except UsageError as error:
        pytest.skip(str(error))
    yield server
    server.stop()


async def test_a_server_carries_messages_before_and_after_a_kill(server: NatsServer) -> None:
    for _ in range(2):
        server.start()
        client = Client()
        await client.connect(server.url, allow_reconnect=False)
        heard = await client.subscribe("a")
        await client.publish("a", b"message")
        assert (await heard.next_msg(5)).data == b"message"
        await client.close()
        server.kill()
    assert not server.is_running
