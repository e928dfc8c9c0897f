"""Preprocessing against merely decoding and encoding the same messages: see `bench/README.md`."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.wire_swap import ChainSwap, MarketSwap
from swapstats.model.raw_event import RawEvent
from swapstats.model.record import RecordBatch
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.machine import on_one_core, this_machine
from swapstats.testing.raw_events import (
    DAI,
    FIRST_MS,
    USDC,
    USDT,
    WBTC,
    WETH,
    address,
    batch_of,
    exchange_trade,
    pool_swap,
    whole,
)

ROOT = Path(__file__).resolve().parents[1]
RATE_MIN = 30_000.0
BATCH = 2_048
SWAPS_A_BLOCK = 150
POOLS = 400
DOLLARS = {USDC: 1, USDT: 1, DAI: 1, WETH: 2_000, WBTC: 40_000}
MARKETS = (("BTC", "USDT", 40_000), ("ETH", "USDT", 2_000), ("SOL", "USDC", 100),
           ("ETH", "BTC", 0), ("PEPE", "USDT", 0))  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """Batches to preprocess, and what they become."""

    name: str
    batches: list[RecordBatch]
    messages: list[bytes]
    swaps: list[ChainSwap | MarketSwap]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=60_000)
    given = parser.parse_args()
    found = Findings("preprocess", this_machine())
    with on_one_core() as core:
        found.method.append(
            f"Pinned to core {core}; {given.rounds} rounds, floor and preprocessor in turns, "
            f"{given.messages:,} messages, batches of {BATCH:,}; by processor time of the thread. "
            "Floor: msgspec decodes each raw event and encodes the swap it becomes, nothing else."
        )
        for name, make in (("chain", chain_events), ("exchanges", market_events)):
            found.figures += figures(stream(name, make(given.messages)), given.rounds)
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


def chain_events(count: int) -> Sequence[RawEvent]:
    """A busy chain: 150 swaps a block in 400 pools, most of them against its coin."""
    random = Random(1)
    quotes = (WETH, WETH, WETH, USDC, USDT, WBTC)
    pairs = [(WETH, USDC), (WETH, USDT), (WBTC, WETH), (WBTC, USDC), (DAI, USDC), (USDT, USDC)]
    pairs += [(address(n), random.choice(quotes)) for n in range(POOLS - len(pairs) - 40)]
    pairs += [(address(n), address(n + 1)) for n in range(40)]
    events: list[RawEvent] = []
    for number in range(count):
        token, quote = pairs[min(int(random.paretovariate(0.7)) - 1, len(pairs) - 1)]
        size = random.randrange(50, 5_000)
        bought = whole(token, size) // DOLLARS.get(token, 3) + random.randrange(10**6)
        paid = whole(quote, size) // DOLLARS.get(quote, 3) + random.randrange(10**6)
        amounts = (-bought, paid) if random.random() < 0.5 else (bought, -paid)
        depths = bought * 300 + random.randrange(10**6), paid * 300 + random.randrange(10**6)
        block, log_index = divmod(number, SWAPS_A_BLOCK)
        events.append(
            pool_swap(
                token, quote, amounts, depths, block=block, log_index=log_index,
                tx_hash=f"0x{random.getrandbits(256):064x}",
                trader=f"0x{random.randrange(3_000):040x}",
            )
        )  # fmt: skip
    return events


def market_events(count: int) -> Sequence[RawEvent]:
    """Trades of two venues, 1,000 a second."""
    random = Random(2)
    events: list[RawEvent] = []
    for number in range(count):
        base, quote, price = random.choice(MARKETS)
        text = f"{price}.{random.randrange(100):02d}" if price else f"0.0{random.randrange(1, 999)}"
        events.append(
            exchange_trade(
                base, quote, text, f"{random.randrange(1, 99)}.{random.randrange(10**6):06d}",
                venue=random.choice(("binance", "okx")), trade_id=str(10**9 + number),
                side=random.choice(("buy", "sell")), event_time=FIRST_MS + number,
            )
        )  # fmt: skip
    return events


def stream(name: str, events: Sequence[RawEvent]) -> Stream:
    batches = [batch_of(events[at : at + BATCH], None, at) for at in range(0, len(events), BATCH)]
    made = Preprocessor(PriceRules())
    kind: type[ChainSwap | MarketSwap] = ChainSwap if name == "chain" else MarketSwap
    decoder = msgspec.json.Decoder(kind)
    swaps = [decoder.decode(each) for batch in batches for each in made.apply(batch).swaps]
    return Stream(name, batches, [msgspec.json.encode(event) for event in events], swaps)


def figures(given: Stream, rounds: int) -> list[Figure]:
    floors, rates, ratios = [], [], []
    made = Preprocessor(PriceRules())
    for number in range(rounds + 1):
        floor_s = seconds(lambda: run_floor(given))
        made = Preprocessor(PriceRules())
        took_s = seconds(lambda: [made.apply(batch) for batch in given.batches])  # noqa: B023
        if number:  # one round before them is thrown away
            floors.append(len(given.messages) / floor_s)
            rates.append(len(given.messages) / took_s)
            ratios.append(floor_s / took_s)
        print(f"  {given.name}: {len(given.messages) / took_s:,.0f}/s", flush=True)
    state = made.snapshot()
    pack_s = min(seconds(made.snapshot) for _ in range(3))
    restore_s = min(seconds(lambda: Preprocessor.restore(PriceRules(), state)) for _ in range(3))
    name = given.name
    return [
        Figure.spread(f"{name}: swaps on one core", rates, "swaps/s", RATE_MIN),
        Figure.spread(f"{name}: floor", floors, "messages/s"),
        Figure.spread(f"{name}: over the floor", ratios, ""),
        Figure(f"{name}: state after {len(given.messages):,} messages", len(state) / 2**20, "MiB"),
        Figure(f"{name}: to pack it", pack_s * 1e3, "ms"),
        Figure(f"{name}: to restore it", restore_s * 1e3, "ms"),
    ]


def run_floor(given: Stream) -> None:
    decode = msgspec.json.Decoder(RawEvent).decode
    encode = msgspec.json.Encoder().encode
    for message in given.messages:
        decode(message)
    for swap in given.swaps:
        encode(swap)


def seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


if __name__ == "__main__":
    main()
