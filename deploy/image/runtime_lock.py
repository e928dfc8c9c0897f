"""Choose from requirements.lock what the image needs: the package's own dependencies and theirs.

Tests and linters are locked in the same file and would triple the image. Run this again after the
lock has changed; `tests/test_deploy.py` fails until that is done.

    .venv/bin/python deploy/image/runtime_lock.py > deploy/image/requirements.lock
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ("setuptools",)
"""Needed to install the package itself; taken out of the image afterwards."""
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def runtime_lock(lock: str) -> str:
    """The entries of a lock, hashes included, that the installed swapstats needs."""
    entries: dict[str, list[str]] = {}
    for entry in re.findall(r"^\w.*(?:\n .*)*", lock, re.MULTILINE):
        # One package may be there several times, for one version of Python each.
        entries.setdefault(_canonical(entry), []).append(entry)
    wanted = sorted(_closure(["swapstats", *BUILD]) - {"swapstats"})
    missing = [name for name in wanted if name not in entries]
    if missing:
        raise SystemExit(f"Expected {', '.join(missing)} in requirements.lock, was not there")
    head = "# Made by deploy/image/runtime_lock.py from requirements.lock; not written by hand.\n"
    return head + "".join(f"{entry}\n" for name in wanted for entry in entries[name])


def _closure(names: list[str]) -> set[str]:
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found and _is_installed(name):
            found.add(name)
            names += _needs(name)
    return found


def _needs(name: str) -> Iterator[str]:
    extras = {"psycopg": ("psycopg-binary",), "redis": ("hiredis",)}.get(name, ())
    for requirement in requires(name) or []:
        if "extra ==" not in requirement:
            yield _canonical(requirement)
    yield from extras


def _is_installed(name: str) -> bool:
    """False for what a marker keeps away from this platform."""
    try:
        requires(name)
    except PackageNotFoundError:
        return False
    return True


def _canonical(requirement: str) -> str:
    matched = _NAME.match(requirement)
    if matched is None:
        return ""
    return re.sub(r"[-_.]+", "-", matched.group()).lower()


if __name__ == "__main__":
    sys.stdout.write(runtime_lock((ROOT / "requirements.lock").read_text(encoding="utf-8")))
