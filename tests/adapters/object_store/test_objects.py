import threading
from uuid import uuid4

import pytest

from swapstats.adapters.object_store.objects import (
    PART_BYTES,
    ObjectChanged,
    ObjectGone,
    Objects,
    S3Location,
    open_s3,
)
from swapstats.errors import StoreError, Transient
from swapstats.stack.process import free_port


def test_objects_are_written_read_listed_and_deleted(s3: Objects) -> None:
    folder = uuid4().hex
    for name in ("a", "b/c"):
        s3.put(f"{folder}/{name}", name.encode())
    assert s3.get(f"{folder}/a")[0] == b"a"
    assert sorted(s3.names(folder)) == ["a", "b/c"]
    found = s3.get_ranges(f"{folder}/b/c", [0, 2], [1, 3])
    assert [each.to_bytes() for each in found] == [b"b", b"c"]
    s3.delete([f"{folder}/a", f"{folder}/never there"])
    assert s3.names(folder) == ["b/c"]
    with pytest.raises(ObjectGone):
        s3.get(f"{folder}/a")
    with pytest.raises(ObjectGone):
        s3.get_ranges(f"{folder}/a", [0], [1])


def test_a_large_object_is_sent_in_parts(s3: Objects) -> None:
    name, content = uuid4().hex, bytes(range(256)) * (PART_BYTES // 128)
    s3.put(name, content)
    assert s3.get(name)[0] == content


def test_of_many_writers_with_one_condition_exactly_one_wins(s3: Objects) -> None:
    name = uuid4().hex
    etag: str | None = None
    for _ in range(20):
        won: list[str] = []
        start = threading.Barrier(8)

        def write(number: int, etag: str | None = etag, won: list[str] = won) -> None:
            start.wait()  # noqa: B023 - joined before the next round
            try:
                won.append(s3.put_if(name, b"%s %d" % (str(etag).encode(), number), etag))
            except ObjectChanged:
                return

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        etag = won[0]
        assert s3.get(name)[1] == etag


def test_a_condition_on_an_object_that_is_gone_fails(s3: Objects) -> None:
    name = uuid4().hex
    etag = s3.put_if(name, b"a", None)
    s3.delete([name])
    with pytest.raises(ObjectChanged):
        s3.put_if(name, b"b", etag)


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    location = S3Location("bucket", f"http://127.0.0.1:{free_port()}", "r", "key", "secret")
    absent = Objects(open_s3(location), "")
    for call in (
        lambda: absent.get("a"),
        lambda: absent.put("a", b""),
        lambda: absent.names("a"),
    ):
        with pytest.raises(Transient, match="object a"):
            call()


def test_a_wrong_key_is_named(s3: Objects) -> None:
    endpoint = s3._backend.config["endpoint"]  # type: ignore[union-attr] # S3 here
    location = S3Location("swapstats", endpoint, "us-east-1", "swapstats", "wrong")
    with pytest.raises(StoreError, match="check key, secret"):
        Objects(open_s3(location), "").get("a")
