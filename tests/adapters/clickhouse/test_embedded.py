import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.errors import UsageError

_SECOND = """
import sys
from pathlib import Path
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.errors import SwapstatsError
try:
    EmbeddedEngine(Path(sys.argv[1])).rows("SELECT 1")
except SwapstatsError as error:
    print(type(error).__name__)
"""


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    first = EmbeddedEngine(tmp_path)
    first.run("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    first.run("INSERT INTO kept VALUES (1), (2)")
    first.close()
    again = EmbeddedEngine(tmp_path)
    assert again.rows("SELECT sum(a) FROM kept") == [["3"]]
    again.close()


def test_every_thread_has_a_connection_of_its_own(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    found: list[list[list[str]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.rows("SELECT count() FROM numbers(9)")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[["9"]]] * 4
    engine.close()
    with pytest.raises(UsageError, match="was closed"):
        engine.rows("SELECT 1")


def test_a_second_process_on_the_directory_is_refused(tmp_path: Path) -> None:
    with closing(EmbeddedEngine(tmp_path)):
        second = subprocess.run(
            [sys.executable, "-c", _SECOND, str(tmp_path)], capture_output=True, check=False
        )
    assert second.stdout == b"StoreLocked\n", second.stderr
