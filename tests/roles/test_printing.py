"""Raw events as lines."""

import asyncio
import io

import pytest
from tests.roles.test_ingest import ListSource

from swapstats.errors import Rejected
from swapstats.roles.printing import LinePrinter
from swapstats.testing.eventually import eventually_async


async def test_messages_of_all_sources_become_lines() -> None:
    output = io.BytesIO()
    sources = [ListSource([b"a", b"b"], [], [b"c"]), ListSource([b"d"], name="other")]
    await LinePrinter(output).run(list(sources), asyncio.Event())
    assert sorted(output.getvalue().splitlines()) == [b"a", b"b", b"c", b"d"]
    assert [source.opened_at for source in sources] == [[None], [None]]


async def test_a_source_that_fails_is_told_after_what_it_gave() -> None:
    output = io.BytesIO()
    with pytest.raises(Rejected):
        await LinePrinter(output).run([ListSource([b"a"], fails=True)], asyncio.Event())
    assert output.getvalue() == b"a\n"


class Closed(io.BytesIO):
    """A pipe that nobody reads."""

    def write(self, lines: object) -> int:
        del lines
        raise BrokenPipeError


async def test_a_pipe_that_nobody_reads_ends_it_quietly() -> None:
    await LinePrinter(Closed()).run([ListSource([b"a"])], asyncio.Event())


async def test_a_stop_ends_what_waits() -> None:
    from tests.wiring.test_service import Given

    output, stop = io.BytesIO(), asyncio.Event()
    running = asyncio.create_task(LinePrinter(output).run([Given(b"a")], stop))
    await eventually_async(lambda: output.getvalue() == b"a\n", 5_000, "the line")
    stop.set()
    await asyncio.wait_for(running, 5)
