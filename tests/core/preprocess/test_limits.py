import pytest

from swapstats.core.preprocess.limits import check_amounts


@pytest.mark.parametrize(
    ("amount", "usd", "reason"),
    [
        (1, None, None),
        (10**38 - 1, 10**18 - 1, None),
        (10**38, 1, "not_representable"),
        (1, 10**18, "not_representable"),
        (0, 5, "dust"),
        (1, 4, "dust"),
        (1, 5, None),
    ],
)
def test_what_a_swap_cannot_hold_is_refused_and_too_little_filtered(
    amount: int, usd: int | None, reason: str | None
) -> None:
    found = check_amounts(amount, usd, 5)
    assert (found and found.reason) == reason


def test_what_has_no_price_is_never_dust() -> None:
    assert check_amounts(1, None, 10**18) is None
