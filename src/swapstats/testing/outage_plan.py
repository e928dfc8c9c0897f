"""What goes wrong in a deployment, and when: a pure function of a seed.

Outages are dealt like cards, one for each pair of a thing and a way to hurt it, so that even a
short plan has all sorts. Time between them is random, and they overlap; but nothing is hurt again
before it had time to come back, and of the brokers, which can spare one, only one is away at a
time.

The archive has two sides. Aggregators write it, so their kills, pauses and cuts leave batches
half done; the server that takes it, and the S3 server that takes its old parts, are hurt as well.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["kill", "pause", "cut redis", "cut nats", "cut clickhouse"]
"""`kill`: SIGKILL, started again when the outage ends. `pause`: SIGSTOP until then. `cut`: nothing
passes between a role and that server until then, while both live."""

AGGREGATORS: Final = ("aggregator-1", "aggregator-2")
ROLES: Final = (*AGGREGATORS, "api-1", "api-2")
BROKERS: Final = ("broker-1", "broker-2", "broker-3")
ARCHIVE: Final = ("clickhouse", "s3")
SERVERS: Final = ("nats", "redis", *ARCHIVE, *BROKERS)

GAP_MIN_MS: Final = 600
GAP_MAX_MS: Final = 3_000
ZOMBIE_MARGIN_MS: Final = (1_500, 5_000)
"""How much longer than its session an aggregator is paused now and then: another one owns its
shards by then, and what it still writes must be refused."""

_SHORT_MS: Final = (200, 3_000)
_LONG_MS: Final = (3_000, 6_500)
_LONG_SHARE: Final = 0.3
_ROLE_REST_MS: Final = 1_500
_SERVER_REST_MS: Final = 3_000
_ARCHIVE_REST_MS: Final = 8_000
"""It starts, and takes what waited for it: what dies is work, not a queue that never empties."""
_BROKER_REST_MS: Final = 14_000
"""A broker starts, and copies what it missed: until then no other one can be spared."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One thing that is away for a while.

    Attributes:
        at_ms: when, from the beginning of the plan.
        kind: how.
        target: one of ROLES and SERVERS.
        length_ms: for how long.
    """

    at_ms: int
    kind: Kind
    target: str
    length_ms: int

    def __str__(self) -> str:
        return f"{self.at_ms / 1_000:7.1f} s  {self.kind:14}  {self.target:12}  {self.length_ms} ms"


def plan_outages(seed: int, seconds: int, *, session_ms: int = 6_000) -> tuple[Outage, ...]:
    """Plan outages that all end within a time.

    Args:
        seed: another seed is another plan; the same one is the same plan.
        seconds: length of the plan.
        session_ms: an aggregator silent for longer than this loses its shards.

    Returns:
        Outages by the time they begin.
    """
    chance = random.Random(seed)  # noqa: S311 - a plan, no secret
    free_ms: dict[str, int] = {}
    deck: list[tuple[Kind, str]] = []
    found: list[Outage] = []
    at_ms = 0
    while True:
        at_ms += chance.randint(GAP_MIN_MS, GAP_MAX_MS)
        if at_ms >= seconds * 1_000 - _SHORT_MS[0]:
            return tuple(found)
        card = _first_free(deck, free_ms, at_ms)
        if card is None:
            fresh = [card for card in _cards() if card not in deck]
            chance.shuffle(fresh)
            deck += fresh
            card = _first_free(deck, free_ms, at_ms)
        if card is None:
            continue
        deck.remove(card)
        kind, target = card
        length_ms = min(_length_ms(chance, kind, target, session_ms), seconds * 1_000 - at_ms)
        found.append(Outage(at_ms, kind, target, length_ms))
        free_ms[_seat(target)] = at_ms + length_ms + _rest_ms(target)


def _cards() -> list[tuple[Kind, str]]:
    """Every pair of a way and a thing."""
    cards: list[tuple[Kind, str]] = []
    for target in (*ROLES, *SERVERS):
        cards += [("kill", target), ("pause", target)]
    for role in ROLES:
        cards += [("cut redis", role), ("cut nats", role)]
    cards += [("cut clickhouse", role) for role in AGGREGATORS]
    return cards


def _first_free(
    deck: list[tuple[Kind, str]], free_ms: dict[str, int], at_ms: int
) -> tuple[Kind, str] | None:
    """The first card whose target is back."""
    return next((card for card in deck if free_ms.get(_seat(card[1]), 0) <= at_ms), None)


def _seat(target: str) -> str:
    """What must not be hurt twice at a time."""
    return "broker" if target in BROKERS else target


def _length_ms(chance: random.Random, kind: Kind, target: str, session_ms: int) -> int:
    is_long = chance.random() < _LONG_SHARE
    length_ms = chance.randint(*(_LONG_MS if is_long else _SHORT_MS))
    if kind == "pause" and target in AGGREGATORS and chance.random() < 0.5:
        return session_ms + chance.randint(*ZOMBIE_MARGIN_MS)
    return length_ms


def _rest_ms(target: str) -> int:
    if target in BROKERS:
        return _BROKER_REST_MS
    if target in ARCHIVE:
        return _ARCHIVE_REST_MS
    return _ROLE_REST_MS if target in ROLES else _SERVER_REST_MS
