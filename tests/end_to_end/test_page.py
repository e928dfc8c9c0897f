"""The page at `/` in headless Chromium, against the real server with synthetic updates."""

import json
import random
import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect, sync_playwright

from swapstats.model.stats import FIELDS

from .page_server import (
    ARGUMENTS,
    ROWS,
    WAIT_MS,
    PageServer,
    Visit,
    cell,
    exact,
    is_live,
    keys_shown,
    plain,
    shows_exactly,
    wait_for_keys,
    wait_until,
)

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer() as running:
        yield running


NewVisit = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, server: PageServer) -> Iterator[NewVisit]:
    contexts = []

    def make(width: int = 1440, height: int = 900, scheme: Any = "light") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        return Visit(context.new_page(), server.url)

    yield make
    for context in contexts:
        context.close()


@pytest.mark.parametrize("window", ["5m", "1h", "24h"])
def test_sorts_by_every_column_and_window(visit: NewVisit, server: PageServer, window: str) -> None:
    seen = visit()
    page = seen.open()
    page.get_by_role("button", name=window, exact=True).click()
    for sort in [*FIELDS[1:], FIELDS[0], "symbol", "token"]:
        head = page.locator(f"th:has(button).{'key' if sort == 'token' else sort}")
        head.get_by_role("button").click()
        first = "asc" if sort in {"symbol", "token"} else "desc"
        wait_for_keys(page, server.ranking(window, sort, first)[:50])
        expect(head).to_have_attribute("aria-sort", "ascending" if first == "asc" else "descending")
        if sort in {"trades", "symbol"}:
            head.get_by_role("button").click()
            other = "desc" if first == "asc" else "asc"
            wait_for_keys(page, server.ranking(window, sort, other)[:50])
    assert page.locator("th[aria-sort]").count() == 1
    seen.check()


def test_each_cell_holds_every_digit(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    page = seen.open()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    for row in page.locator(ROWS).all()[:5]:
        key = row.get_attribute("data-key")
        assert key is not None
        for field in FIELDS:
            title = row.locator(f"td.{field}").get_attribute("title")
            assert plain(title) == exact(server, key, "5m", field)
    seen.check()


def test_shows_more_rows_when_asked(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    page = seen.open()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    page.get_by_role("button", name="Show more").click()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:100])
    seen.check()


def test_search_by_symbol_and_by_key(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    page = seen.open()
    is_live(page)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    page.keyboard.type("nothing like it")
    expect(page.locator("#search-note")).to_contain_text("No token matches")
    page.keyboard.press("Escape")
    key = server.key(57)
    page.keyboard.type("t57")
    expect(page.locator("#search-list li").first).to_contain_text("T57")
    page.keyboard.press("Enter")
    expect(page.locator("#token code")).to_have_text(key)
    page.keyboard.press("/")
    page.keyboard.type(server.key(23))
    page.keyboard.press("Enter")
    expect(page.locator("#token code")).to_have_text(server.key(23))
    seen.check()


def test_token_view_has_windows_plot_and_a_way_back(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    page = seen.open()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    key = keys_shown(page)[3]
    page.locator(ROWS).nth(3).locator("a").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/#/token/{quote(key, safe='')}")
    for window in server.windows:
        shows_exactly(page, server, key, window)
    expect(page.locator(".bars rect.buy").first).to_be_visible()
    assert page.locator(".bars rect.sell").count() >= 1
    assert int(page.locator(".bars").get_attribute("data-bars") or 0) == server.bars(key)
    expect(page.locator(".filling")).to_contain_text("24h window is filling: 1 h 12 min of 24 h")
    expect(page.locator(".place")).to_contain_text("partition")
    page.locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tip")).to_contain_text("Buys")
    page.get_by_role("checkbox", name="All digits").check()
    assert plain(cell(page, "5m", "vol_token").text_content()) == exact(
        server, key, "5m", "vol_token"
    )
    page.go_back()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    seen.check()


def test_a_server_without_buckets_says_so_in_place_of_the_plot(
    visit: NewVisit, server: PageServer
) -> None:
    """Windows stand as ever; the next token shows no empty plot first."""
    server.has_series = False
    try:
        seen = visit()
        page = seen.open(f"#/token/{quote(server.key(7), safe='')}")
        absent = page.get_by_text("No plot here: this server holds the sums of whole windows")
        expect(absent).to_be_visible()
        expect(page.locator(".plot-card")).to_be_hidden()
        shows_exactly(page, server, server.key(7), "5m")
        page.goto(f"{server.url}/#/token/{quote(server.key(8), safe='')}")
        expect(page.locator("#token code")).to_have_text(server.key(8))
        expect(absent).to_be_visible()
        expect(page.locator(".plot-card")).to_be_hidden()
    finally:
        server.has_series = True
    page.goto(f"{server.url}/#/token/{quote(server.key(9), safe='')}")
    expect(page.locator(".bars rect.buy").first).to_be_visible()
    expect(absent).to_be_hidden()
    seen.check(allowed="503")


def test_a_link_opens_a_token_and_an_unknown_one_says_so(
    visit: NewVisit, server: PageServer
) -> None:
    seen = visit()
    page = seen.open(f"#/token/{quote(server.key(7), safe='')}")
    expect(page.locator("#token code")).to_have_text(server.key(7))
    page.goto(f"{server.url}/#/token/never-seen")
    expect(page.get_by_role("heading", name="Unknown token")).to_be_visible()
    page.goto(f"{server.url}/#/token/SAME")
    expect(page.locator(".candidates a").first).to_be_visible()
    page.locator(".candidates a").first.click()
    expect(page.locator("#token code")).to_be_visible()
    seen.check()


def test_an_update_changes_cells_in_both_views(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    page = seen.open("#/?window=5m&sort=token&order=asc")
    key = server.ranking("5m", "token", "asc")[0]
    shown = page.locator(ROWS).first.locator("td.trades")
    expect(shown).to_have_attribute("title", re.compile(r"^\d"))
    begun = page.evaluate("performance.now()")
    page.wait_for_function("begun => performance.now() > begun + 1000", arg=begun)
    server.change(key)
    page.wait_for_function(
        "rows => document.querySelector(`${rows} td.trades`).getAnimations().length > 0", arg=ROWS
    )
    row = page.locator(f'{ROWS}[data-key="{key}"]')
    trades = f"{server.value(key, '5m', 'trades'):,}"
    expect(row.locator("td.trades")).to_have_text(trades, timeout=WAIT_MS)
    row.click()
    expect(cell(page, "1h", "trades")).to_have_text(f"{server.value(key, '1h', 'trades'):,}")
    server.change(key)
    shows_exactly(page, server, key, "1h")
    seen.check()


def test_a_restarted_server_is_found_again_and_resumed(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    sent: list[dict[str, Any]] = []

    def watch(socket: Any) -> None:
        socket.on("framesent", lambda text: sent.append(json.loads(text)))

    seen.page.on("websocket", watch)
    key = server.key(11)
    page = seen.open(f"#/token/{quote(key, safe='')}")
    expect(cell(page, "5m", "trades")).to_have_text(f"{server.value(key, '5m', 'trades'):,}")
    server.stop()
    expect(page.locator("html")).to_have_attribute("data-connection", "down", timeout=WAIT_MS)
    expect(page.locator(".notice.down")).to_contain_text("Connection lost")
    server.change(key)
    server.start()
    is_live(page)
    expect(cell(page, "5m", "trades")).to_have_text(f"{server.value(key, '5m', 'trades'):,}")
    expect(page.locator(".notice.down")).to_have_count(0)
    resumed = [
        entry
        for message in sent
        for entry in message.get("subscribe", [])
        if isinstance(entry, dict) and "stream" in entry
    ]
    assert resumed
    assert resumed[-1]["channel"] == f"token:{key}"
    assert isinstance(resumed[-1]["seq"], int)
    seen.check(allowed="ERR_CONNECTION_REFUSED|WebSocket connection")


def test_a_lost_patch_is_noticed_and_made_good(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    lost: list[str] = []
    asked: list[str | bytes] = []

    def lossy(route: WebSocketRoute) -> None:
        upstream = route.connect_to_server()

        def up(message: str | bytes) -> None:
            asked.append(message)
            upstream.send(message)

        route.on_message(up)

        def down(message: str | bytes) -> None:
            if '"event":"patch"' in str(message).replace(" ", "") and not lost:
                lost.append(str(message))
            else:
                route.send(message)

        upstream.on_message(down)

    seen.page.route_web_socket(re.compile("/ws"), lossy)
    key = server.key(12)
    page = seen.open(f"#/token/{quote(key, safe='')}")
    expect(cell(page, "5m", "trades")).to_have_text(f"{server.value(key, '5m', 'trades'):,}")
    server.change(key)
    wait_until(page, lambda: bool(lost))
    server.change(key)
    shows_exactly(page, server, key, "24h")
    anew = json.dumps({"subscribe": f"token:{key}"}, separators=(",", ":"))
    assert [message for message in asked if message == anew] != []
    assert asked[-1] == anew
    seen.check()


def test_a_silent_server_is_left_and_found_again(visit: NewVisit, server: PageServer) -> None:
    seen = visit()
    opened: list[WebSocketRoute] = []

    def mute(route: WebSocketRoute) -> None:
        upstream = route.connect_to_server()
        opened.append(route)
        first = len(opened) == 1

        def down(message: str | bytes) -> None:
            if first and '"hello"' in str(message):
                hello = json.loads(message)
                route.send(json.dumps({**hello, "heartbeat_ms": 200}))
            elif not first:
                route.send(message)

        upstream.on_message(down)

    seen.page.route_web_socket(re.compile("/ws"), mute)
    page = seen.open()
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    assert len(opened) >= 2
    seen.check()


def test_progress_is_shown_until_the_state_is_restored(visit: NewVisit, server: PageServer) -> None:
    server.restoring(0.42)
    seen = visit()
    page = seen.open()
    expect(page.locator("#panel")).to_contain_text("42 %")
    expect(page.locator("html")).to_have_attribute("data-connection", "restoring")
    server.restoring(None)
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    is_live(page)
    expect(page.locator("#facts")).to_contain_text("synthetic")
    expect(page.locator(".notice.warning")).to_contain_text("without authentication")
    seen.check(allowed="503")


def test_text_of_a_token_is_never_markup(visit: NewVisit, server: PageServer) -> None:
    key = "1:<img src=x onerror=window.bad=1>/..?#%41"
    symbol = "<b onclick=1>B&amp;</b>"
    server.add(key, symbol)
    seen = visit()
    page = seen.open()
    row = page.locator(f"{ROWS}:has-text('{symbol}')")
    expect(row.locator("td.symbol a")).to_have_text(symbol)
    row.locator("td.symbol a").click()
    expect(page.locator("#token h2")).to_have_text(symbol)
    expect(page.locator("#token code")).to_have_text(key)
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    expect(page.locator("#search-list li b")).to_have_text(symbol)
    expect(page.locator(".bars rect.buy").first).to_be_visible()
    assert page.locator("#main img, #main b[onclick]").count() == 0
    assert page.evaluate("window.bad") is None
    seen.check()


@pytest.mark.parametrize("width", [360, 768, 2200])
def test_nothing_is_wider_than_the_screen(visit: NewVisit, server: PageServer, width: int) -> None:
    server.add("1:" + "x" * 250, "W" * 80)
    seen = visit(width, 740)
    page = seen.open()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    wait_for_keys(page, server.ranking("5m", "vol_usd", "desc")[:50])
    assert page.evaluate(wide) <= 0
    if width == 360:
        page.get_by_label("Sort by").select_option("unpriced")
        wait_for_keys(page, server.ranking("5m", "unpriced", "desc")[:50])
        assert page.evaluate(wide) <= 0
    page.goto(f"{server.url}/#/token/{'W' * 80}")
    expect(page.locator(".bars rect.buy").first).to_be_visible()
    page.get_by_role("checkbox", name="All digits").check()
    assert page.evaluate(wide) <= 0
    seen.check()


def test_light_dark_and_a_remembered_choice(visit: NewVisit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, light = visit(scheme="dark"), visit(scheme="light")
    night, day = dark.open().evaluate(ground), light.open().evaluate(ground)
    assert night != day
    toggle = light.page.get_by_role("button", name="Theme")
    toggle.click()
    toggle.click()
    assert light.page.evaluate(ground) == night
    light.page.reload()
    assert light.page.evaluate(ground) == night
    for seen in (dark, light):
        is_live(seen.page)
        seen.check()


def test_numbers_are_written_exactly(visit: NewVisit) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    texts = ["0", "0.000000000000000001", "999.995", "999999.99", "1000", "0.005", "123456789.5"]
    for _ in range(300):
        whole = draw.randrange(10 ** draw.randrange(1, 40))
        places = f"{draw.randrange(10**18):018d}"[: draw.randrange(0, 19)]
        texts.append(f"{whole}.{places}" if places else str(whole))
    seen = visit()
    page = seen.open()
    answers = page.evaluate(
        "async texts => { const d = await import('/decimal.js');"
        "return texts.map(t => [d.exact(t), d.usd(t), d.compact(t), d.amount(t),"
        "d.unscaled(d.scaled(t, 18), 18)]); }",
        texts,
    )
    for text, (full, usd, compact, amount, back) in zip(texts, answers, strict=True):
        assert full.replace(",", "") == text
        assert Decimal(back) == Decimal(text)
        value = Decimal(text)
        if Decimal("0.01") <= value < 10**10:
            cents = value.quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert usd.replace(",", "") == str(cents), text
        for written in (compact, amount):
            close = Decimal(_spelled_out(written))
            assert abs(close - value) <= value * Decimal("0.0006"), (text, written)
    is_live(page)
    seen.check()


def _spelled_out(written: str) -> str:
    tail = {"K": "e3", "M": "e6", "B": "e9", "T": "e12"}
    text = written.replace(",", "")
    return text[:-1] + tail[text[-1]] if text[-1] in tail else text
