"""Who watches what: subscriptions of tokens and overviews, and which of them have news.

Lives on the event loop beside the market; writes to no socket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from swapstats.core.market import Market
from swapstats.core.overview import OverviewSpec
from swapstats.core.resume import plan_resume
from swapstats.core.stream_command import Wanted
from swapstats.roles.api.client import Client
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.watch import (
    OverviewSub,
    OverviewWatch,
    Subscription,
    TokenSub,
    TokenWatch,
)

Watched = Callable[[str, bool], None]
"""Told (key, True) when a token gets its first watcher, (key, False) when it loses its last."""

_LONG_AGO_MS = -(1 << 60)


def untold(_key: str, _watched: bool) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A subscription whose client is ahead of this instance.

    Attributes:
        client: who.
        wanted: what it asked for.
        place: (epoch, seq) the partition must reach.
        until_ms: monotonic moment when waiting ends.
    """

    client: Client
    wanted: Wanted
    place: tuple[int, int]
    until_ms: int


class Subscriptions:
    """All subscriptions of all clients.

    Args:
        market: all tokens.
        options: limits.
        watched: told of every token that is watched from now on, or no more.

    Attributes:
        pending: clients with dirty subscriptions, in order.
    """

    def __init__(self, market: Market, options: ApiOptions, watched: Watched = untold) -> None:
        self.pending: dict[Client, None] = {}
        self._tell_watched = watched
        self._market = market
        self._options = options
        self._tokens: dict[int, TokenWatch] = {}
        self._overviews: dict[OverviewSpec, OverviewWatch] = {}
        self._watched = np.zeros(64, dtype=np.bool_)
        self._changed: set[int] = set()
        self._waiting: dict[TokenSub, Waiting] = {}

    def changed(self, indexes: NDArray[np.intp]) -> None:
        """Take note of tokens that changed in the market."""
        if not len(indexes):
            return
        self._make_room()
        self._changed.update(indexes[self._watched[indexes]].tolist())
        for watch in self._overviews.values():
            watch.dirty = True

    def _make_room(self) -> None:
        if len(self._watched) < len(self._market):
            larger = np.zeros(2 * len(self._market), dtype=np.bool_)
            larger[: len(self._watched)] = self._watched
            self._watched = larger

    def add_token(self, client: Client, wanted: Wanted, index: int, now_ms: int) -> None:
        """Subscribe a token, anew or from what the client knows.

        Args:
            client: who.
            wanted: channel, and what the client knows.
            index: number of the token.
            now_ms: monotonic.
        """
        self.remove(client, wanted.channel)
        watch = self._tokens.get(index)
        if watch is None:
            watch = TokenWatch(self._market, index, self._market.version(index))
            self._tokens[index] = watch
            self._make_room()
            self._watched[index] = True
            self._tell_watched(self._market.key(index), True)
        sub = TokenSub(wanted.channel, watch, client.quoted)
        watch.subs[sub] = client
        client.subs[wanted.channel] = sub
        self._begin(sub, client, wanted, now_ms + self._options.resume_wait_ms)

    def _begin(self, sub: TokenSub, client: Client, wanted: Wanted, until_ms: int) -> None:
        if wanted.stream is not None:
            plan = plan_resume(self._market, sub.watch.index, wanted.stream, wanted.seq)
            if plan.wait is not None:
                self._waiting[sub] = Waiting(client, wanted, plan.wait, until_ms)
                return
            sub.base, sub.confirm = plan.base, plan.base is not None
        # What the client holds may be newer than what the last pass captured.
        sub.watch.capture()
        self._mark(client, sub)

    def add_overview(self, client: Client, channel: str, spec: OverviewSpec) -> None:
        """Subscribe an overview.

        Raises:
            Problem: there are too many distinct ones.
        """
        if spec not in self._overviews:
            if len(self._overviews) >= self._options.overview_channels_max:
                raise Problem(
                    "too-many-subscriptions",
                    f"Expected at most {self._options.overview_channels_max} distinct overviews "
                    "on this server, was one more: take overview:<window>",
                )
            self._overviews[spec] = OverviewWatch(self._market, spec)
        watch = self._overviews[spec]
        self.remove(client, channel)
        self._overviews[spec] = watch
        sub = OverviewSub(channel, watch, client.quoted)
        watch.subs[sub] = client
        client.subs[channel] = sub
        if not watch.has_table(quoted=client.quoted):
            watch.dirty, watch.ranked_at_ms = True, _LONG_AGO_MS
        self._mark(client, sub)

    def remove(self, client: Client, channel: str) -> bool:
        """End a subscription; returns whether there was one."""
        sub = client.subs.pop(channel, None)
        if sub is None:
            return False
        client.dirty.pop(sub, None)
        if isinstance(sub, TokenSub):
            self._waiting.pop(sub, None)
            del sub.watch.subs[sub]
            if not sub.watch.subs:
                del self._tokens[sub.watch.index]
                self._watched[sub.watch.index] = False
                self._changed.discard(sub.watch.index)
                self._tell_watched(self._market.key(sub.watch.index), False)
        else:
            del sub.watch.subs[sub]
            if not sub.watch.subs:
                del self._overviews[sub.watch.spec]
        return True

    def forget(self, client: Client) -> None:
        """End all subscriptions of a client."""
        for channel in list(client.subs):
            self.remove(client, channel)
        self.pending.pop(client, None)

    def _mark(self, client: Client, sub: Subscription) -> None:
        client.dirty[sub] = None
        self.pending[client] = None

    def collect(self, now_ms: int) -> list[tuple[Client, str]]:
        """Capture what changed and mark who has to be told.

        Args:
            now_ms: monotonic.

        Returns:
            (client, channel) of subscriptions that waited too long; they are ended.
        """
        changed, self._changed = self._changed, set()
        for index in changed:
            watch = self._tokens[index]
            watch.capture()
            for sub, client in watch.subs.items():
                if sub not in self._waiting:
                    self._mark(client, sub)
        self._rank(now_ms)
        return self._release(now_ms)

    def _rank(self, now_ms: int) -> None:
        """Rank overviews that changed, oldest first, within the budget of one pass."""
        due = [
            watch
            for watch in self._overviews.values()
            if watch.dirty and now_ms - watch.ranked_at_ms >= self._options.overview_ms
        ]
        due.sort(key=lambda watch: watch.ranked_at_ms)
        begun = perf_counter()
        for watch in due:
            if watch.rank(now_ms):
                for sub, client in watch.subs.items():
                    self._mark(client, sub)
            if (perf_counter() - begun) * 1_000 > self._options.overview_budget_ms:
                return

    def _release(self, now_ms: int) -> list[tuple[Client, str]]:
        """Let subscriptions go on whose position is reached; end those that waited too long."""
        late: list[tuple[Client, str]] = []
        for sub, waiting in list(self._waiting.items()):
            _, place = self._market.position(sub.watch.index)
            if (place.epoch, place.seq) >= waiting.place:
                del self._waiting[sub]
                self._begin(sub, waiting.client, waiting.wanted, waiting.until_ms)
            elif now_ms >= waiting.until_ms:
                self.remove(waiting.client, sub.channel)
                late.append((waiting.client, sub.channel))
        return late
