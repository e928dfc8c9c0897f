import asyncio

import pytest
from nats.aio.client import Client

from swapstats.adapters.nats.link import NatsLink, confirmed
from swapstats.stack.nats import NatsServer
from swapstats.stack.process import free_port
from swapstats.testing.eventually import eventually_async


async def test_the_use_ends_the_link(server: NatsServer) -> None:
    link = NatsLink([server.url], "test")
    used: list[Client] = []

    async def use(client: Client) -> None:
        used.append(client)
        assert link.client is client
        await client.flush(5)

    await link.run(use)
    assert (len(used), link.connections, link.client) == (1, 1, None)
    assert used[0].is_closed


async def test_a_lost_connection_is_made_again(server: NatsServer) -> None:
    link = NatsLink([server.url], "test")

    async def use(client: Client) -> None:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(link.run(use))
    for count in (1, 2, 3):
        await eventually_async(lambda: link.client is not None, 60_000, "a connection")
        assert link.connections == count
        server.kill()
        await eventually_async(lambda: link.client is None, 60_000, "the loss to be seen")
        server.start()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_connection_given_up_is_made_again(server: NatsServer) -> None:
    link = NatsLink([server.url], "test")
    used: list[Client] = []

    async def use(client: Client) -> None:
        used.append(client)
        if len(used) == 1:
            link.give_up()
            await asyncio.Event().wait()

    await asyncio.wait_for(link.run(use), 20)
    assert len(used) == link.connections == 2


async def test_another_server_of_the_list_is_taken(server: NatsServer) -> None:
    link = NatsLink([f"nats://127.0.0.1:{free_port()}", server.url], "test")

    async def use(client: Client) -> None:
        await client.flush(5)

    await asyncio.wait_for(link.run(use), 20)
    assert link.connections == 1


async def test_a_mistake_of_the_user_is_raised_on(server: NatsServer) -> None:
    async def use(client: Client) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await NatsLink([server.url], "test").run(use)


async def test_what_is_confirmed_has_left(server: NatsServer) -> None:
    async def use(client: Client) -> None:
        heard = await client.subscribe("a", pending_msgs_limit=0, pending_bytes_limit=0)
        for count in range(1, 51):
            for _ in range(200):
                await client.publish("a", b"x" * 100)
            await confirmed(client, 5)
            assert client.pending_data_size < 100
            # The server answers in order: what it was sent came back before its answer.
            assert heard.pending_msgs == 200 * count

    await NatsLink([server.url], "test").run(use)
