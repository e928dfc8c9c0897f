"""Who has news: only watched tokens, only what changed, and overviews within their budget."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from swapstats.core.market import Market
from swapstats.core.overview import OverviewSpec
from swapstats.core.stream_command import Wanted
from swapstats.roles.api.client import Client
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.subscriptions import Subscriptions
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, of_tokens


class Desk:
    """A market with subscriptions and clients without sockets."""

    def __init__(self, tokens: int = 300, **limits: int) -> None:
        self.options = ApiOptions(**cast("dict[str, Any]", limits))
        self.market = Market(SPEC, 1)
        self.source = SyntheticUpdates(SPEC, tokens=tokens)
        self.subscriptions = Subscriptions(self.market, self.options)
        self.apply(self.source.update(0, tokens))

    def apply(self, update: Any) -> None:
        self.subscriptions.changed(self.market.apply(update))

    def client(self) -> Client:
        transport = cast("asyncio.Transport", None)
        return Client(transport, quoted=False, options=self.options, now_ms=0)

    def told(self, client: Client, now_ms: int) -> list[bytes]:
        self.subscriptions.collect(now_ms)
        self.subscriptions.pending.pop(client, None)
        return client.take_events()


def test_only_watched_tokens_that_changed_are_told() -> None:
    desk = Desk()
    client, other = desk.client(), desk.client()
    for index in (3, 299):
        desk.subscriptions.add_token(client, Wanted(f"token:T{index}"), index, 0)
    assert len(desk.told(client, 1)) == 2
    desk.apply(of_tokens(desk.source, 0, 5, 6))
    desk.subscriptions.collect(2)
    assert desk.subscriptions.pending == {}
    desk.apply(of_tokens(desk.source, 0, 5, 299))
    desk.subscriptions.collect(3)
    assert list(desk.subscriptions.pending) == [client]
    assert len(desk.told(client, 4)) == 1
    assert other.dirty == {}


def test_a_token_that_comes_after_the_arrays_were_made_is_told() -> None:
    desk = Desk(2)
    later = SyntheticUpdates(SPEC, tokens=5_000)
    later._count[0], later._offset[0] = 1, 100
    later._named[0].update((0, 1))
    desk.apply(later.update(0, 5_000))
    client = desk.client()
    index = len(desk.market) - 1
    desk.subscriptions.add_token(client, Wanted("token:x"), index, 0)
    assert len(desk.told(client, 1)) == 1


def test_subscribing_again_begins_anew() -> None:
    desk = Desk()
    client = desk.client()
    for _ in range(3):
        desk.subscriptions.add_token(client, Wanted("token:T3"), 3, 0)
    events = desk.told(client, 1)
    assert len(events) == 1
    assert b'"snapshot"' in events[0]
    assert len(desk.subscriptions._tokens[3].subs) == 1


def test_a_client_ahead_waits_and_a_wait_ends() -> None:
    desk = Desk(resume_wait_ms=100)
    client = desk.client()
    version = desk.market.version(3)
    ahead = Wanted("token:T3", version.stream, version.seq + 1)
    desk.subscriptions.add_token(client, ahead, 3, 0)
    assert desk.told(client, 50) == []
    desk.apply(of_tokens(desk.source, 0, 3))
    assert len(desk.told(client, 60)) == 1
    far = replace(ahead, seq=1 << 62)
    desk.subscriptions.add_token(client, far, 3, 60)
    desk.apply(of_tokens(desk.source, 0, 3))
    assert desk.subscriptions.collect(159) == []
    assert client.dirty == {}
    assert desk.subscriptions.collect(160) == [(client, "token:T3")]
    assert client.subs == {}


def test_overviews_are_ranked_at_most_once_a_span_and_within_the_budget() -> None:
    desk = Desk(overview_ms=100, overview_budget_ms=0)
    client = desk.client()
    for limit in (1, 2, 3):
        spec = OverviewSpec(0, "trades", "desc", limit)
        desk.subscriptions.add_overview(client, f"overview:{limit}", spec)
    # No budget at all still ranks one in each pass, those that waited longest first.
    sizes = [len(desk.told(client, now_ms)) for now_ms in (1, 2, 3, 4)]
    assert sizes == [1, 1, 1, 0]
    desk.apply(of_tokens(desk.source, 0, *range(300)))
    assert [len(desk.told(client, now_ms)) for now_ms in (50, 101, 102, 103)] == [0, 1, 1, 1]


def test_a_second_client_of_an_overview_needs_no_ranking() -> None:
    desk = Desk(overview_ms=1_000)
    spec = OverviewSpec(0, "trades", "desc", 5)
    first, second = desk.client(), desk.client()
    desk.subscriptions.add_overview(first, "overview:5m", spec)
    assert len(desk.told(first, 1)) == 1
    desk.subscriptions.add_overview(second, "overview:5m", spec)
    assert len(desk.told(second, 2)) == 1
    assert desk.subscriptions._overviews[spec].ranked_at_ms == 1


def test_distinct_overviews_are_bounded_and_a_refusal_keeps_what_was() -> None:
    desk = Desk(overview_channels_max=1)
    client = desk.client()
    spec = OverviewSpec(0, "trades", "desc", 5)
    desk.subscriptions.add_overview(client, "overview:5m", spec)
    desk.subscriptions.add_overview(client, "overview:5m", spec)
    with pytest.raises(Problem, match="distinct overviews"):
        desk.subscriptions.add_overview(client, "overview:1h", replace(spec, window=1))
    assert list(client.subs) == ["overview:5m"]
    assert list(desk.subscriptions._overviews) == [spec]


def test_a_client_that_leaves_is_forgotten_whole() -> None:
    desk = Desk()
    client = desk.client()
    desk.subscriptions.add_token(client, Wanted("token:T3"), 3, 0)
    desk.subscriptions.add_overview(client, "overview:5m", OverviewSpec(0, "trades", "desc", 5))
    version = desk.market.version(4)
    ahead = Wanted("token:T4", version.stream, version.seq + 1)
    desk.subscriptions.add_token(client, ahead, 4, 0)
    desk.apply(of_tokens(desk.source, 0, 3))
    desk.subscriptions.forget(client)
    assert (client.subs, client.dirty) == ({}, {})
    assert (desk.subscriptions._tokens, desk.subscriptions._waiting) == ({}, {})
    assert desk.subscriptions.collect(1) == []
    assert desk.subscriptions.pending == {}
    assert not np.any(desk.subscriptions._watched)


def test_the_first_watcher_and_the_loss_of_the_last_are_told() -> None:
    desk = Desk(tokens=10)
    told: list[tuple[str, bool]] = []
    subscriptions = Subscriptions(
        desk.market, desk.options, lambda key, watched: told.append((key, watched))
    )
    one, other = desk.client(), desk.client()
    subscriptions.add_token(one, Wanted("token:T3"), 3, 0)
    subscriptions.add_token(other, Wanted("token:T3"), 3, 0)
    subscriptions.add_token(other, Wanted("token:T4"), 4, 0)
    three, four = desk.source.key(3), desk.source.key(4)
    assert told == [(three, True), (four, True)]
    subscriptions.remove(one, "token:T3")
    assert told == [(three, True), (four, True)]
    subscriptions.forget(other)
    assert told == [(three, True), (four, True), (three, False), (four, False)]
