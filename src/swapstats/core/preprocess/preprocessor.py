"""The preprocessor: raw events in, priced swaps out. A pure state machine over one raw log.

    decode and check -> look at the pool -> find the block -> price, frozen -> swap, candle, flags

Its output depends on the sequence of records alone, not on how they are cut into batches.

What a swap of a chain is worth, the first of these that is known:

1. its quote, where that is a listed token: a stable at a dollar (or at its market rate, if it
   slipped), the chain's coin at the median of its deep pools with stables, another listed token at
   its deepest pool; coin and others at the rate of an exchange where no pool is deep;
2. the amount of either token at its deepest pool with a listed one, two hops at most, the lower if
   both are known, and never more than that pool holds;
3. nothing: the swap counts without USD. A pool never prices its own unlisted token.

A trade of an exchange is worth its quote at the rate of the second before.

A swap without one of its amounts, or with both on one side, is no trade and is filtered. What
every valid swap leaves in its pool is noted, also of swaps that are filtered: the dust bound moves
no price.
"""

from collections import Counter
from typing import Final, Self

import msgspec

from swapstats.core.preprocess.candles import CandleBook
from swapstats.core.preprocess.chain_swaps import ChainSwaps
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.raw_decode import decode_raw
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.trade_swaps import TradeSwaps
from swapstats.core.preprocess.wash import TraderMemory
from swapstats.errors import Rejected
from swapstats.model.preprocessed import Preprocessed, RefusedEvent
from swapstats.model.raw_event import PoolSwap, RawEvent
from swapstats.model.record import RecordBatch

STATE_VERSION: Final = 1
_MARK: Final = "swapstats.preprocess"
_REBUILD: Final = "use that one, or drop the state and rebuild it from the raw log"


class Preprocessor:
    """State of one partition of the raw log.

    Args:
        rules: how events are priced, filtered and remembered.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._rules = rules
        self._rates = ExchangeRates(rules)
        self._candles = CandleBook(rules)
        self._traders = TraderMemory(rules)
        self._trades = TradeSwaps(rules, self._rates, self._candles)
        self._chains = {
            chain_id: ChainSwaps(chain_id, rules, self._rates, self._candles, self._traders)
            for chain_id in sorted(rules.chains)
        }

    def apply(self, batch: RecordBatch) -> Preprocessed:
        """Turn the next records into swaps.

        Swaps are written for additions, duplicates and removals alike: who counts them knows
        which is which.
        """
        buffer = batch.buffer.tobytes()
        bounds = batch.bounds.tolist()
        swaps: list[bytes] = []
        origins: list[int] = []
        refused: list[RefusedEvent] = []
        counts: Counter[str] = Counter()
        for index, append_ms in enumerate(batch.append_ms.tolist()):
            event = decode_raw(buffer[bounds[index] : bounds[index + 1]])
            found = event if isinstance(event, Refusal) else self._swap(event, append_ms, counts)
            if isinstance(found, Refusal):
                refused.append(RefusedEvent(index, found.reason, found.detail, found.is_letter))
            else:
                swaps.append(found)
                origins.append(index)
        candles, prices = self._candles.drain()
        return Preprocessed(swaps, origins, refused, candles, prices, dict(counts))

    def _swap(self, event: RawEvent, append_ms: int, counts: Counter[str]) -> bytes | Refusal:
        newest_ms = append_ms + self._rules.max_ahead_ms
        if event.event_time > newest_ms:
            return Refusal(
                "too_far_ahead",
                f"Expected event_time at or before {newest_ms}, was {event.event_time}",
            )
        if not isinstance(event, PoolSwap):
            return self._trades.apply(event, append_ms, counts)
        chain = self._chains.get(event.chain_id)
        if chain is None:
            return Refusal(
                "unknown_chain",
                f"Expected a chain of {sorted(self._chains)}, was {event.chain_id}: "
                "name its tokens in the rules",
            )
        return chain.apply(event, append_ms, counts)

    def snapshot(self) -> bytes:
        """Pack the state after the last record that was applied; the same state, the same bytes."""
        return msgspec.msgpack.encode(
            [
                _MARK,
                STATE_VERSION,
                self._rules.digest(),
                self._rates.pack(),
                self._candles.pack(),
                self._traders.pack(),
                [(chain_id, chain.pack()) for chain_id, chain in self._chains.items()],
            ]
        )

    @classmethod
    def restore(cls, rules: PriceRules, blob: bytes) -> Self:
        """Make what `snapshot` packed again.

        Raises:
            Rejected: it was made by other rules or by another version; says what to do.
        """
        try:
            mark, version, digest, *parts = msgspec.msgpack.decode(blob)
        except (msgspec.DecodeError, TypeError, ValueError) as error:
            raise Rejected(
                f"Expected a state of the preprocessor, was {error}: {_REBUILD}"
            ) from error
        if mark != _MARK:
            raise Rejected(f"Expected a state of the preprocessor, was something else: {_REBUILD}")
        if version != STATE_VERSION:
            raise Rejected(
                f"Expected a state of version {STATE_VERSION}, was {version}: take the release "
                "that made it, or drop the state and rebuild it from the raw log"
            )
        if digest != rules.digest():
            raise Rejected(
                f"Expected a state made by price rules {rules.digest()}, was {digest}: give the "
                "rules it was made by, or drop the state and rebuild it from the raw log"
            )
        made = cls(rules)
        try:
            rates, candles, traders, chains = parts
            made._rates.unpack(rates)
            made._candles.unpack(candles)
            made._traders.unpack(traders)
            for chain_id, packed in chains:
                made._chains[chain_id].unpack(packed)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise Rejected(f"Expected a whole state, was damaged ({error}): {_REBUILD}") from error
        return made
