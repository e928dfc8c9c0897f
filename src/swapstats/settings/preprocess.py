"""Keys of the preprocessor: how raw events are priced and filtered, and what it keeps.

A part of the table of every key; `stream.py` says how to read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from swapstats.settings.key import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, key
from swapstats.settings.kinds import INTEGER, LIST, MAP, NUMBER, SPAN, choice


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From raw events to priced swaps. A state belongs to the rules it was made with.

    Those that change prices (all but the first three) need `--rebuild` at the next start.
    """

    snapshot_interval_ms: int = key(
        "snapshot_interval",
        SPAN,
        "5s",
        "Time between two saved states.",
        bounds=(100, HOUR_MS),
    )
    candles: str = key(
        "candles",
        choice("auto", "sqlite", "postgres", "off"),
        "auto",
        "Where minute candles go: `sqlite`, a file in `data.dir` (`swapstats run` alone); "
        "`postgres`, `stores.postgres.dsn`; auto = postgres if that is given, else sqlite where "
        "there is a data directory.",
    )
    candles_kept_ms: int = key(
        "candles_kept",
        SPAN,
        "7d",
        "How long candles are kept.",
        bounds=(HOUR_MS, 3660 * DAY_MS),
    )
    liquidity_floor_usd: int = key(
        "liquidity_floor",
        INTEGER,
        "100000",
        "A pool prices nothing unless it holds so many dollars of the better known token.",
        bounds=(1, 10**12),
        unit="USD",
    )
    dust_usd: float = key(
        "dust",
        NUMBER,
        "0",
        "Swaps worth less are filtered out; 0 = none are. What has no price is kept.",
        bounds=(0, 10**9),
        unit="USD",
    )
    depeg_bps: int = key(
        "depeg",
        INTEGER,
        "200",
        "A stable whose market rate is off by more than this counts at its market rate.",
        bounds=(1, 9_999),
        unit="1/10,000",
    )
    deny: tuple[str, ...] = key(
        "deny",
        LIST,
        (),
        "What is filtered out: token keys, pools as `CHAIN_ID:POOL`, markets as `VENUE:MARKET`.",
        bounds=(0, 10_000),
    )
    observation_ms: int = key(
        "observation",
        SPAN,
        "1h",
        "How long what a pool held prices anything.",
        bounds=(SECOND_MS, 30 * DAY_MS),
    )
    rate_ms: int = key(
        "rate",
        SPAN,
        "5m",
        "How long a trade of an exchange gives a rate.",
        bounds=(SECOND_MS, 30 * DAY_MS),
    )
    horizon_ms: int = key(
        "horizon",
        SPAN,
        "1h",
        "How long prices are kept for duplicates and removals, behind the newest event.",
        bounds=(MINUTE_MS, 30 * DAY_MS),
    )
    horizon_blocks: int = key(
        "horizon_blocks",
        INTEGER,
        "1024",
        "Of how many blocks with swaps they are kept at most, a chain: more for chains of many "
        "blocks a second; each costs memory and a part of the saved state.",
        bounds=(64, 1_000_000),
        unit="blocks",
    )
    wash_window_ms: int = key(
        "wash_window",
        SPAN,
        "60s",
        "Within how long buying and selling by one trader is flagged; 0s = never.",
        bounds=(0, DAY_MS),
    )
    stables: Mapping[str, str] = key(
        "stables",
        MAP,
        {},
        "Tokens worth a dollar by chain id, with blanks between, beside the known ones: "
        "`{31337: 0xabc... 0xdef...}`. A chain that is not known needs this or `natives`.",
        bounds=(0, 64),
    )
    natives: Mapping[str, str] = key(
        "natives",
        MAP,
        {},
        "Wrapped coin by chain id, and other names of it, likewise.",
        bounds=(0, 64),
    )
    quotes: Mapping[str, str] = key(
        "quotes",
        MAP,
        {},
        "Other tokens that may be a quote by chain id, likewise.",
        bounds=(0, 64),
    )
    exchange_assets: Mapping[str, str] = key(
        "exchange_assets",
        MAP,
        {},
        "Exchange asset of the same worth by chain id, as `TOKEN:ASSET` with blanks between: its "
        "rate stands in where no pool gives a price.",
        bounds=(0, 64),
    )
