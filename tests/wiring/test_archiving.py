"""Raw swaps of a whole service in a real archive; what a copied log had archived is known."""

from pathlib import Path

import pytest
from tests.wiring.test_service import Given, Start, messages, settings_of, start

from swapstats.adapters.clickhouse.engine import Engine
from swapstats.wiring.archive import open_archive_reader
from swapstats.wiring.archiving import _copied_floor

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")

__all__ = ["start"]


class Positions:
    """A log that knows nothing but one position."""

    def __init__(self, said: str | None) -> None:
        self.said = said

    def position(self, source: str) -> str | None:
        assert source == "copy:ends"
        return self.said


def rows(engine: Engine, schema_table: str) -> list[list[str]]:
    return engine.rows(
        f"SELECT token_address, sum(sign), sum(sign * amount_usd) FROM {schema_table} "
        "GROUP BY token_address ORDER BY token_address"
    )


async def test_a_service_archives_what_it_applies_over_two_lives(
    tmp_path: Path, start: Start
) -> None:
    sent = messages(40)
    for part, total in ((sent[:20], 20), (sent[20:], 40)):
        life = start(Given(*part, *part[:3], name=f"until {total}"), stores__archive="embedded")
        await life.ready()
        await life.applied(total)
        status, told = await life.get("/api/archive")
        assert (status, told["moving_parts"]) == (200, 0)
        await life.end()
        assert "archive" in life.events()
    reader = open_archive_reader(
        settings_of(tmp_path / "data", stores__archive="embedded"), data_dir=tmp_path / "data"
    )
    try:
        found = rows(reader.engine, reader.schema.table("raw_swaps"))
    finally:
        reader.close()
    assert [(token, count, float(usd)) for token, count, usd in found] == [
        (f"T{number}", "8", 12.0) for number in range(5)
    ]


async def test_without_an_archive_the_service_says_so_and_goes_on(start: Start) -> None:
    life = start(Given(*messages(5)))
    await life.applied(5)
    assert "stores.archive is off" in life.said.getvalue()
    assert (await life.get("/api/archive"))[0] == 404
    await life.end()


@pytest.mark.parametrize(
    ("said", "partition", "floor"), [(None, 0, 0), ("[5,9]", 1, 9), ("[5,9]", 2, 0)]
)
def test_what_was_archived_from_another_log(said: str | None, partition: int, floor: int) -> None:
    assert _copied_floor(Positions(said))(partition) == floor  # type: ignore[arg-type] # one verb
