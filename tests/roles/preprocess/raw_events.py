"""A made stream of raw events by seed: trades, pool swaps, duplicates, reorgs, and nonsense."""

import random
from dataclasses import dataclass, field

import msgspec

from swapstats.model.raw_event import ExchangeTrade, PoolSwap

START_MS = 1_700_000_000_000
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
STRANGE = "0x" + "5f" * 20

_encode = msgspec.json.Encoder().encode


@dataclass
class MadeStream:
    """Makes the same stream from the same seed.

    Attributes:
        chance: what decides.
        now_ms: time of the newest event.
        block: newest block.
        recent: pool swaps of the newest blocks, for reorgs.
    """

    chance: random.Random
    now_ms: int = START_MS
    block: int = 19_000_000
    recent: list[PoolSwap] = field(default_factory=list)

    def events(self, count: int) -> list[bytes]:
        """So many raw events."""
        made: list[bytes] = []
        while len(made) < count:
            dice = self.chance.random()
            if dice < 0.5:
                made += [self._trade(len(made)) for _ in range(self.chance.randint(1, 6))]
            elif dice < 0.9:
                made += self._block()
            elif dice < 0.95 and self.recent:
                made += self._reorg()
            elif dice < 0.97:
                made.append(b'{"kind":"pool_swap","version":')
            elif made:
                made.append(made[-self.chance.randint(1, min(30, len(made)))])
        return made[:count]

    def _trade(self, number: int) -> bytes:
        self.now_ms += self.chance.randint(0, 40)
        market, base, quote, price = self.chance.choice(
            (
                ("BTCUSDT", "BTC", "USDT", 60_000),
                ("ETHUSDT", "ETH", "USDT", 3_000),
                ("ETHBTC", "ETH", "BTC", 0.05),
                ("ODDWAT", "ODD", "WAT", 7),
            )
        )
        amount = price * (1 + self.chance.uniform(-0.01, 0.01))
        return _encode(
            ExchangeTrade(
                venue="binance",
                market=market,
                trade_id=str(number),
                base=base,
                quote=quote,
                price=f"{amount:.8f}",
                quantity=f"{self.chance.uniform(0.001, 2):.6f}",
                side=self.chance.choice(("buy", "sell")),
                event_time=self.now_ms,
            )
        )

    def _block(self) -> list[bytes]:
        self.block += 1
        self.now_ms += self.chance.randint(0, 2_000)
        block_hash = f"0x{self.chance.getrandbits(256):064x}"
        swaps = [self._swap(block_hash, index) for index in range(self.chance.randint(1, 4))]
        self.recent = [*self.recent, *swaps][-20:]
        return [_encode(swap) for swap in swaps]

    def _swap(self, block_hash: str, index: int) -> PoolSwap:
        ether = self.chance.uniform(0.01, 5)
        is_stable = self.chance.random() < 0.5
        sign = self.chance.choice((1, -1))
        other = (USDC, 6, "USDC", ether * 3_000) if is_stable else (STRANGE, 9, "ODD", ether * 77)
        return PoolSwap(
            chain_id=1,
            block_number=self.block,
            block_hash=block_hash,
            tx_hash=f"0x{self.chance.getrandbits(256):064x}",
            log_index=index,
            event_time=self.now_ms // 1_000 * 1_000,
            venue="uniswap_v2",
            pool="0x" + ("11" if is_stable else "22") * 20,
            token0=other[0],
            token1=WETH,
            amount0=str(sign * int(other[3] * 10 ** other[1])),
            amount1=str(-sign * int(ether * 10**18)),
            decimals0=other[1],
            decimals1=18,
            symbol0=other[2],
            symbol1="WETH",
            trader="0x" + f"{self.chance.randint(1, 9):040x}",
            depth0=str(int(other[3] / ether * 5_000 * 10 ** other[1])),
            depth1=str(5_000 * 10**18),
        )

    def _reorg(self) -> list[bytes]:
        """Take the newest swaps back, and put some of them into another block."""
        gone = self.recent[-self.chance.randint(1, len(self.recent)) :]
        self.recent = self.recent[: len(self.recent) - len(gone)]
        block_hash = f"0x{self.chance.getrandbits(256):064x}"
        back = [
            msgspec.structs.replace(swap, inclusion=swap.inclusion + 1, block_hash=block_hash)
            for swap in gone
            if swap.block_number == gone[0].block_number
        ]
        self.recent += back
        return [
            *(_encode(msgspec.structs.replace(swap, removed=True)) for swap in reversed(gone)),
            *(_encode(swap) for swap in back),
        ]


def made_events(seed: int, count: int) -> list[bytes]:
    """So many raw events of a seed."""
    return MadeStream(random.Random(seed)).events(count)
