"""Objects of an S3-compatible store: read, listed, written under conditions, deleted.

The one place that knows the client library and its errors. Nothing here knows what objects mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import MemoryStore, S3Store

from swapstats.errors import StoreError, StoreFull, SwapstatsError, Transient

RETRIES_MAX: Final = 4
RETRY_S_MAX: Final = 20
REQUEST_S_MAX: Final = 30
CONNECT_S_MAX: Final = 5
PART_BYTES: Final = 16 << 20
"""Larger objects are sent in parts of this size, several at a time."""

if TYPE_CHECKING:
    # These exist for type checkers only.
    from obstore import PutMode
    from obstore.store import S3Config

ObjectBackend = S3Store | MemoryStore
"""Stores with conditional writes; the one in memory is for tests and lives with its process."""

_FULL_WORDS: Final = ("StorageFull", "QuotaExceeded", "InsufficientStorage", "No space left")


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where a bucket is and how to reach it.

    Attributes:
        bucket: its name.
        endpoint: URL of the server, path style; empty = AWS.
        region: any server has one.
        key_id: access key id; empty = the environment's (instance role, AWS_* variables).
        secret: secret access key.
    """

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = ""


class ObjectChanged(Exception):
    """A conditional write found another object, or none, or one where none was expected."""


class ObjectGone(Exception):
    """An object that was asked for is not there."""


def open_s3(location: S3Location) -> S3Store:
    """Describe a bucket to the client library; nothing is sent yet."""
    config: S3Config = {
        "region": location.region,
        "virtual_hosted_style_request": not location.endpoint,
    }
    if location.endpoint:
        config["endpoint"] = location.endpoint
    if location.key_id:
        config["access_key_id"] = location.key_id
        config["secret_access_key"] = location.secret
    return S3Store(
        location.bucket,
        config=config,
        client_options={
            "allow_http": location.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_S_MAX),
            "timeout": timedelta(seconds=REQUEST_S_MAX),
        },
        retry_config={
            "max_retries": RETRIES_MAX,
            "retry_timeout": timedelta(seconds=RETRY_S_MAX),
        },
    )


class Objects:
    """Objects under one prefix of a bucket; from any thread.

    Args:
        backend: the bucket.
        prefix: what every key begins with, without a slash at its ends; may be empty.
    """

    def __init__(self, backend: ObjectBackend, prefix: str) -> None:
        self._backend = backend
        self._prefix = prefix.strip("/")

    def get(self, name: str) -> tuple[bytes, str]:
        """Read a whole object.

        Returns:
            Its bytes and its etag.

        Raises:
            ObjectGone: there is none.
            Transient: the store cannot be reached.
            StoreError: access denied.
        """
        try:
            found = obstore.get(self._backend, self._key(name))
            return found.bytes().to_bytes(), found.meta["e_tag"] or ""
        except FileNotFoundError as error:
            raise ObjectGone(name) from error
        except BaseError as error:
            raise self._translated("read", name, error) from error

    def get_ranges(
        self, name: str, starts: Sequence[int], ends: Sequence[int]
    ) -> list[obstore.Bytes]:
        """Read byte ranges of an object; ends are exclusive.

        Raises:
            ObjectGone: there is no such object.
            Transient: the store cannot be reached, or sent something else than the range.
            StoreError: access denied.
        """
        try:
            return obstore.get_ranges(
                self._backend, self._key(name), starts=list(starts), ends=list(ends)
            )
        except FileNotFoundError as error:
            raise ObjectGone(name) from error
        except BaseError as error:
            raise self._translated("read", name, error) from error

    def put(self, name: str, content: bytes | bytearray) -> None:
        """Write an object whatever was there.

        Raises:
            Transient: the store cannot be reached.
            StoreFull: no space, or a quota is used up.
            StoreError: access denied.
        """
        try:
            obstore.put(self._backend, self._key(name), content, chunk_size=PART_BYTES)
        except BaseError as error:
            raise self._translated("write", name, error) from error

    def put_if(self, name: str, content: bytes, etag: str | None) -> str:
        """Write an object only if it is still the one with this etag; None = only if none is there.

        Returns:
            The new etag.

        Raises:
            ObjectChanged: the condition failed. A write whose answer was lost and that was sent
                again ends so as well: look at what is there.
            Transient: the store cannot be reached; the object may or may not have been written.
            StoreFull: no space, or a quota is used up.
            StoreError: access denied.
        """
        mode: PutMode = "create" if etag is None else {"e_tag": etag}
        try:
            put = obstore.put(
                self._backend, self._key(name), content, mode=mode, use_multipart=False
            )
        except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
            raise ObjectChanged(name) from error
        except BaseError as error:
            raise self._translated("write", name, error) from error
        return put["e_tag"] or ""

    def names(self, folder: str) -> list[str]:
        """Names of all objects in a folder, relative to it.

        Raises:
            Transient: the store cannot be reached.
            StoreError: access denied.
        """
        key = self._key(folder)
        try:
            return [
                found["path"][len(key) + 1 :]
                for chunk in obstore.list(self._backend, key)
                for found in chunk
            ]
        except BaseError as error:
            raise self._translated("list", folder, error) from error

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; those that are not there are deleted already.

        Raises:
            Transient: the store cannot be reached.
            StoreError: access denied.
        """
        for name in names:
            try:
                obstore.delete(self._backend, self._key(name))
            except FileNotFoundError:
                continue
            except BaseError as error:
                raise self._translated("delete", name, error) from error

    def place(self, name: str) -> str:
        """Name an object for people."""
        return self._key(name)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _translated(self, verb: str, name: str, error: BaseError) -> SwapstatsError:
        first_line = str(error).partition("\n")[0]
        what = f"Expected to {verb} the object {self._key(name)}, was: {first_line}"
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return StoreError(f"{what}: check key, secret and the rights on the bucket")
        if any(word in str(error) for word in _FULL_WORDS):
            return StoreFull(f"{what}: free space or raise the quota")
        return Transient(what)
