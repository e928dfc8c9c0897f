"""For all tests: a failure is told when it happens, not only at the end of a long run."""

from typing import Final

import pytest

LINES_MAX: Final = 8


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Tell failures as they come, where results come together."""
    if not hasattr(config, "workerinput"):  # a worker hands its results on
        config.pluginmanager.register(_FailuresAtOnce(config), "failures-at-once")


class _FailuresAtOnce:
    """Writes one line for each failure; the whole of it follows at the end.

    Args:
        config: whose terminal is written to.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell where a phase of a test failed."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            said = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
            terminal.ensure_newline()
            for line in (f"FAILED in {report.when}: {report.nodeid}", *said[:LINES_MAX]):
                terminal.write_line(line)
