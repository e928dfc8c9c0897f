"""A real S3 server that honours conditional writes: `versitygw` over a directory.

Checkpoints on object storage are fenced by `If-Match` and `If-None-Match`, which `rclone serve s3`
ignores; this server has both. It is for development and tests; it never serves the network.
"""

import os
import shutil
import sys
from pathlib import Path

from swapstats.errors import UsageError
from swapstats.stack.object_store import ObjectStoreAccess
from swapstats.stack.process import ServerProcess, free_port, listens


def versitygw(
    directory: Path,
    *,
    bucket: str = "swapstats",
    port: int | None = None,
    key_id: str = "swapstats",
    secret: str = "swapstats-secret",  # noqa: S107 - a loopback server of this machine
) -> tuple[ServerProcess, ObjectStoreAccess]:
    """Describe a server, not started yet, and make its bucket.

    Args:
        directory: where objects and the server's log are kept, on a file system with extended
            attributes (etags are kept in them: beside the objects they would be read torn).
        bucket: made if there is none.
        port: loopback port; None = one that is free now.
        key_id: access key id.
        secret: secret access key.

    Returns:
        The server, to be started, and how to reach it; both outlive a restart.

    Raises:
        UsageError: the program is not installed, or the file system has no extended attributes.
    """
    program = versitygw_program()
    objects = directory / "objects"
    (objects / bucket).mkdir(parents=True, exist_ok=True)
    _require_attributes(objects)
    port = free_port() if port is None else port
    command = [program, "--port", f"127.0.0.1:{port}", "--keep-alive", "--quiet"]
    command += ["posix", str(objects.absolute())]
    server = ServerProcess(
        "the S3 server",
        command,
        directory / "s3.log",
        lambda: listens(port),
        env={"ROOT_ACCESS_KEY_ID": key_id, "ROOT_SECRET_ACCESS_KEY": secret},
    )
    return server, ObjectStoreAccess(f"http://127.0.0.1:{port}", bucket, key_id, secret)


def versitygw_program() -> str:
    """Path of `versitygw`: beside this Python, else on the path, else where Go installs.

    Raises:
        UsageError: it is nowhere.
    """
    for place in (Path(sys.executable).parent, Path.home() / "go" / "bin"):
        if (place / "versitygw").exists():
            return str(place / "versitygw")
    found = shutil.which("versitygw")
    if found is None:
        raise UsageError(
            "Expected the program versitygw for an S3 server with conditional writes, was none: "
            "install it by `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`"
        )
    return found


def _require_attributes(directory: Path) -> None:
    try:
        os.setxattr(directory, "user.swapstats", b"1")
    except OSError as error:
        raise UsageError(
            f"Expected a file system with extended attributes at {directory}, was one without "
            f"({error}): use another directory"
        ) from error
