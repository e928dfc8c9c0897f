"""Tokens numbered in order of appearance, their symbols, and their way through a checkpoint."""

from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import KEY, batch_of, every_row, rows_of, swap

from swapstats.core.decode import decode
from swapstats.core.token_table import TokenTable, decode_names, encode_names
from swapstats.errors import StoreCorrupt
from swapstats.model.effects import TokenName
from swapstats.testing.wire_streams import WireSwap, spelled


def take(table: TokenTable, *swaps: WireSwap) -> tuple[list[int], tuple[TokenName, ...]]:
    batch = batch_of([spelled(one) for one in swaps])
    columns = decode(batch, KEY, None)
    tokens, names = table.intern(every_row(columns), columns, batch.buffer)
    return tokens.tolist(), names


def of(address: str, symbol: str | None = None) -> WireSwap:
    return swap(1, token_address=address, token_symbol=symbol)


def test_numbers_follow_appearance_and_never_change() -> None:
    table = TokenTable()
    assert take(table, of("b"), of("a"), of("b"))[0] == [0, 1, 0]
    assert take(table, of("c"), of("a"))[0] == [2, 1]
    assert table.keys == ["b", "a", "c"]
    assert (table.number("c"), table.number("d")) == (2, None)


def test_names_tell_new_tokens_and_first_symbols_once() -> None:
    table = TokenTable()
    assert take(table, of("a"), of("b", "B"), of("a"))[1] == (
        TokenName(0, "a", None),
        TokenName(1, "b", "B"),
    )
    assert take(table, of("a", "A"), of("b", "B2"), of("a", "A2"))[1] == (TokenName(0, "a", "A"),)
    assert take(table, of("a", "A3"), of("b"))[1] == ()
    assert table.symbols == ["A", "B"]


def test_a_new_token_whose_symbol_comes_in_the_same_batch_is_named_once() -> None:
    assert take(TokenTable(), of("a"), of("a", "A"))[1] == (TokenName(0, "a", "A"),)


def test_symbols_of_fast_and_slow_rows() -> None:
    """A text that does not stand plainly in the message is kept apart."""
    table = TokenTable()
    take(table, of("a", "\u00fc\U0001f680"), of("b", "plain"), of("c", '"\\'), of("d", ""))
    assert table.symbols == ["\u00fc\U0001f680", "plain", '"\\', None]


def test_only_the_given_rows_are_looked_at() -> None:
    table = TokenTable()
    batch = batch_of([spelled(of(address)) for address in "abc"])
    columns = decode(batch, KEY, None)
    table.intern(rows_of(2, 0), columns, batch.buffer)
    assert table.keys == ["c", "a"]
    assert table.intern(rows_of(), columns, batch.buffer)[1] == ()


@pytest.mark.parametrize("seed", range(3))
def test_growth_keeps_every_number(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    table, numbers = TokenTable(), dict[str, int]()
    for _ in range(12):
        keys = [f"{rng.randrange(3_000)}" * rng.choice((1, 9)) for _ in range(400)]
        for key in keys:
            numbers.setdefault(key, len(numbers))
        assert take(table, *map(of, keys))[0] == [numbers[key] for key in keys]
    assert table.keys == list(numbers)
    assert table.count == len(numbers) > 1_024
    assert table.size_bytes < 200 * len(numbers) + 100_000
    other = TokenTable()
    other.load([TokenName(n, key, None) for key, n in numbers.items()], KEY)
    keys = rng.sample(list(numbers), 500)
    assert take(other, *map(of, keys))[0] == [numbers[key] for key in keys]
    assert other.count == len(numbers)


def test_names_survive_their_encoding_and_loading() -> None:
    names = [TokenName(0, "1:0xab", "AB"), TokenName(1, "\u00fc key", None)]
    assert decode_names(encode_names(names)) == names
    assert decode_names(encode_names([])) == []
    table = TokenTable()
    table.load(names, KEY)
    table.load([TokenName(1, "\u00fc key", "U"), TokenName(2, "z", None)], KEY)
    assert table.symbols == ["AB", "U", None]
    numbers, named = take(table, of("z", "Z"), of("\u00fc key", "other"), of("new"))
    assert numbers == [2, 1, 3]
    assert named == (TokenName(2, "z", "Z"), TokenName(3, "new", None))


def test_a_gap_in_the_numbers_is_corrupt() -> None:
    with pytest.raises(StoreCorrupt, match="token number 1, was 2"):
        TokenTable().load([TokenName(0, "a", None), TokenName(2, "b", None)], KEY)


@pytest.mark.parametrize("blob", [b"x", b'[["a","b","c"]]', b"[[1]]", b"\xff"])
def test_bytes_that_are_no_names(blob: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="token names"):
        decode_names(blob)


def test_keys_that_are_prefixes_of_each_other_are_apart() -> None:
    table = TokenTable()
    assert take(table, *(of("x" * count) for count in range(1, 40)))[0] == list(range(39))
    assert np.unique([table.number("x" * count) for count in range(1, 40)]).size == 39
