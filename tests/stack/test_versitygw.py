from pathlib import Path

import pytest

from swapstats.adapters.object_store.conditions import require_conditions
from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3
from swapstats.errors import UsageError
from swapstats.stack.versitygw import versitygw


def test_a_server_honours_conditions_and_keeps_objects_over_a_kill(tmp_path: Path) -> None:
    try:
        server, access = versitygw(tmp_path)
    except UsageError as error:
        pytest.skip(str(error))
    location = S3Location(
        access.bucket, access.endpoint, access.region, access.key_id, access.secret
    )
    objects = Objects(open_s3(location), "a")
    server.start()
    try:
        require_conditions(objects)
        etag = objects.put_if("kept", b"content", None)
        server.kill()
        server.start()
        assert objects.get("kept") == (b"content", etag)
    finally:
        server.stop()
