"""What clients watch, and the events made of it: encoded once, shared by all who hold the same.

A token's events are patches from the version a client holds to the newest one captured; an
overview's events are the whole table. Nothing here knows a socket.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swapstats.core.market import Market
from swapstats.core.overview import (
    OverviewSpec,
    OverviewText,
    join_overview,
    overview_text,
)
from swapstats.core.patch import Version, data_text, json_text, patch_text

if TYPE_CHECKING:
    from swapstats.roles.api.client import Client


@dataclass(slots=True, eq=False)
class TokenSub:
    """One client's subscription of one token.

    Attributes:
        channel: as the client wrote it.
        watch: the token.
        quoted: amounts as strings.
        base: the version the client holds; None = none yet.
        confirm: True if the client resumed and waits to hear that its base is known.
    """

    channel: str
    watch: "TokenWatch"
    quoted: bool
    base: Version | None = None
    confirm: bool = False

    def event(self) -> bytes | None:
        """Make the next event of this subscription and take it as sent; None if nothing is new."""
        return self.watch.event(self)


@dataclass(slots=True, eq=False)
class TokenWatch:
    """A token somebody watches.

    Attributes:
        market: where it lives.
        index: its number there.
        version: newest version captured.
        subs: who watches it, in the order they came.
    """

    market: Market
    index: int
    version: Version
    subs: dict[TokenSub, "Client"] = field(default_factory=dict)
    _events: dict[tuple[str, int | None, bool], bytes | None] = field(default_factory=dict)

    def capture(self) -> None:
        """Take the newest version over from the market."""
        if self.market.seq(self.index) != self.version.seq:
            self.version = self.market.version(self.index)
            self._events.clear()

    def event(self, sub: TokenSub) -> bytes | None:
        """Make the next event for a subscription of this token."""
        base, version = sub.base, self.version
        if base is None or base.stream != version.stream:
            sub.base, sub.confirm = version, False
            return self._cached(sub, None)
        event = None if base.seq == version.seq else self._cached(sub, base)
        if event is not None:
            sub.base = version
        elif sub.confirm:
            event = _patch(sub.channel, base, base.seq, "{}")
        sub.confirm = False
        return event

    def _cached(self, sub: TokenSub, base: Version | None) -> bytes | None:
        known = (sub.channel, None if base is None else base.seq, sub.quoted)
        if known in self._events:
            return self._events[known]
        version, names = self.version, self.market.spec.names
        event: bytes | None = None
        if base is None:
            event = (
                f'{{"event":"snapshot","channel":{json_text(sub.channel)},'
                f'"token":{json_text(version.key)},"stream":"{version.stream}",'
                f'"seq":{version.seq},"data":{data_text(version, names, quoted=sub.quoted)}}}'
            ).encode()
        else:
            patch = patch_text(base, version, names, quoted=sub.quoted)
            if patch is not None:
                event = _patch(sub.channel, base, version.seq, patch)
        self._events[known] = event
        return event


def _patch(channel: str, base: Version, seq: int, patch: str) -> bytes:
    return (
        f'{{"event":"patch","channel":{json_text(channel)},"stream":"{base.stream}",'
        f'"seq":{seq},"prev":{base.seq},"patch":{patch}}}'
    ).encode()


@dataclass(slots=True, eq=False)
class OverviewSub:
    """One client's subscription of one overview.

    Attributes:
        channel: as the client wrote it.
        watch: the overview.
        quoted: amounts as strings.
        sent_seq: number of the table the client holds; 0 = none yet.
    """

    channel: str
    watch: "OverviewWatch"
    quoted: bool
    sent_seq: int = 0

    def event(self) -> bytes | None:
        """Make the next event of this subscription and take it as sent; None if nothing is new."""
        return self.watch.event(self)


@dataclass(slots=True, eq=False)
class OverviewWatch:
    """An overview somebody watches.

    Attributes:
        market: where the tokens are.
        spec: what it shows.
        seq: number of the newest table; grows when the table changes.
        subs: who watches it.
        ranked_at_ms: monotonic moment of the last ranking.
        dirty: True if the market changed since.
    """

    market: Market
    spec: OverviewSpec
    seq: int = 0
    subs: dict[OverviewSub, "Client"] = field(default_factory=dict)
    ranked_at_ms: int = -(1 << 60)
    dirty: bool = True
    _tables: dict[bool, OverviewText] = field(default_factory=dict)
    _events: dict[tuple[str, bool], bytes] = field(default_factory=dict)

    def rank(self, now_ms: int) -> bool:
        """Rank anew; returns whether the table changed."""
        self.dirty, self.ranked_at_ms = False, now_ms
        styles = {sub.quoted for sub in self.subs}
        tables = {
            quoted: overview_text(self.market, self.spec, quoted=quoted)
            for quoted in sorted(styles)
        }
        same = self.seq > 0 and all(
            quoted in self._tables and self._tables[quoted].tail == table.tail
            for quoted, table in tables.items()
        )
        if same:
            return False
        self._tables, self.seq = tables, max(self.seq + 1, self.market.revision)
        self._events.clear()
        return True

    def has_table(self, *, quoted: bool) -> bool:
        """Tell whether a table of this style was made."""
        return quoted in self._tables

    def event(self, sub: OverviewSub) -> bytes | None:
        """Make the next event for a subscription of this overview."""
        if sub.sent_seq == self.seq or sub.quoted not in self._tables:
            return None
        sub.sent_seq = self.seq
        known = (sub.channel, sub.quoted)
        event = self._events.get(known)
        if event is None:
            event = self._events[known] = (
                f'{{"event":"overview","channel":{json_text(sub.channel)},"seq":{self.seq},'
                f'"data":{join_overview(self._tables[sub.quoted])}}}'
            ).encode()
        return event


Subscription = TokenSub | OverviewSub
