"""Structured logs: one line an event, to stderr, for people (console) or machines (JSON).

Everything goes through one renderer, what asyncio, aiohttp and other libraries log included.
The only global state is the standard library's root logger, which `Logs.close` gives back.
"""

import logging
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

from swapstats.errors import SettingsError

FORMATS = ("auto", "console", "json")
LEVELS = ("debug", "info", "warning", "error", "critical")
THROTTLE_MS_DEFAULT = 10_000
THROTTLE_KEYS_MAX = 1_000

LoggerFactory = Callable[[str], BoundLogger]
"""Name of a part of swapstats -> its logger."""

# They say at `info` what the metrics say better, one line a request.
_TALKATIVE = ("aiohttp.access",)


class Logs:
    """Logging of this process, from construction until `close`.

    Args:
        style: `console`, `json`, or `auto`: console on a terminal, else JSON.
        level: lowest level written, one of LEVELS.
        stream: where lines go; None means stderr.

    Raises:
        SettingsError: an unknown style or level.
    """

    def __init__(
        self,
        style: Literal["auto", "console", "json"] | str = "auto",  # noqa: PYI051 - names them
        level: str = "info",
        stream: TextIO | None = None,
    ) -> None:
        if style not in FORMATS:
            raise SettingsError(f"Expected a log format of {', '.join(FORMATS)}, was {style!r}")
        if level.lower() not in LEVELS:
            raise SettingsError(f"Expected a log level of {', '.join(LEVELS)}, was {level!r}")
        stream = sys.stderr if stream is None else stream
        console = style == "console" or (style == "auto" and stream.isatty())
        self._handler = logging.StreamHandler(stream)
        self._handler.setFormatter(_formatter(console=console, colors=stream.isatty()))
        root = logging.getLogger()
        self._before = (list(root.handlers), root.level)
        self._quiet = {name: logging.getLogger(name).level for name in _TALKATIVE}
        root.handlers = [self._handler]
        root.setLevel(level.upper())
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    def logger(self, name: str) -> BoundLogger:
        """Return the logger of one part, such as `aggregator`; `bind` adds fields to it."""
        bound: BoundLogger = structlog.wrap_logger(
            logging.getLogger(name),
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.stdlib.PositionalArgumentsFormatter(),
                ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=BoundLogger,
            cache_logger_on_first_use=False,
        ).bind()
        return bound

    def close(self) -> None:
        """Write what is pending and give the root logger back; again does nothing."""
        root = logging.getLogger()
        if self._handler not in root.handlers:
            return
        self._handler.flush()
        root.handlers, level = self._before
        root.setLevel(level)
        for name, level_before in self._quiet.items():
            logging.getLogger(name).setLevel(level_before)


class ThrottledWarnings:
    """Warnings that may come by the thousand: one line per key in `interval_ms`.

    Not safe for use from several threads.

    Args:
        logger: where lines go.
        monotonic_ms: monotonic clock, milliseconds.
        interval_ms: shortest time between two lines of one key, in milliseconds.
        keys_max: keys remembered; beyond it the one longest silent is forgotten, and what it
            still suppressed is written first.
    """

    def __init__(
        self,
        logger: BoundLogger,
        monotonic_ms: Callable[[], int],
        interval_ms: int = THROTTLE_MS_DEFAULT,
        keys_max: int = THROTTLE_KEYS_MAX,
    ) -> None:
        self._logger = logger
        self._monotonic_ms = monotonic_ms
        self._interval_ms = interval_ms
        self._keys_max = keys_max
        self._last: OrderedDict[str, _Suppressed] = OrderedDict()

    def warning(self, key: str, event: str, **fields: Any) -> bool:
        """Warn, unless this key did so a moment ago.

        Args:
            key: what is limited together.
            event: the line; it gets `suppressed=N` if N lines before it were kept back.
            fields: further fields.

        Returns:
            True if the line was written.
        """
        now_ms = self._monotonic_ms()
        last = self._last.pop(key, None)
        if last is not None and now_ms - last.written_ms < self._interval_ms:
            last.count += 1
            last.event = event
            self._last[key] = last
            return False
        if last is not None and last.count:
            fields["suppressed"] = last.count
        self._logger.warning(event, **fields)
        self._last[key] = _Suppressed(now_ms, event)
        if len(self._last) > self._keys_max:
            self._tell(*self._last.popitem(last=False))
        return True

    def flush(self) -> None:
        """Write one line for every key that kept lines back; for a graceful stop."""
        while self._last:
            self._tell(*self._last.popitem(last=False))

    def _tell(self, key: str, last: "_Suppressed") -> None:
        """Account for lines kept back that no later line of the key will account for."""
        if last.count:
            self._logger.warning(last.event, suppressed=last.count, key=key)


class _Suppressed:
    """When a key was last written, and what was kept back since."""

    __slots__ = ("count", "event", "written_ms")

    def __init__(self, written_ms: int, event: str) -> None:
        self.written_ms = written_ms
        self.event = event
        self.count = 0


def _formatter(*, console: bool, colors: bool) -> ProcessorFormatter:
    """Build the one renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if console:
        rendered: list[structlog.typing.Processor] = [
            ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    else:
        rendered = [
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    return ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()], processors=[*shared, *rendered]
    )
