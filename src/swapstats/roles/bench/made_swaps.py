"""Millions of wire v1 messages a second, made by numpy: to fill shards, not to be believed.

All messages have the same length, so that a batch is a table of bytes with digits written into
its columns. What stands in a message is a function of its number, so that a repeated number is
an exact duplicate. `core.demo_market` makes the messages that look like a market.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.errors import UsageError
from swapstats.model.record import RecordBatch

START_MS = 1_770_076_800_000
"""Midnight, a whole number of buckets, hours and days."""
NUMBERS_MAX = 10**10
TOKENS_MAX = 10**7
_TEMPLATE = (
    b'{"schema_version":1,"event_id":"bench:0000000000","token_address":"t0000000",'
    b'"token_symbol":"T0000000","side":"sell","amount_token":"000.000000000000000000",'
    b'"amount_usd":"0000.000000","event_time":0000000000000,"removed":false}'
)
MESSAGE_BYTES = len(_TEMPLATE)
_ID_AT = _TEMPLATE.index(b"bench:") + 6
_ADDRESS_AT = _TEMPLATE.index(b'"t0') + 2
_SYMBOL_AT = _TEMPLATE.index(b'"T0') + 2
_SIDE_AT = _TEMPLATE.index(b'"sell"') + 1
_TOKEN_AT = _TEMPLATE.index(b"000.")
_USD_AT = _TEMPLATE.index(b"0000.000000")
_TIME_AT = _TEMPLATE.index(b"0000000000000,")
_REMOVED_AT = _TEMPLATE.index(b"false")
_BUY = np.frombuffer(b'buy" ', dtype=np.uint8)
_SELL = np.frombuffer(b'sell"', dtype=np.uint8)
_TRUE = np.frombuffer(b"true ", dtype=np.uint8)
_FALSE = np.frombuffer(b"false", dtype=np.uint8)

_U64 = np.uint64
DUPLICATES_PER_10K, LATE_PER_10K = 200, 100
DUPLICATE_DELAYS_S = (0.1, 1.0, 5.0, 20.0, 60.0)
LATE_DELAYS_S = (3.0, 30.0, 100.0, 150.0, 600.0)


def mix(numbers: NDArray[np.int64], salt: int) -> NDArray[np.uint64]:
    """Hash numbers (SplitMix64)."""
    values = numbers.astype(np.uint64) + _U64((salt * 0x9E3779B97F4A7C15) % (1 << 64))
    values = (values ^ (values >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U64(27))) * _U64(0x94D049BB133111EB)
    return values ^ (values >> _U64(31))


def write_messages(
    numbers: NDArray[np.int64],
    tokens: NDArray[np.int64],
    event_ms: NDArray[np.int64],
    removed: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Write messages.

    Args:
        numbers: int64[n], what the event id is made of, 0 to NUMBERS_MAX - 1.
        tokens: int64[n], token numbers, 0 to TOKENS_MAX - 1.
        event_ms: int64[n], 13 digits.
        removed: bool[n]; None = none.

    Returns:
        uint8[n, MESSAGE_BYTES].
    """
    table = np.tile(np.frombuffer(_TEMPLATE, dtype=np.uint8), (len(numbers), 1))
    noise = mix(numbers, 1)
    _write_digits(table, _ID_AT, 10, numbers)
    _write_digits(table, _ADDRESS_AT, 7, tokens)
    _write_digits(table, _SYMBOL_AT, 7, tokens)
    _write_digits(table, _TOKEN_AT, 3, (noise % _U64(1_000)).astype(np.int64))
    _write_digits(table, _TOKEN_AT + 4, 9, ((noise >> _U64(12)) % _U64(10**9)).astype(np.int64))
    _write_digits(table, _USD_AT, 4, ((noise >> _U64(24)) % _U64(10**4)).astype(np.int64))
    _write_digits(table, _USD_AT + 5, 6, ((noise >> _U64(36)) % _U64(10**6)).astype(np.int64))
    _write_digits(table, _TIME_AT, 13, event_ms)
    is_buy = (noise >> _U64(63)).astype(bool)[:, None]
    table[:, _SIDE_AT : _SIDE_AT + 5] = np.where(is_buy, _BUY, _SELL)
    if removed is not None:
        table[:, _REMOVED_AT : _REMOVED_AT + 5] = np.where(removed[:, None], _TRUE, _FALSE)
    return table


def cut_records(
    table: NDArray[np.uint8], append_ms: NDArray[np.int64], first_offset: int, batch_messages: int
) -> Iterator[RecordBatch]:
    """Cut written messages into batches of records of partition 0."""
    for first in range(0, len(table), batch_messages):
        rows = table[first : first + batch_messages]
        count = len(rows)
        yield RecordBatch(
            partition=0,
            offsets=np.arange(first_offset + first, first_offset + first + count, dtype=np.int64),
            append_ms=append_ms[first : first + count],
            buffer=rows.reshape(-1),
            bounds=np.arange(count + 1, dtype=np.int64) * MESSAGE_BYTES,
        )


@dataclass(frozen=True, slots=True)
class Popularity:
    """Tokens by a Zipf-like law, as in the demo market.

    Attributes:
        sums: float64[tokens], cumulative shares.
    """

    sums: NDArray[np.float64]

    @staticmethod
    def of(tokens: int) -> "Popularity":
        """Make the law for a number of tokens; raises UsageError out of 1 to TOKENS_MAX."""
        if not 1 <= tokens <= TOKENS_MAX:
            raise UsageError(f"Expected 1 to {TOKENS_MAX} tokens, was {tokens}")
        weights = 1.0 / (np.arange(tokens) + 3.0) ** 1.05
        return Popularity(np.cumsum(weights) / weights.sum())

    def tokens_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Token of each message number."""
        places = (mix(numbers, 2) >> _U64(11)).astype(np.float64) * 2.0**-53
        return np.minimum(np.searchsorted(self.sums, places), len(self.sums) - 1)


@dataclass(frozen=True, slots=True)
class SteadyStream:
    """A live stream: event times in order at a steady rate, some late, some repeated.

    Message number n happens n / rate seconds after `start_ms`. One in a hundred arrives up
    to 10 minutes late, two in a hundred arrive a second time, up to 60 s later.

    Attributes:
        rate: new swaps a second.
        popularity: which tokens are traded.
        start_ms: event_time of number 0.
    """

    rate: float
    popularity: Popularity
    start_ms: int = START_MS

    def arrivals(self, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers that arrive while the messages `first` to `end` (exclusive) happen.

        Returns:
            int64[m] numbers, and int64[m] arrival times in ms; late ones and duplicates mixed in.
        """
        parts = [self._fresh(first, end)]
        for delays, low, high in (
            (LATE_DELAYS_S, 0, LATE_PER_10K),
            (DUPLICATE_DELAYS_S, LATE_PER_10K, LATE_PER_10K + DUPLICATES_PER_10K),
        ):
            for kind, delay_s in enumerate(delays):
                delay = max(1, int(delay_s * self.rate))
                earlier = np.arange(max(0, first - delay), max(0, end - delay), dtype=np.int64)
                fate = self._fate(earlier)
                chosen = (fate >= low) & (fate < high) & (fate % len(delays) == kind)
                parts.append((earlier[chosen], earlier[chosen] + delay))
        numbers = np.concatenate([part[0] for part in parts])
        turns = np.concatenate([part[1] for part in parts])
        order = np.argsort(turns, kind="stable")
        return numbers[order], self.event_ms(turns[order])

    def event_ms(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """When messages happen."""
        return self.start_ms + (numbers * 1_000 / self.rate).astype(np.int64)

    def records(self, first: int, end: int, offset: int, batch_messages: int) -> list[RecordBatch]:
        """What arrives while the messages `first` to `end` happen, as batches from `offset` on."""
        numbers, arrived_ms = self.arrivals(first, end)
        table = write_messages(numbers, self.popularity.tokens_of(numbers), self.event_ms(numbers))
        return list(cut_records(table, arrived_ms, offset, batch_messages))

    def _fresh(self, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        numbers = np.arange(first, end, dtype=np.int64)
        on_time = self._fate(numbers) >= LATE_PER_10K
        return numbers[on_time], numbers[on_time]

    @staticmethod
    def _fate(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return (mix(numbers, 3) % _U64(10_000)).astype(np.int64)


def _write_digits(table: NDArray[np.uint8], at: int, count: int, values: NDArray[np.int64]) -> None:
    """Write values as decimal digits with leading zeros into `count` columns."""
    rest = values
    for column in range(at + count - 1, at - 1, -1):
        rest, digit = np.divmod(rest, 10)
        table[:, column] = digit + 48
