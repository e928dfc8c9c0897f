"""Events of what is watched: right, and encoded once for all who hold the same."""

import json
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.core.overview import OverviewSpec
from swapstats.roles.api.watch import OverviewSub, OverviewWatch, TokenSub, TokenWatch
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, document, exactly, merged

CLIENT: Any = cast("Any", None)


def watched(tokens: int = 3) -> tuple[Market, SyntheticUpdates, TokenWatch]:
    market, source = Market(SPEC, 1), SyntheticUpdates(SPEC, tokens=tokens)
    market.apply(source.update(0, tokens))
    return market, source, TokenWatch(market, 0, market.version(0))


def test_those_who_hold_the_same_get_the_same_bytes() -> None:
    market, source, watch = watched()
    subs = [TokenSub("token:T", watch, False) for _ in range(3)]
    first = {id(sub.event()) for sub in subs}
    assert len(first) == 1
    market.apply(source.update(0, 3))
    assert [sub.event() for sub in subs] == [None] * 3, "not captured yet"
    watch.capture()
    assert len({id(sub.event()) for sub in subs}) == 1
    other, quoted = TokenSub("token:U", watch, False), TokenSub("token:T", watch, True)
    assert other.event() != quoted.event()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=25), st.booleans())
def test_clients_that_look_at_different_times_all_end_right(
    steps: list[tuple[bool, str]], quoted: bool
) -> None:
    market, source, watch = watched()
    subs = {name: TokenSub(f"token:{name}", watch, quoted) for name in "abc"}
    held: dict[str, Any] = {}

    def look(name: str) -> None:
        text = subs[name].event()
        if text is None:
            return
        event = exactly(text.decode())
        if event["event"] == "patch":
            held[name] = merged(held[name], event["patch"])
        else:
            held[name] = event["data"]

    for changes, name in steps:
        if changes:
            market.apply(source.update(0, 3))
            watch.capture()
        look(name)
    for name in "abc":
        look(name)
        assert held[name] == document(market, market.key(0), quoted=quoted)


def test_a_resumed_client_is_told_even_if_nothing_is_new() -> None:
    market, source, watch = watched()
    sub = TokenSub("token:T", watch, False, base=market.version(0), confirm=True)
    event = json.loads(sub.event() or b"")
    assert (event["patch"], event["seq"], event["prev"]) == ({}, event["prev"], event["seq"])
    assert sub.event() is None
    market.apply(source.update(0, 3))
    watch.capture()
    assert json.loads(sub.event() or b"")["patch"]


def test_an_overview_is_sent_when_its_table_changed() -> None:
    market, source, _ = watched(6)
    watch = OverviewWatch(market, OverviewSpec(0, "trades", "desc", 3))
    subs = [OverviewSub("overview:5m", watch, quoted) for quoted in (False, False, True)]
    assert [sub.event() for sub in subs] == [None] * 3, "not ranked yet"
    watch.subs.update(dict.fromkeys(subs, CLIENT))
    assert watch.rank(1)
    events = [sub.event() for sub in subs]
    assert events[0] is events[1]
    assert events[0] != events[2]
    assert [sub.event() for sub in subs] == [None] * 3
    assert not watch.rank(2), "nothing changed"
    seq = watch.seq
    market.apply(source.update(0, 6))
    assert watch.rank(3)
    assert watch.seq > seq
    event = json.loads(subs[0].event() or b"")
    assert event["seq"] == watch.seq
    assert len(event["data"]["rows"]) == 3
