from swapstats.roles.preprocess.status import PreprocessStatus, RawPlace


def test_lag_is_the_largest_and_unread_the_sum() -> None:
    status = PreprocessStatus((RawPlace(0, 5, 9, 100), RawPlace(1, 2, 2, 0), RawPlace(2, 0, 7, 30)))
    assert (status.lag_ms, status.unread) == (100, 11)
    assert (PreprocessStatus().lag_ms, PreprocessStatus().unread) == (0, 0)
