from swapstats.core.preprocess.refusal import FILTERS, LETTERS, Refusal


def test_letters_are_kept_and_filtered_ones_only_count() -> None:
    assert Refusal("bad_json", "").is_letter
    assert not Refusal("dust", "").is_letter
    assert not LETTERS.keys() & FILTERS.keys()
