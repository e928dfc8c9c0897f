"""Between the raw log and the swap log everything may die or hang; prices stay what they are.

At the end the swap log holds what one uninterrupted pricing of the raw log makes of it, bit for
bit, and so do candles in Postgres and newest prices in Redis: a preprocessor that slept while
another one took over has put nothing old in place of anything new.
"""

import contextlib
import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conformance.postgres_server import PostgresServer
from tests.end_to_end.chaos.raw_deployment import BROKERS, ROLES, SESSION_MS, RawDeployment
from tests.end_to_end.chaos.report import Progress
from tests.end_to_end.raw_logs import messages, records

from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.adapters.postgres.candles import PostgresCandleStore
from swapstats.adapters.redis.token_prices import RedisTokenPrices
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.errors import UsageError
from swapstats.model.preprocessed import Candle, TokenPrice
from swapstats.model.writer import Writer
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import Settings
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import redis_url
from swapstats.wiring.price_rules import price_rules
from swapstats.wiring.transport import raw_transport, transport

pytestmark = pytest.mark.servers

WAIT_MS = 180_000
LOOK_S = 0.1
GAP_S = (0.6, 3.0)
SHORT_S = (0.2, 3.0)
ZOMBIE_S = (SESSION_MS / 1_000 + 1.5, SESSION_MS / 1_000 + 4)
BROKER_REST_S = 14.0
REST_S = 2.0


@dataclass
class Priced:
    """What one uninterrupted pricing of the raw log makes of it."""

    swaps: list[bytes] = field(default_factory=list)
    candles: dict[tuple[str, int], Candle] = field(default_factory=dict)
    prices: dict[str, TokenPrice | None] = field(default_factory=dict)


def priced_at_once(settings: Settings, reader: SwapLogReader) -> Priced:
    found, newest = Priced(), MemoryTokenPrices()
    tokens: set[str] = set()
    machines = [Preprocessor(price_rules(settings)) for _ in reader.end_offsets()]
    for batch in records(reader):
        made = machines[batch.partition].apply(batch)
        found.swaps += made.swaps
        found.candles |= {(candle.token, candle.minute_ms): candle for candle in made.candles}
        newest.put(made.prices, Writer("once", 1))
        tokens.update(price.token for price in made.prices)
    found.candles = {place: candle for place, candle in found.candles.items() if candle.trades}
    found.prices = {token: newest.get(token) for token in tokens}
    return found


def carry_out(
    deployment: RawDeployment, seed: int, seconds: float, say: Callable[[str], None]
) -> Counter[str]:
    """Hurt something every second or two; everything is back when it returns."""
    chance = random.Random(seed)
    targets = (*ROLES, "redis", "postgres", *BROKERS)
    ends: list[tuple[float, int, Callable[[], None]]] = []
    free_s: dict[str, float] = {}
    done: Counter[str] = Counter()
    pause = threading.Event()
    began = next_s = time.monotonic()
    while ends or time.monotonic() < began + seconds:
        pause.wait(LOOK_S)
        now_s = time.monotonic()
        while ends and ends[0][0] <= now_s:
            heapq.heappop(ends)[2]()
        deployment.revive()
        if now_s < next_s or now_s > began + seconds:
            continue
        next_s = now_s + chance.uniform(*GAP_S)
        kind, target = chance.choice(("kill", "pause")), chance.choice(targets)
        if not done:  # an owner sleeps through its session in every run
            kind, target = "pause", ROLES[0]
        seat = "broker" if target in BROKERS else target
        if free_s.get(seat, 0) > now_s or (seat == "broker" and not deployment.spare()):
            continue
        is_zombie = target in ROLES and kind == "pause" and (not done or chance.random() < 0.6)
        length_s = chance.uniform(*(ZOMBIE_S if is_zombie else SHORT_S))
        say(f"{kind} {target} for {length_s:.1f} s")
        heapq.heappush(ends, (now_s + length_s, done.total(), deployment.hurt(kind, target)))
        free_s[seat] = now_s + length_s + (BROKER_REST_S if seat == "broker" else REST_S)
        done[f"{kind} {target}{', a zombie' if is_zombie else ''}"] += 1
    return done


def expect_right(deployment: RawDeployment, postgres: PostgresServer, say: Progress) -> None:
    """Wait until everything is priced, and compare all of it."""
    settings = deployment.settings
    with contextlib.ExitStack() as opened:
        raw, swaps = (
            opened.enter_context(contextlib.closing(log.open_reader()))
            for log in (raw_transport(settings), transport(settings))
        )
        candles = opened.enter_context(contextlib.closing(PostgresCandleStore(postgres.dsn)))
        prices = opened.enter_context(
            contextlib.closing(RedisTokenPrices(redis_url(settings), settings.stores.redis.prefix))
        )
        priced = priced_at_once(settings, raw)
        wanted = set(priced.swaps)
        say(f"{sum(raw.end_offsets())} raw events became {len(wanted)} different swaps")

        def is_priced() -> bool:
            deployment.revive()
            return set(messages(swaps)) >= wanted

        eventually(is_priced, WAIT_MS, "all to be priced")
        assert deployment.stop() == [0, 0]
        found = messages(swaps)
        say(f"{len(found) - len(priced.swaps)} swaps were written more than once")
        assert set(found) == wanted
        kept = {
            (candle.token, candle.minute_ms): candle
            for token in sorted({token for token, _ in priced.candles})
            for candle in candles.scan(token, 0, 1 << 42)
        }
        say(f"{len(kept)} candles, {len(priced.prices)} prices")
        assert kept == priced.candles
        assert {token: prices.get(token) for token in priced.prices} == priced.prices


def survive(directory: Path, seed: int, seconds: float) -> None:
    print("seed", seed)
    say = Progress()
    try:
        with PostgresServer() as postgres, RawDeployment(directory, seed, postgres) as deployment:
            deployment.market.start()
            deployment.wait_until_shared()
            done = carry_out(deployment, seed, seconds, say)
            deployment.market.stop()
            say(f"{done.total()} outages: {dict(sorted(done.items()))}")
            expect_right(deployment, postgres, say)
            assert not deployment.ended, "\n".join(deployment.ended)
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(600)
def test_half_a_minute_of_outages_changes_no_price(tmp_path: Path) -> None:
    survive(tmp_path, seed=11, seconds=30)


@pytest.mark.prove
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", range(1, 7))
def test_two_minutes_of_outages_change_no_price(tmp_path: Path, seed: int) -> None:
    survive(tmp_path, seed=seed, seconds=120)
