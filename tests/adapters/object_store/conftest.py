"""Buckets for tests: in memory, on a real server with conditional writes, on one without."""

from collections.abc import Iterator

import pytest
from obstore.store import MemoryStore

from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3
from swapstats.errors import UsageError
from swapstats.stack.object_store import ObjectStoreAccess, running_object_store
from swapstats.stack.versitygw import versitygw


@pytest.fixture
def objects() -> Objects:
    return Objects(MemoryStore(), "test")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """A real server that honours conditions."""
    try:
        server, access = versitygw(tmp_path_factory.mktemp("s3"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield reached(access)
    server.stop()


@pytest.fixture(scope="module")
def careless_s3() -> Iterator[Objects]:
    """A real server that ignores conditions."""
    try:
        with running_object_store() as access:
            yield reached(access)
    except UsageError as error:
        pytest.skip(str(error))


def reached(access: ObjectStoreAccess) -> Objects:
    location = S3Location(
        access.bucket, access.endpoint, access.region, access.key_id, access.secret
    )
    return Objects(open_s3(location), "test")
