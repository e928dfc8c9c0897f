"""One renderer for everything, and warnings that cannot flood it."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from swapstats.errors import SettingsError
from swapstats.observability.logs import Logs, ThrottledWarnings
from swapstats.testing.manual_clock import ManualClock


class Written(io.StringIO):
    """A stream that may pretend to be a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def stream() -> Written:
    return Written()


@pytest.fixture
def logs(stream: Written) -> Iterator[Logs]:
    opened = Logs("json", "info", stream)
    yield opened
    opened.close()


def test_json_lines_have_level_logger_time_and_fields(logs: Logs, stream: Written) -> None:
    logs.logger("aggregator").bind(shard=3).warning("checkpoint is slow", took_ms=812)
    (line,) = stream.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "event": "checkpoint is slow", "level": "warning", "logger": "aggregator",
        "shard": 3, "took_ms": 812,
    }  # fmt: skip


def test_a_bound_logger_leaves_its_parent_as_it_was(logs: Logs, stream: Written) -> None:
    logger = logs.logger("aggregator")
    logger.bind(shard=3)
    logger.info("started")
    assert "shard" not in stream.lines()[0]


def test_lines_below_the_level_are_not_written(logs: Logs, stream: Written) -> None:
    logs.logger("api").debug("seen")
    logging.getLogger("some.library").debug("seen")
    logs.logger("api").info("told")
    assert [line["event"] for line in stream.lines()] == ["told"]


def test_exceptions_are_rendered(logs: Logs, stream: Written) -> None:
    try:
        int("no such thing")
    except ValueError:
        logs.logger("api").exception("request failed", route="/")
    (line,) = stream.lines()
    assert (line["event"], line["level"], line["route"]) == ("request failed", "error", "/")
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert line["exception"].endswith("with base 10: 'no such thing'")


def test_library_lines_go_through_the_same_renderer(logs: Logs, stream: Written) -> None:
    logging.getLogger("some.library").error("broke after %d tries", 3, extra={"peer": "a"})
    (line,) = stream.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "broke after 3 tries", "level": "error", "logger": "some.library", "peer": "a",
    }  # fmt: skip


async def test_asyncio_mishaps_go_through_the_same_renderer(logs: Logs, stream: Written) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "task failed", "exception": RuntimeError("lost")}
    )
    (line,) = stream.lines()
    assert line["logger"] == "asyncio"
    assert line["event"].startswith("task failed")
    assert line["exception"].endswith("RuntimeError: lost")


async def test_aiohttp_errors_are_told_and_its_access_lines_are_not(
    logs: Logs, stream: Written
) -> None:
    async def broken(request: web.Request) -> web.Response:
        raise LookupError("nothing here")

    app = web.Application()
    app.router.add_get("/", broken)
    runner = web.AppRunner(app, access_log=logging.getLogger("aiohttp.access"))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        async with ClientSession() as session, session.get(f"http://{host}:{port}/") as answer:
            assert answer.status == 500
    finally:
        await runner.cleanup()
    (line,) = stream.lines()
    assert line["logger"] == "aiohttp.server"
    assert line["exception"].endswith("LookupError: nothing here")


def test_console_lines_are_for_people(stream: Written) -> None:
    logs = Logs("console", "info", stream)
    try:
        try:
            int("no such thing")
        except ValueError:
            logs.logger("api").exception("request failed", route="/")
    finally:
        logs.close()
    text = stream.getvalue()
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z \[error +\] request failed +\[api\] route=/\n", text)
    assert text.endswith("with base 10: 'no such thing'\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_auto_is_console_on_a_terminal_and_json_elsewhere(terminal: bool) -> None:
    stream = Written()
    stream.terminal = terminal
    logs = Logs("auto", "info", stream)
    logs.logger("api").info("started")
    logs.close()
    assert stream.getvalue().startswith("{") is not terminal


def test_stderr_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs("json")
    logs.logger("api").info("started")
    logs.close()
    written = capsys.readouterr()
    assert '"event": "started"' in written.err
    assert written.out == ""


def test_close_gives_the_root_logger_back(stream: Written) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("aiohttp.access").level)
    logs = Logs("json", "debug", stream)
    assert root.handlers != before[0]
    logs.close()
    logs.close()
    assert (list(root.handlers), root.level, logging.getLogger("aiohttp.access").level) == before


def test_unknown_words_are_refused() -> None:
    with pytest.raises(SettingsError, match="Expected a log format of auto, console, json, was 'x"):
        Logs("xml")
    with pytest.raises(SettingsError, match=r"Expected a log level of debug, .*, was 'loud'"):
        Logs("json", "loud")


def test_warnings_come_once_per_key_and_interval(logs: Logs, stream: Written) -> None:
    clock = ManualClock()
    throttled = ThrottledWarnings(logs.logger("source"), clock.monotonic_ms, interval_ms=10_000)
    written = []
    for at_ms, key in ((0, "a"), (1, "a"), (2, "b"), (9_999, "a"), (10_000, "a"), (10_001, "a")):
        clock.advance(at_ms - clock.monotonic_ms())
        written.append(throttled.warning(key, f"gap in {key}", at=at_ms))
    assert written == [True, False, True, False, True, False]
    assert [(line["event"], line["at"], line.get("suppressed")) for line in stream.lines()] == [
        ("gap in a", 0, None), ("gap in b", 2, None), ("gap in a", 10_000, 2),
    ]  # fmt: skip
    assert {line["level"] for line in stream.lines()} == {"warning"}


def test_what_was_kept_back_is_accounted_for_at_the_end(logs: Logs, stream: Written) -> None:
    throttled = ThrottledWarnings(logs.logger("source"), ManualClock().monotonic_ms)
    for _ in range(5):
        throttled.warning("a", "gap in a")
    throttled.warning("b", "gap in b")
    throttled.flush()
    throttled.flush()
    assert [(line["event"], line.get("suppressed")) for line in stream.lines()] == [
        ("gap in a", None), ("gap in b", None), ("gap in a", 4),
    ]  # fmt: skip


def test_remembers_a_bounded_number_of_keys(logs: Logs, stream: Written) -> None:
    throttled = ThrottledWarnings(logs.logger("s"), ManualClock().monotonic_ms, keys_max=2)
    for key in ("a", "a", "b", "c"):
        throttled.warning(key, f"gap in {key}")
    assert [(line["event"], line.get("suppressed")) for line in stream.lines()] == [
        ("gap in a", None), ("gap in b", None), ("gap in c", None), ("gap in a", 1),
    ]  # fmt: skip
    assert throttled.warning("b", "gap in b") is False
    assert throttled.warning("a", "gap in a") is True
