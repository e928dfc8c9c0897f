"""Whether an object store keeps the promises checkpoints stand on: conditions and byte ranges.

Some S3-compatible servers take `If-Match` and `If-None-Match` and ignore them; a shard's former
owner could then overwrite its successor's state. This is found at the start, by trying it.
"""

from uuid import uuid4

from swapstats.adapters.object_store.objects import ObjectChanged, Objects
from swapstats.errors import SettingsError, Transient

_FOLDER = "probe"


def require_conditions(objects: Objects) -> None:
    """Try conditional writes and a range read on an object of its own, and delete that.

    Raises:
        SettingsError: the server ignores a condition or a range; the message says which.
        Transient: the store cannot be reached.
        StoreError: access denied.
    """
    name = f"{_FOLDER}/{uuid4().hex}"
    try:
        etag = objects.put_if(name, b"first", None)
        if not etag:
            _refuse(objects, "gives objects no etag")
        if _is_written(objects, name, None):
            _refuse(objects, "ignores If-None-Match")
        if _is_written(objects, name, '"00000000000000000000000000000000"'):
            _refuse(objects, "ignores If-Match")
        objects.put_if(name, b"third", etag)
        if _is_written(objects, name, etag):
            _refuse(objects, "ignores If-Match")
        _require_ranges(objects, name)
    except ObjectChanged:
        _refuse(objects, "refuses a write whose condition holds")
    finally:
        objects.delete([name])


def _is_written(objects: Objects, name: str, etag: str | None) -> bool:
    """True if a write went through although its condition does not hold."""
    try:
        objects.put_if(name, b"other", etag)
    except ObjectChanged:
        return False
    return True


def _require_ranges(objects: Objects, name: str) -> None:
    try:
        found = objects.get_ranges(name, [1], [3])[0].to_bytes()
    except Transient as error:
        raise SettingsError(
            f"Expected an object store that serves byte ranges, was one that did not ({error})"
        ) from error
    if found != b"hi":
        _refuse(objects, "serves other bytes than the range that was asked for")


def _refuse(objects: Objects, found: str) -> None:
    raise SettingsError(
        f"Expected an object store with conditional writes for checkpoints under "
        f"{objects.place('')}, was one that {found}: a former owner of a shard could overwrite "
        "newer state. Use AWS S3, MinIO, versitygw or another store that honours If-Match and "
        "If-None-Match on PUT, or keep checkpoints in Redis"
    )
