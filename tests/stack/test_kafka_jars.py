import stat
import threading
from pathlib import Path

import pytest

from swapstats.errors import UsageError
from swapstats.stack.kafka_jars import KAFKA_VERSION, find_java, kafka_jars

_MAVEN = """#!/bin/sh
echo called >> {calls}
for argument in "$@"; do
    case $argument in
    -DoutputDirectory=*) mkdir "${{argument#*=}}"; touch "${{argument#*=}}/kafka.jar" ;;
    esac
done
exit {code}
"""


def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """A program in Maven's place that notes its calls, and makes the folder asked for."""
    calls = tmp_path / "calls"
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "mvn"
    program.write_text(_MAVEN.format(calls=calls, code=code))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return calls


def test_jars_are_fetched_once_by_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = maven(tmp_path, monkeypatch)
    found: list[Path] = []
    cache = tmp_path / "cache"
    askers = [threading.Thread(target=lambda: found.append(kafka_jars(cache))) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert found == [cache / f"kafka-{KAFKA_VERSION}"] * 4
    assert [path.name for path in found[0].iterdir()] == ["kafka.jar"]
    assert calls.read_text().count("called") == 1
    assert sorted(path.name for path in cache.iterdir()) == [
        f"kafka-{KAFKA_VERSION}",
        f"kafka-{KAFKA_VERSION}.lock",
    ]


def test_a_failed_fetch_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven(tmp_path, monkeypatch, code=1)
    with pytest.raises(UsageError, match="exit 1"):
        kafka_jars(tmp_path / "cache")
    assert not (tmp_path / "cache" / f"kafka-{KAFKA_VERSION}").exists()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt install maven"):
        kafka_jars(tmp_path / "cache")


def test_a_java_of_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_java() == str(java)
    java.unlink()
    assert find_java().endswith("java")
