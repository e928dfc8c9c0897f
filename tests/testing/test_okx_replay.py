"""OKX's side of a played exchange."""

from tests.adapters.sources.exchange.recorded import DATA, recorded_frames

from swapstats.adapters.sources.exchange.okx.endpoints import subscription
from swapstats.adapters.sources.exchange.okx.parse import parse_frame, parse_markets, parse_page
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.testing.exchange_replay import Answer, Question
from swapstats.testing.made_trades import made_trades
from swapstats.testing.okx_replay import OkxDialect, okx_recording, read_trades

MARKETS = [Market("BTC-USDT", "BTC", "USDT")]
TRADES = made_trades(7, ["BTC-USDT"], 500)
RECORDING = okx_recording(TRADES)
HISTORY = "/api/v5/market/history-trades"


def asked(path: str, **query: str) -> Answer:
    return OkxDialect(MARKETS).answer(Question(path, query, {}), {"BTC-USDT": RECORDING})


def test_a_subscription_and_a_ping() -> None:
    one = OkxDialect(MARKETS).connect("/ws/v5/business", {})
    assert one.hear("ping") == ["pong"]
    assert [parse_frame(text) for text in one.hear(subscription(["BTC-USDT"]))] == [[]]
    assert one.markets == {"BTC-USDT"}
    assert [parse_frame(frame) for frame in one.frames(RECORDING[:3])] == [
        [trade] for trade in TRADES[:3]
    ]


def test_an_unknown_instrument_and_the_wrong_entry() -> None:
    one = OkxDialect(MARKETS).connect("/ws/v5/business", {})
    assert '"event":"error"' in one.hear(subscription(["BTC-XYZ"]))[0]
    public = OkxDialect(MARKETS).connect("/ws/v5/public", {})
    assert '"event":"error"' in public.hear(subscription(["BTC-USDT"]))[0]
    assert one.markets == public.markets == set()


def test_history_is_newest_first_below_an_id() -> None:
    page = asked(HISTORY, instId="BTC-USDT", limit="500")
    assert parse_page("BTC-USDT", page.body) == TRADES[:-101:-1]
    below = asked(HISTORY, instId="BTC-USDT", after=str(TRADES[100].order), limit="50")
    assert parse_page("BTC-USDT", below.body) == TRADES[99:49:-1]
    assert b"51001" in asked(HISTORY, instId="BTC-XYZ").body
    markets = asked("/api/v5/public/instruments", instType="SPOT")
    assert parse_markets(markets.body) == {"BTC-USDT": MARKETS[0]}


def test_it_refuses_within_an_answer() -> None:
    dialect = OkxDialect(MARKETS, busy_every=1)
    assert b"50011" in dialect.answer(Question(HISTORY, {"instId": "BTC-USDT"}, {}), {}).body


def test_recorded_trades() -> None:
    frames = recorded_frames("OKX.ws.1.0")
    recording = read_trades(DATA / "exchange/cryptofeed_OKX.ws.1.0.gz")
    assert len(recording) == 74
    assert len(frames) > 300
