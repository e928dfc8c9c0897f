from random import Random

import pytest
from tests.core.test_archive_rows import all_rows
from tests.roles.archive_rig import MemoryArchive
from tests.roles.test_archive_lane import note, records

from swapstats.core.archive_rows import read_rows
from swapstats.errors import Transient
from swapstats.ports.archive import Archive, ArchiveBatch
from swapstats.roles.patient_archive import PatientArchive


def test_it_is_opened_when_it_is_needed_and_until_that_succeeds() -> None:
    tries: list[int] = []
    archive = MemoryArchive(Random(1))

    def open_archive() -> Archive:
        tries.append(len(tries))
        if len(tries) < 3:
            raise Transient("not there yet")
        return archive

    patient = PatientArchive(open_archive)
    patient.close()
    assert tries == []
    batch = ArchiveBatch(note(0, 5, inserted=False), read_rows(records(0, 5), all_rows(5)))
    for _ in range(2):
        with pytest.raises(Transient, match="not there"):
            patient.insert(batch)
    patient.insert(batch)
    patient.verify(batch)
    assert patient.end_offset(0) == 5
    assert len(archive.raw) == 5
    assert len(tries) == 3
    patient.close()
    patient.insert(batch)
    assert len(tries) == 4
