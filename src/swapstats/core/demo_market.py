"""A made-up market: swaps of a few thousand tokens, as a pure function of seed and time.

Nothing here has state: the messages of a time slice are the same bytes whenever and wherever they
are generated, so a stream of slices can be taken up at any slice. Randomness is a hash of (seed,
slice, number, column), prices are sums of sine waves, and what repeats or takes back earlier swaps
generates those earlier swaps again.

    slice k:  swaps of k without its late ones
              + late swaps and duplicates of the slices k - delay
              + now and then a reorg: removals of the last blocks of one chain,
                REINCLUDE_SLICES later the same swaps with inclusion 1, some with other amounts

It never pretends to be real: addresses are invented, and ids begin with `demo` or are hashes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swapstats.errors import UsageError

SLICE_MS = 100
MARKET_START_MS = 1_704_067_200_000
"""2024-01-01: no earlier slice exists, so that block numbers are positive."""
RATE_MAX = 1_000_000
TOKENS_MAX = 100_000
DUPLICATE_SLICES = (1, 3, 10, 40, 150, 600)
LATE_SLICES = (10, 50, 150, 400, 700, 870)
"""With a block's own age, the latest come 100 s after their event_time."""
DUPLICATES_PER_10K, LATE_PER_10K, AHEAD_PER_10K, UNPRICED_PER_10K = 200, 100, 200, 50
AHEAD_MS, AHEAD_SPREAD_MS = 900, 400
REORG_PERIOD_SLICES = 300
REORG_FIRST_SLICE, REORG_LAST_SLICE = 120, 290
"""Place of a reorg in its period: late enough that it takes back nothing of the period before."""
REORG_DEPTH_BLOCKS_MAX = 3
REINCLUDE_SLICES = 3
OTHER_AMOUNTS_PERCENT = 30
TRADERS = 20_000

_U64 = np.uint64
_Numbers = NDArray[np.int64]
_Hashes = NDArray[np.uint64]


class _Chain(NamedTuple):
    chain_id: int
    venue: str
    genesis_ms: int
    block_ms: int
    share: int
    reorgs: bool


_CHAINS = (
    _Chain(1, "uniswap-v3", 1_438_269_973_000, 12_000, 30, False),
    _Chain(8453, "aerodrome", 1_686_789_347_000, 2_000, 25, False),
    _Chain(137, "quickswap", 1_590_824_836_000, 2_000, 12, True),
    _Chain(56, "pancakeswap-v3", 1_598_671_449_000, 750, 15, True),
    _Chain(42161, "camelot", 1_622_240_000_000, 250, 8, False),
    _Chain(10, "velodrome", 1_636_665_385_000, 2_000, 4, False),
)
_EXCHANGE = len(_CHAINS)
_EXCHANGE_SHARE = 6
_CHAIN_OF = {chain.chain_id: number for number, chain in enumerate(_CHAINS)} | {0: _EXCHANGE}

# symbol, price in dollars, digits after the point, chains (0 = exchange), by popularity
_KNOWN = """
WETH 3400 18 1 8453 42161 10 137|BTC 97000 8 0|USDC 1 6 1 8453 137 42161 10|ETH 3400 8 0
SOL 190 9 0|USDT 1 6 1 42161|WBNB 640 18 56|WBTC 96900 8 1 42161|PEPE 0.0000112 18 1 0
DOGE 0.31 8 0|XRP 2.2 6 0|BNB 640 8 0|USDT 1 18 56|AERO 1.1 18 8453|LINK 17.5 18 1 0
SHIB 0.0000185 18 1 0|UNI 10.4 18 1|cbBTC 96950 8 8453 1|DEGEN 0.0081 18 8453
BRETT 0.11 18 8453|ARB 0.71 18 42161
POL 0.46 18 137|CAKE 2.4 18 56|AAVE 240 18 1|ADA 0.79 6 0|AVAX 31 9 0|OP 1.7 18 10|DAI 1 18 1 137
VIRTUAL 1.3 18 8453|LDO 1.6 18 1|wstETH 4050 18 1 42161|MKR 1600 18 1|CRV 0.62 18 1|GMX 21 18 42161
VELO 0.12 18 10|TOSHI 0.0006 18 8453|FLOKI 0.00014 9 1 56|QUICK 0.04 18 137|SUI 3.1 9 0|TRX 0.24 6 0
""".replace("|", "\n")
_STABLE = frozenset({"USDC", "USDT", "DAI"})
_SYLLABLE_TEXT = (
    "BA BO DO DU FI FLO GA GO HU JI KA KI KRA LO LU MA MO NA NE NO OR PA PI PLU RA RI RO SA SHI SO "
    "TA TO TRU VA VE VO WO XA YU ZA ZO ZU"
)
_SYLLABLES = tuple(_SYLLABLE_TEXT.split())

_WAVES_MS = (37_000.0, 149_000.0, 611_000.0, 2_437_000.0, 9_733_000.0, 40_009_000.0)
_WAVE_SIZES = (0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.0256)

# Columns of randomness: one hash each.
(_FATE, _TOKEN, _TIME, _SIDE, _SIZE, _ANGLE, _EDGE, _DIGITS, _PRICED, _TRADER, _LOG, _OTHER,
 _SALT, _REORG, _NAME, _ADDRESS, _POOL, _PHASE, _LEVEL, _BLOCK) = range(20)  # fmt: skip

_ON_TIME, _FIRST_DUPLICATE = 0, 1
_FIRST_LATE = _FIRST_DUPLICATE + len(DUPLICATE_SLICES)
_AHEAD = _FIRST_LATE + len(LATE_SLICES)

_ON_CHAIN = (
    '{{"schema_version":1,"chain_id":{chain_id},"tx_hash":"0x%s","log_index":%d,"block_number":%d,'
    '"block_hash":"0x%s","token_address":"{address}","token_symbol":"{symbol}",'
    '"pool_address":"{pool}","venue":"{venue}","trader":"0x%s","side":"%s",'
    '"amount_token":"%d.%09d%09d","amount_usd":%s,"event_time":%d%s}}'
)
_ON_EXCHANGE = (
    '{{"schema_version":1,"event_id":"demo-exchange:{symbol}USDT:%d","token_address":"{symbol}",'
    '"token_symbol":"{symbol}","venue":"demo-exchange","side":"%s",'
    '"amount_token":"%d.%09d%09d","amount_usd":%s,"event_time":%d}}'
)
_TAILS = ("", ',"inclusion":1', ',"removed":true')
_ADD, _REINCLUDED, _REMOVED = range(3)


def _mix(values: _Hashes) -> _Hashes:
    """Hash 64-bit numbers (the finalizer of SplitMix64: a bijection)."""
    values = (values ^ (values >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U64(27))) * _U64(0x94D049BB133111EB)
    return values ^ (values >> _U64(31))


def _unit(hashes: _Hashes) -> NDArray[np.float64]:
    """Numbers above 0 and up to 1."""
    return ((hashes >> _U64(11)).astype(np.float64) + 1.0) * 2.0**-53


def _below(hashes: _Hashes, limit: int) -> _Numbers:
    return (hashes % _U64(limit)).astype(np.int64)


def _hex(hashes: _Hashes, digits: int) -> list[str]:
    """One text of `digits` hexadecimal digits (up to 64) for each hash."""
    words = [_mix(hashes + _U64(number)) for number in range((digits + 15) // 16)]
    text = np.ascontiguousarray(np.stack(words, axis=1)).tobytes().hex()
    width = 16 * len(words)
    return [text[start : start + digits] for start in range(0, len(text), width)]


class _Swaps(NamedTuple):
    """Which swaps to write: slice, number in the slice, and one of _ADD, _REINCLUDED, _REMOVED."""

    slices: _Numbers
    numbers: _Numbers
    kinds: _Numbers


class DemoMarket:
    """The market of one seed.

    Args:
        seed: another seed is another market with other ids.
        tokens: number of tokens, 1 to TOKENS_MAX.
        rate: new swaps a second, 1 to RATE_MAX; duplicates and reorgs (about 5 %) come on top.

    Raises:
        UsageError: a number is out of its bounds.
    """

    def __init__(self, seed: int, tokens: int = 3_000, rate: int = 1_000) -> None:
        if not 1 <= tokens <= TOKENS_MAX:
            raise UsageError(f"Expected 1 to {TOKENS_MAX} demo tokens, was {tokens}")
        if not 1 <= rate <= RATE_MAX:
            raise UsageError(f"Expected a demo rate of 1 to {RATE_MAX} a second, was {rate}")
        self._rate = rate
        # Another rate or number of tokens is another market too: no id has two contents.
        parts = np.array([seed % (1 << 64), tokens, rate], dtype=np.uint64)
        key = _mix(parts[:1])
        for part in parts[1:]:
            key = _mix(key ^ part)
        self._key = key
        self._column_keys = _mix(key + _U64(1) + np.arange(20, dtype=np.uint64) * _U64(1 << 32))
        fates = [_ON_TIME] * 10_000
        fates[:DUPLICATES_PER_10K] = [
            _FIRST_DUPLICATE + n % len(DUPLICATE_SLICES) for n in range(DUPLICATES_PER_10K)
        ]
        late_stop = DUPLICATES_PER_10K + LATE_PER_10K
        fates[DUPLICATES_PER_10K:late_stop] = [
            _FIRST_LATE + n % len(LATE_SLICES) for n in range(LATE_PER_10K)
        ]
        fates[late_stop : late_stop + AHEAD_PER_10K] = [_AHEAD] * AHEAD_PER_10K
        self._fates = np.array(fates, dtype=np.int64)
        self._make_tokens(tokens)

    def slice(self, t_ms: int) -> list[bytes]:
        """Messages that arrive from `t_ms` to `t_ms + SLICE_MS`, in order.

        Args:
            t_ms: a multiple of SLICE_MS, milliseconds since the Unix epoch.

        Raises:
            UsageError: `t_ms` is no multiple of SLICE_MS, or before MARKET_START_MS.
        """
        if t_ms % SLICE_MS or t_ms < MARKET_START_MS:
            raise UsageError(
                f"Expected a multiple of {SLICE_MS} ms from {MARKET_START_MS} on, was {t_ms}"
            )
        number = t_ms // SLICE_MS
        parts = [*self._reorg(number), *self._delayed(number)]
        swaps = _Swaps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        return self._write(swaps)

    def swap_count(self, t_ms: int) -> int:
        """How many new swaps belong to the slice at `t_ms`, late ones included."""
        return self._count(t_ms // SLICE_MS)

    def _count(self, number: int) -> int:
        per_slice = self._rate * SLICE_MS
        return (number + 1) * per_slice // 1_000 - number * per_slice // 1_000

    def _make_tokens(self, count: int) -> None:
        """Lay out the tokens by popularity: what they are called, cost and where they trade."""
        known = [line.split() for line in _KNOWN.split("\n") if line]
        # First the first market of every known token, then their other markets.
        rows = [(name, float(price), int(places), _CHAIN_OF[int(chains[0])])
                for name, price, places, *chains in known]  # fmt: skip
        rows += [(name, float(price), int(places), _CHAIN_OF[int(chain)])
                 for name, price, places, *chains in known for chain in chains[1:]]  # fmt: skip
        shares = [chain.share for chain in _CHAINS] + [_EXCHANGE_SHARE]
        chain_of_share = np.repeat(np.arange(len(shares)), shares)
        index = np.arange(count, dtype=np.int64)
        names = self._noise(_NAME, index, index)
        levels = _unit(self._noise(_LEVEL, index, index))
        taken = {name for name, _, _, _ in rows}
        for number in range(len(rows), count):
            name_hash = int(names[number])
            symbol = ""
            for shift in (0, 12, 24)[: 2 + name_hash % 2]:
                symbol += _SYLLABLES[(name_hash >> shift) % len(_SYLLABLES)]
            chain = int(chain_of_share[(name_hash >> 40) % len(chain_of_share)])
            if chain == _EXCHANGE and symbol in taken:
                symbol += str(number)  # an exchange's token is its symbol
            taken.add(symbol)
            rows.append((symbol, 10.0 ** (float(levels[number]) * 9.0 - 7.0), 18, chain))
        rows = rows[:count]
        addresses = _hex(self._noise(_ADDRESS, index, index), 40)
        pools = _hex(self._noise(_POOL, index, index), 40)
        self._templates = [
            _ON_EXCHANGE.format(symbol=symbol)
            if chain == _EXCHANGE
            else _ON_CHAIN.format(
                chain_id=_CHAINS[chain].chain_id, venue=_CHAINS[chain].venue, symbol=symbol,
                address=f"0x{addresses[number]}", pool=f"0x{pools[number]}",
            )
            for number, (symbol, _, _, chain) in enumerate(rows)
        ]  # fmt: skip
        self._chains = np.array([chain for *_, chain in rows], dtype=np.int64)
        self._prices = np.array([price for _, price, _, _ in rows])
        places = np.array([places for _, _, places, _ in rows], dtype=np.int64)
        self._high_units = 10 ** np.maximum(9 - places, 0)
        self._has_low = places > 9
        stable = np.array([name in _STABLE for name, *_ in rows])
        # Rarer tokens move more and trade in smaller sizes.
        wildness = np.where(stable, 0.01, 1.0 + 2.0 * index / count)
        self._wave_sizes = wildness[:, None] * np.array(_WAVE_SIZES)
        columns = np.arange(len(_WAVES_MS), dtype=np.int64)
        phases = self._noise(_PHASE, index[:, None], columns[None, :])
        self._phases = _unit(phases) * (2.0 * np.pi)
        self._size_levels = np.log(220.0) - 1.3 * np.log1p(index) / np.log(3_000.0)
        weights = 1.0 / (index + 3.0) ** 1.05
        self._popularity = np.cumsum(weights) / weights.sum()
        genesis = [chain.genesis_ms for chain in _CHAINS] + [0]
        self._genesis_ms = np.array(genesis, dtype=np.int64)
        self._block_ms = np.array([chain.block_ms for chain in _CHAINS] + [1], dtype=np.int64)

    def _ids(self, slices: _Numbers, numbers: _Numbers) -> _Hashes:
        """A 64-bit number for each swap; no two swaps of a market share one."""
        return _mix((slices.astype(np.uint64) << _U64(20)) + numbers.astype(np.uint64) + self._key)

    def _noise(self, column: int, slices: _Numbers, numbers: _Numbers) -> _Hashes:
        return _mix(self._ids(slices, numbers) ^ self._column_keys[column])

    def _all_of(self, number: int) -> _Swaps:
        numbers = np.arange(self._count(number), dtype=np.int64)
        return _Swaps(np.full_like(numbers, number), numbers, np.full_like(numbers, _ADD))

    def _delayed(self, number: int) -> list[_Swaps]:
        """Late swaps and duplicates of earlier slices, then what is on time."""
        parts = []
        for first_fate, delays in (
            (_FIRST_LATE, LATE_SLICES),
            (_FIRST_DUPLICATE, DUPLICATE_SLICES),
        ):
            for fate, delay in enumerate(delays, first_fate):
                swaps = self._all_of(number - delay)
                chosen = self._fate(swaps) == fate
                parts.append(_Swaps(*(column[chosen] for column in swaps)))
        swaps = self._all_of(number)
        fates = self._fate(swaps)
        on_time = (fates < _FIRST_LATE) | (fates == _AHEAD)
        return [*parts, _Swaps(*(column[on_time] for column in swaps))]

    def _fate(self, swaps: _Swaps) -> _Numbers:
        noise = self._noise(_FATE, swaps.slices, swaps.numbers)
        return self._fates[_below(noise, len(self._fates))]

    def _reorg(self, number: int) -> list[_Swaps]:
        """Removals, or the re-inclusions after them, if the slice is one of a reorg."""
        period = np.array([number // REORG_PERIOD_SLICES], dtype=np.int64)
        hashed = int(self._noise(_REORG, period, np.zeros_like(period))[0])
        span = REORG_LAST_SLICE - REORG_FIRST_SLICE
        start = int(period[0]) * REORG_PERIOD_SLICES + REORG_FIRST_SLICE + hashed % span
        if number not in {start, start + REINCLUDE_SLICES}:
            return []
        restless = [index for index, chain in enumerate(_CHAINS) if chain.reorgs]
        chain = restless[(hashed >> 16) % len(restless)]
        depth = 1 + (hashed >> 32) % REORG_DEPTH_BLOCKS_MAX
        _, _, genesis_ms, block_ms, _, _ = _CHAINS[chain]
        stop_block = (start * SLICE_MS - genesis_ms) // block_ms
        first_ms = (stop_block - depth) * block_ms + genesis_ms
        stop_ms = stop_block * block_ms + genesis_ms
        slices = range(first_ms // SLICE_MS, -(-stop_ms // SLICE_MS))
        parts = [self._all_of(each) for each in slices]
        swaps = _Swaps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        time_ms = self._time_ms(swaps)
        chosen = (self._chains[self._tokens(swaps)] == chain) & (time_ms >= first_ms)
        chosen &= time_ms < stop_ms
        kind = _REMOVED if number == start else _REINCLUDED
        slices_chosen, numbers, kinds = (column[chosen] for column in swaps)
        return [_Swaps(slices_chosen, numbers, np.full_like(kinds, kind))]

    def _time_ms(self, swaps: _Swaps) -> _Numbers:
        noise = self._noise(_TIME, swaps.slices, swaps.numbers)
        return swaps.slices * SLICE_MS + _below(noise, SLICE_MS)

    def _tokens(self, swaps: _Swaps) -> _Numbers:
        places = _unit(self._noise(_TOKEN, swaps.slices, swaps.numbers))
        found = np.searchsorted(self._popularity, places)
        return np.minimum(found, len(self._popularity) - 1)

    def _amounts(
        self, ids: _Hashes, tokens: _Numbers, slices: _Numbers
    ) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
        """Micro-dollars, and the token amount in three parts: whole, first and last 9 digits."""

        def noise(column: int) -> _Hashes:
            return _mix(ids ^ self._column_keys[column])

        normal = np.sqrt(-2.0 * np.log(_unit(noise(_SIZE))))
        normal *= np.cos(2.0 * np.pi * _unit(noise(_ANGLE)))
        usd = np.clip(np.exp(self._size_levels[tokens] + 1.5 * normal), 0.01, 5e6)
        turns = (slices * SLICE_MS)[:, None] * (2.0 * np.pi / np.array(_WAVES_MS))
        waves = np.sin(turns + self._phases[tokens]) * self._wave_sizes[tokens]
        edge = 0.998 + 0.004 * _unit(noise(_EDGE))
        amount = usd / (self._prices[tokens] * np.exp(waves.sum(axis=1)) * edge)
        whole = amount.astype(np.int64)
        units = self._high_units[tokens]
        high = np.minimum(((amount - whole) * 1e9).astype(np.int64), 999_999_999) // units * units
        high = np.where((whole == 0) & (high == 0), units, high)  # nobody swaps nothing
        low = np.where(self._has_low[tokens], _below(noise(_DIGITS), 10**9), 0)
        return np.rint(usd * 1e6).astype(np.int64), whole, high, low

    def _write(self, swaps: _Swaps) -> list[bytes]:
        """Write swaps as wire v1."""
        ids = self._ids(swaps.slices, swaps.numbers)

        def noise(column: int) -> _Hashes:
            return _mix(ids ^ self._column_keys[column])

        tokens = self._tokens(swaps)
        chains = self._chains[tokens]
        other = (swaps.kinds == _REINCLUDED) & (_below(noise(_OTHER), 100) < OTHER_AMOUNTS_PERCENT)
        amount_ids = np.where(other, noise(_SALT), ids)
        usd, whole, high, low = self._amounts(amount_ids, tokens, swaps.slices)
        unpriced = _below(noise(_PRICED), 10_000) < UNPRICED_PER_10K
        usd_texts = [
            "null" if is_unpriced else f'"{micros // 1_000_000}.{micros % 1_000_000:06d}"'
            for micros, is_unpriced in zip(usd.tolist(), unpriced.tolist(), strict=True)
        ]
        sides = [("sell", "buy")[bit] for bit in (_below(noise(_SIDE), 100) < 51).tolist()]
        time_ms = self._time_ms(swaps)
        blocks = (time_ms - self._genesis_ms[chains]) // self._block_ms[chains]
        ahead = (self._fate(swaps) == _AHEAD) & (chains == _EXCHANGE)
        time_ms += np.where(ahead, AHEAD_MS + _below(noise(_LOG), AHEAD_SPREAD_MS), 0)
        block_time_ms = blocks * self._block_ms[chains] + self._genesis_ms[chains]
        forks = (swaps.kinds == _REINCLUDED).astype(np.int64)
        block_hashes = self._noise(_BLOCK, blocks * 16 + chains, forks)
        traders = _below(noise(_TRADER), TRADERS)
        columns = zip(
            chains.tolist(), tokens.tolist(), _hex(ids, 64), _below(noise(_LOG), 400).tolist(),
            blocks.tolist(), _hex(block_hashes, 64),
            _hex(self._noise(_TRADER, traders, chains), 40), sides, whole.tolist(), high.tolist(),
            low.tolist(), usd_texts, np.where(chains == _EXCHANGE, time_ms, block_time_ms).tolist(),
            swaps.kinds.tolist(), ids.tolist(), strict=True,
        )  # fmt: skip
        templates = self._templates
        return [
            (
                templates[token] % (trade, side, w, h, d, usd, t)
                if chain == _EXCHANGE
                else templates[token]
                % (tx, log, block, block_hash, trader, side, w, h, d, usd, t, _TAILS[kind])
            ).encode()
            for chain, token, tx, log, block, block_hash, trader, side, w, h, d, usd, t, kind, trade
            in columns
        ]  # fmt: skip
