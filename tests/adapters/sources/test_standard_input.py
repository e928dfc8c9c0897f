"""The standard input as a source: prompt, and never resumed."""

import asyncio
import os
from typing import BinaryIO, cast

from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.sources.standard_input import StandardInput
from swapstats.adapters.system_clock import SystemClock


async def test_lines_come_at_once_and_a_position_is_no_place_to_skip_to() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        clock = SystemClock()
        lines = NdjsonSource(["-"], clock, name="stdin", stdin=cast("BinaryIO", pipe))
        source = StandardInput(clock, lines)
        assert source.name == "stdin"
        batches = source.open('{"file":0,"offset":999}')
        os.write(write_end, b'{"a":1}\n{"a"')
        first = await asyncio.wait_for(anext(batches), 20)
        assert [first.block.message(i) for i in range(len(first.block))] == [b'{"a":1}']
        os.write(write_end, b":2}\n")
        second = await asyncio.wait_for(anext(batches), 20)
        assert second.block.message(0) == b'{"a":2}'
        os.close(write_end)
        assert [batch async for batch in batches] == []
        assert source.status().state == "done"
