import json
import stat
from pathlib import Path

import pytest

from swapstats.errors import UsageError
from swapstats.stack.evm_packages import PACKAGES, evm_packages

_NPM = """#!/bin/sh
cp package.json {seen}
mkdir node_modules
exit {code}
"""


def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """A program in npm's place that keeps the manifest it was given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "npm"
    program.write_text(_NPM.format(seen=tmp_path / "seen.json", code=code))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return tmp_path / "seen.json"


def test_npm_is_asked_for_exact_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = npm(tmp_path, monkeypatch)
    found = evm_packages(tmp_path / "cache")
    assert found.is_dir()
    assert json.loads(seen.read_text())["dependencies"] == PACKAGES
    assert all(version[0].isdigit() for version in PACKAGES.values())
    seen.unlink()
    assert evm_packages(tmp_path / "cache") == found
    assert not seen.exists()


def test_a_failed_fetch_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(tmp_path, monkeypatch, code=1)
    with pytest.raises(UsageError, match="exit 1"):
        evm_packages(tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_without_npm_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt install npm"):
        evm_packages(tmp_path / "cache")
