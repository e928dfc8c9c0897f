"""What test chains are made of, fetched once by npm: anvil, and the compiled contracts of Uniswap.

npm asks whichever registry it is set up for. No package's own scripts are run.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from swapstats.errors import UsageError
from swapstats.stack.fetched import fetched, user_cache

PACKAGES: Final = {
    "@foundry-rs/anvil": "1.7.1",
    "@openzeppelin/contracts": "3.4.2",
    "@uniswap/v2-core": "1.0.1",
    "@uniswap/v2-periphery": "1.1.0-beta.0",
    "@uniswap/v3-core": "1.0.1",
    "@uniswap/v3-periphery": "1.4.4",
    "@uniswap/v4-core": "1.0.2",
}
_NAME: Final = "evm-1"
"""Raised when PACKAGES change."""
_FETCH_S_MAX: Final = 600


def evm_packages(cache: Path | None = None) -> Path:
    """Find the folder `node_modules` with PACKAGES in it, fetching it the first time.

    Args:
        cache: folder for what is fetched; by default `swapstats` in the user's cache folder.

    Raises:
        UsageError: there is no npm, or it could not fetch them.
    """
    return fetched(cache or user_cache(), _NAME, _fetch)


def _fetch(made: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(
            "Expected npm to fetch anvil and contracts, was none: install it "
            "(Debian: apt install npm)"
        )
    manifest = {"private": True, "dependencies": PACKAGES}
    (made / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = subprocess.run(  # noqa: S603 - a fixed command with paths of ours
        [
            npm,
            "install",
            f"--prefix={made}",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=error",
        ],
        cwd=made,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_FETCH_S_MAX,
        check=False,
    )
    if result.returncode != 0:
        raise UsageError(
            f"Expected npm to fetch anvil and contracts, was exit {result.returncode}: check its "
            "network and settings; it said:\n" + result.stdout.decode(errors="replace")[-1_000:]
        )
    return made / "node_modules"
