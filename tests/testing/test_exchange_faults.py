"""Faults by a seed."""

from swapstats.testing.exchange_faults import FAULT_KINDS, seeded_faults


def test_a_seed_chooses_the_same_again() -> None:
    one = seeded_faults(7, FAULT_KINDS, 1_000, 20, 50)
    assert one == seeded_faults(7, FAULT_KINDS, 1_000, 20, 50)
    assert one != seeded_faults(8, FAULT_KINDS, 1_000, 20, 50)
    assert [fault.at for fault in one] == sorted(fault.at for fault in one)
    assert all(1 <= fault.at < 1_000 and 1 <= fault.span <= 50 for fault in one)
