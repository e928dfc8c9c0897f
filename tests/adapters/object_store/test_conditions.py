import pytest

from swapstats.adapters.object_store.checkpoints import ObjectCheckpointStore
from swapstats.adapters.object_store.conditions import require_conditions
from swapstats.adapters.object_store.objects import Objects
from swapstats.errors import SettingsError


def test_a_store_with_conditions_is_taken_and_nothing_is_left(
    objects: Objects, s3: Objects
) -> None:
    for each in (objects, s3):
        require_conditions(each)
        assert each.names("probe") == []


def test_a_server_that_ignores_conditions_is_refused(careless_s3: Objects) -> None:
    with pytest.raises(SettingsError, match="ignores If-None-Match"):
        ObjectCheckpointStore(careless_s3)
    assert careless_s3.names("probe") == []


class Careless(Objects):
    """A store that looks at one kind of condition only, or serves ranges badly."""

    ignored = "update"

    def put_if(self, name: str, content: bytes, etag: str | None) -> str:
        if etag is not None and self.ignored == "update":
            self.put(name, content)
            return self.get(name)[1]
        return super().put_if(name, content, etag)

    def get_ranges(self, name, starts, ends):  # type: ignore[no-untyped-def] # as its parent
        if self.ignored == "range":
            starts = [0]
        return super().get_ranges(name, starts, ends)


@pytest.mark.parametrize(
    ("ignored", "words"), [("update", "ignores If-Match"), ("range", "other bytes")]
)
def test_each_missing_promise_is_found(objects: Objects, ignored: str, words: str) -> None:
    careless = Careless(objects._backend, "test")
    careless.ignored = ignored
    with pytest.raises(SettingsError, match=words):
        require_conditions(careless)
    assert objects.names("probe") == []
