"""Seeded streams of wire v1 messages: good, respelled, repeated, taken back, and bad.

For tests of anything that reads wire v1. Every function takes a `random.Random`: the same seed
gives the same bytes. It knows how to write messages and never how to read them, so that a
decoder can be tested against it.

    messages = shuffled(Random(8), random_stream(Random(7), StreamShape()))
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from swapstats.model.stats import format_scaled, format_short
from swapstats.model.wire import EVENT_MS_MIN, INTEGER_MAX, MESSAGE_BYTES_MAX, TEXT_BYTES_MAX

AMOUNT_TOKEN_MAX: Final = 10**38 - 1
"""Largest amount_token, scaled by 10^18."""
AMOUNT_USD_MAX: Final = 10**18 - 1
"""Largest amount_usd in micro-dollars."""

_RFC3339_MS_MAX: Final = 250_000_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSwap:
    """A swap as its producer knows it; `spelled` and `respelled` write it.

    Attributes:
        event_id: identity; may be left out of the message where it is the composed one.
        token_address, side: as written.
        amount_token, amount_usd: scaled by 10^18; micro-dollars or None.
        event_ms: ms since epoch.
        inclusion, removed: which inclusion of the event; True takes it back.
        chain_id, tx_hash, log_index, token_symbol, venue: each or None.
    """

    event_id: str
    token_address: str
    side: str
    amount_token: int
    amount_usd: int | None
    event_ms: int
    inclusion: int = 0
    removed: bool = False
    chain_id: int | None = None
    tx_hash: str | None = None
    log_index: int | None = None
    token_symbol: str | None = None
    venue: str | None = None

    @property
    def token_key(self) -> str:
        """Token key as DESIGN defines it."""
        chain = "" if self.chain_id is None else f"{self.chain_id}:"
        return f"{chain}{self.token_address}"

    @property
    def has_composed_id(self) -> bool:
        """Whether `event_id` may be left out of the message."""
        parts = (self.chain_id, self.tx_hash, self.log_index)
        return None not in parts and self.event_id == ":".join(str(part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamShape:
    """How a random stream looks.

    Attributes:
        swaps: events, before re-inclusions and removals.
        start_ms: event time of the first, ms since epoch.
        span_ms: event times lie in `[start_ms, start_ms + span_ms]`.
        step_ms: a good part of the event times lies on, or 1 ms before, multiples of it.
        removed_share: share of inclusions that are taken back.
        reincluded_share: share of events that get a further inclusion, with other amounts.
        late_share: share of messages that arrive anywhere instead of near their event time.
    """

    swaps: int = 60
    start_ms: int = 1_704_412_800_000
    span_ms: int = 120_000
    step_ms: int = 5_000
    removed_share: float = 0.25
    reincluded_share: float = 0.25
    late_share: float = 0.1


TOKENS: Final[tuple[dict[str, object], ...]] = (
    {"chain_id": 1, "token_address": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"},
    {"chain_id": 137, "token_address": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"},
    {"token_address": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"},
    {"token_address": "BTC", "venue": "binance"},
    {"token_address": "a key.with [brackets] > and * \u00fc\U0001f680", "venue": "x"},
)
"""Tokens of random swaps: one address with two chains and without, a base asset, an odd key."""


def random_amount(rng: Random, largest: int) -> int:
    """Draw an amount: often 0, 1 or the largest, else of any magnitude."""
    if rng.random() < 0.3:
        return rng.choice((0, 1, largest, largest - 1))
    return rng.randrange(10 ** rng.randint(1, len(str(largest)) - 1))


def random_swap(rng: Random, number: int, event_ms: int) -> WireSwap:
    """Draw the add of a new event; `number` makes its identity unique."""
    token = dict(rng.choice(TOKENS))
    if "chain_id" in token:
        token |= {"tx_hash": f"0x{number:064x}", "log_index": rng.choice((0, number, INTEGER_MAX))}
        event_id = ":".join(str(token[part]) for part in ("chain_id", "tx_hash", "log_index"))
    else:
        event_id = f"{token.get('venue', 'none')}:{token['token_address']}:{number}"
    drawn = WireSwap(
        event_id=event_id,
        token_address="",
        side=rng.choice(("buy", "sell")),
        amount_token=random_amount(rng, AMOUNT_TOKEN_MAX),
        amount_usd=None if rng.random() < 0.2 else random_amount(rng, AMOUNT_USD_MAX),
        event_ms=event_ms,
        token_symbol=rng.choice((None, "WETH", '"\\\u00e9')),
    )
    return replace(drawn, **token)  # type: ignore[arg-type] # a row of TOKENS fits the fields


def random_event_ms(rng: Random, shape: StreamShape) -> int:
    """Draw an event time, often at the edge of a bucket."""
    event_ms = shape.start_ms + rng.randint(0, shape.span_ms)
    if rng.random() < 0.4:
        edge_ms = event_ms // shape.step_ms * shape.step_ms - rng.randint(0, 1)
        return max(shape.start_ms, edge_ms)
    return event_ms


def random_stream(rng: Random, shape: StreamShape) -> list[WireSwap]:
    """Draw a conflict-free stream: adds, removals before and after them, re-inclusions.

    Roughly by event time, except for the late share. Each message occurs once; `shuffled`
    repeats them.
    """
    arrivals: list[tuple[int, WireSwap]] = []
    for number in range(shape.swaps):
        swap = random_swap(rng, number, random_event_ms(rng, shape))
        inclusions = [swap]
        while rng.random() < shape.reincluded_share:
            amount_token = random_amount(rng, AMOUNT_TOKEN_MAX)
            inclusion = inclusions[-1].inclusion + rng.randint(1, 2)
            inclusions.append(replace(swap, inclusion=inclusion, amount_token=amount_token))
        messages = list(inclusions)
        taken_back = [added for added in inclusions if rng.random() < shape.removed_share]
        messages += [replace(added, removed=True) for added in taken_back]
        for message in messages:
            arrival_ms = message.event_ms + rng.randint(-shape.step_ms, shape.step_ms)
            if rng.random() < shape.late_share:
                arrival_ms = shape.start_ms + rng.randint(0, 2 * shape.span_ms)
            arrivals.append((arrival_ms, message))
    return [swap for _, swap in sorted(arrivals, key=lambda arrival: arrival[0])]


def shuffled(rng: Random, swaps: list[WireSwap], repeats_max: int = 3) -> list[bytes]:
    """Write each swap 1 to `repeats_max` times, spelled differently, in random order."""
    messages = [
        respelled(rng, swap) for swap in swaps for _ in range(rng.randint(1, max(1, repeats_max)))
    ]
    rng.shuffle(messages)
    return messages


def conflicting(rng: Random, swap: WireSwap, step_ms: int) -> WireSwap:
    """Change the content of a swap, but neither its pair nor its time bucket."""
    usd = 1 if swap.amount_usd is None else rng.choice((None, swap.amount_usd ^ 1))
    first_ms = swap.event_ms // step_ms * step_ms
    offset_ms = (swap.event_ms - first_ms + rng.randrange(1, step_ms)) % step_ms
    return rng.choice(
        (
            replace(swap, side="sell" if swap.side == "buy" else "buy"),
            replace(swap, amount_token=swap.amount_token ^ 1),
            replace(swap, amount_usd=usd),
            replace(swap, event_ms=first_ms + offset_ms),
            replace(swap, token_address=swap.token_address + "x"),
        )
    )


# How a swap is written


def spelled(swap: WireSwap) -> bytes:
    """Write a swap the way our producers do."""
    return _object(_texts(swap))


def _object(texts: dict[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}").encode()


def _texts(swap: WireSwap) -> dict[str, str]:
    """Write every field of a swap as JSON text; an absent label is left out."""
    usd = swap.amount_usd
    texts = {"schema_version": "1", "event_id": _json(swap.event_id)}
    for name in ("chain_id", "tx_hash", "log_index", "inclusion", "token_symbol", "venue"):
        value = getattr(swap, name)
        if value is not None and (name, value) != ("inclusion", 0):
            texts[name] = _json(value)
    texts |= {
        "token_address": _json(swap.token_address),
        "side": _json(swap.side),
        "amount_token": _json(format_scaled(swap.amount_token, 18)),
        "amount_usd": "null" if usd is None else _json(format_scaled(usd, 6)),
        "event_time": str(swap.event_ms),
        "removed": "true" if swap.removed else "false",
    }
    return texts


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def respelled(rng: Random, swap: WireSwap) -> bytes:
    """Write a swap in one of the many other ways that mean exactly the same."""
    texts = _texts(swap)
    if swap.has_composed_id and rng.random() < 0.5:
        del texts["event_id"]
    for name in ("event_id", "tx_hash", "token_address", "token_symbol", "venue", "side"):
        if name in texts and rng.random() < 0.3:
            texts[name] = _escaped(rng, json.loads(texts[name]))
    texts["amount_token"] = decimal_text(rng, swap.amount_token, 18)
    if swap.amount_usd is not None:
        texts["amount_usd"] = decimal_text(rng, swap.amount_usd, 6)
    elif rng.random() < 0.5:
        del texts["amount_usd"]
    texts["event_time"] = time_text(rng, swap.event_ms)
    if not swap.removed:
        texts["removed"] = rng.choice(("false", "null"))
        if rng.random() < 0.5:
            del texts["removed"]
    for name, text in (("inclusion", "0"), ("trader", "null"), ("block_hash", "null")):
        if name not in texts and rng.random() < 0.2:
            texts[name] = rng.choice((text, "null"))
    members = list(texts.items())
    members += [(f"x{index}", unknown_value(rng)) for index in range(rng.choice((0, 0, 1, 3)))]
    rng.shuffle(members)
    if rng.random() < 0.1:  # the last of equal keys wins
        members.insert(0, (rng.choice(list(texts)), unknown_value(rng)))
    return _joined(rng, members)


def _joined(rng: Random, members: list[tuple[str, str]]) -> bytes:
    blanks = ("",) if rng.random() < 0.6 else ("", " ", "\n", "\t", "\r\n", "   ")
    parts = []
    for name, text in members:
        key = _escaped(rng, name) if rng.random() < 0.05 else f'"{name}"'
        parts.append(rng.choice(blanks).join(("", key, ":", text, "")))
    blank = rng.choice(blanks)
    return f"{blank}{{{','.join(parts)}{blank}}}{blank}".encode()


def _escaped(rng: Random, text: str) -> str:
    """Write a JSON string with some characters as escapes."""
    written = []
    for character in text:
        if rng.random() < 0.3:
            units = character.encode("utf-16-be").hex()
            quads = [units[index : index + 4] for index in range(0, len(units), 4)]
            written += ["\\u" + rng.choice((quad, quad.upper())) for quad in quads]
        elif character == "/" and rng.random() < 0.5:
            written.append("\\/")
        else:
            written.append(_json(character)[1:-1])
    return '"' + "".join(written) + '"'


def decimal_text(rng: Random, scaled: int, digits: int) -> str:
    """Write an integer scaled by 10^digits as JSON: a string or a number, with or without zeros."""
    whole, _, places = format_short(scaled, digits).partition(".")
    places += "0" * rng.choice((0, 0, 1, digits))
    places = places[:digits]
    if rng.random() < 0.5:
        return f"{whole}.{places}" if places else whole
    whole = whole.rjust(rng.choice((0, 0, len(whole) + 1, 20)), "0")[-20:]
    return f'"{whole}.{places}"' if places else f'"{whole}"'


def time_text(rng: Random, event_ms: int) -> str:
    """Write ms since epoch as JSON: the integer, or RFC 3339 in any zone and precision."""
    if rng.random() < 0.4 or not 0 <= event_ms <= _RFC3339_MS_MAX:
        return str(event_ms)
    zone_minutes = rng.choice((0, 0, 60, -300, 345, rng.randint(-1_439, 1_439)))
    local = _EPOCH + timedelta(milliseconds=event_ms, minutes=zone_minutes)
    hours, minutes = divmod(abs(zone_minutes), 60)
    zone = f"{'-' if zone_minutes < 0 else '+'}{hours:02}:{minutes:02}"
    if zone_minutes == 0:
        zone = rng.choice(("Z", "z", "+00:00", "-00:00"))
    fraction = f"{event_ms % 1_000:03}"
    beyond_ms = "".join(rng.choices("0123456789", k=rng.choice((0, 3, 6, 20))))
    fraction = fraction.rstrip("0") if rng.random() < 0.5 else fraction + beyond_ms
    separator, point = rng.choice("Tt"), "." if fraction else ""
    return f'"{local:%Y-%m-%d}{separator}{local:%H:%M:%S}{point}{fraction}{zone}"'


def unknown_value(rng: Random, depth: int = 0) -> str:
    """Write any JSON value, as text."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return "[" + ",".join(unknown_value(rng, depth + 1) for _ in range(rng.randrange(3))) + "]"
    if kind == 7:
        inner = (f'"side{n}": {unknown_value(rng, depth + 1)}' for n in range(rng.randrange(3)))
        return "{" + ",".join(inner) + "}"
    numbers = ("0", "-0", "1e400", "-12.5E-7", "9" * rng.choice((5, 30, 5_000)))
    texts = ('""', '"\\ud83d\\ude80"', '"}],\\"side\\":"', '"\u00e9\\\\"', '"\\\\ud800"')
    return rng.choice((*numbers, *texts, "null", "true", "false"))


# Bad messages


def _table(texts: str) -> list[str]:
    """Part JSON texts at blanks: they hold none themselves."""
    return texts.split()


_NO_DECIMAL: Final = _table(r"""
    "-1" "+1" "1e3" ".5" "5." "." "" "\u00201" "1\u0020" "1\n" "0x1" "NaN" "Infinity" "1_0" "1,5"
    "1.2.3" "\u0661" "\u00b2" -1 -0 1e3 1.5E1 true false [] {} ["1"]""")
_NO_TIME: Final = _table(r'''
    "" "1704412800123" 1704412800123.0 1.7e12 true [] {} "2024-01-05" "2024-01-05T00:00:00"
    "2024-01-05\u002000:00:00Z" "2024-01-05T00:00:60Z" "2024-01-05T24:00:00Z"
    "2024-01-05T00:60:00Z" "2024-13-05T00:00:00Z" "2024-02-30T00:00:00Z" "2023-02-29T00:00:00Z"
    "2024-00-05T00:00:00Z" "2024-01-00T00:00:00Z" "2024-01-05T00:00:00.Z" "2024-01-05T00:00:00,5Z"
    "2024-01-05T00:00:00+0100" "2024-01-05T00:00:00+01" "2024-01-05T00:00:00+24:00"
    "2024-01-05T00:00:00+01:60" "2024-01-05T00:00:00ZZ" "2024-01-05T00:00:00Z\n"
    "24-01-05T00:00:00Z" "2024-1-5T00:00:00Z" "\u0662024-01-05T00:00:00Z"''')
_TOO_EARLY: Final = [str(EVENT_MS_MIN - 1), "0", "-5", "-" + "9" * 5_000]
_NO_TEXT: Final = _table("1 1.5 true false [] {}")
_NO_INTEGER: Final = [*_table('-1 1.0 1e2 "1" true [] {}'), str(INTEGER_MAX + 1), "9" * 5_000]
_TOO_LONG: Final = [f'"{"x" * (TEXT_BYTES_MAX + 1)}"', _json("\u00fc" * 128 + "x")]
_NO_IDENTITY: Final = [*_NO_TEXT, '""', *_TOO_LONG]
_REQUIRED: Final = _table("schema_version event_id token_address side amount_token event_time")
_INTEGERS: Final = _table("chain_id log_index block_number inclusion")
_LABELS: Final = _table("tx_hash block_hash token_symbol pool_address venue trader")

BAD_VALUES: Final = {
    **{("missing_field", name): ["null"] for name in _REQUIRED},
    ("bad_schema_version", "schema_version"): _table('0 2 -1 1.0 1e0 "1" true [] {}'),
    ("bad_event_id", "event_id"): _NO_IDENTITY,
    ("bad_token", "token_address"): _NO_IDENTITY,
    ("bad_side", "side"): [*_NO_TEXT, *_table(r'"" "BUY" "Sell" "buy\n" "b" ["buy"]')],
    ("bad_amount_token", "amount_token"): [*_NO_DECIMAL, _json("0" * 21), "0." + "0" * 19],
    ("bad_amount_usd", "amount_usd"): [*_NO_DECIMAL, "0.0000000", "1" + "0" * 12, _json("0" * 21)],
    ("bad_event_time", "event_time"): [*_NO_TIME, *_TOO_EARLY],
    ("bad_field", "ingested_time"): _NO_TIME,
    ("bad_field", "removed"): _table('0 1 1.0 "true" "" [] {}'),
    **{("bad_field", name): _NO_INTEGER for name in _INTEGERS},
    **{("bad_field", name): _NO_TEXT for name in _LABELS},
}
"""(reason, field) -> JSON texts that break the contract for this reason when put in the field
of a good message; with `event_id` null the good message must not have all of its parts."""

_MALFORMED: Final = _table(r"""
    { } null 1 "buy" [] [{}] {}{} {}x nul {'a':1} {"a":1,} {"a":01} {"a":+1} {"a":.5} {"a":1.} {"a"}
    {"a":NaN} {"a":-Infinity} {"a":"\x"} {"a":"\u12"} {"a":"\ud800"} {"a":"\udc00\ud800"} {"a":"
    {"\uDBFFx":1} {"a":[["\ud800"]]} {"a":"\ud800","a":1} {"a":"\ {"a":tru} {"a":1""")

BAD_BYTES: Final = {
    "malformed_json": [
        *(text.encode() for text in _MALFORMED),
        *(b"", b" ", b"\xef\xbb\xbf{}", b"{}\x00", b"\x0b{}", b'{"a":"\n"}'),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"),
    ],
    "not_utf8": [b"\xff", b"{\x80}", b'{"a":"\xc3"}', b'{"a":"\xed\xa0\x80"}', b'"\xc0\x80"'],
    "too_large": [b" " * (MESSAGE_BYTES_MAX + 1), b"\xff" * (MESSAGE_BYTES_MAX + 1)],
}
"""reason -> whole messages that are refused for it."""


def with_value(swap: WireSwap, field: str, text: str) -> bytes:
    """Write a swap with one field replaced by (or added as) the given JSON text."""
    return _object(_texts(swap) | {field: text})


def bad_message(rng: Random, event_ms: int, newest_ms: int) -> tuple[str, bytes]:
    """Draw a bad message and the reason for which it is refused.

    Every reason occurs but `ok` and `conflict` (see `conflicting`). `event_ms` is the event time
    where it is not what is wrong; after `newest_ms`, append time + max_ahead, is too far ahead.
    """
    if rng.random() < 0.3:
        reason = rng.choice(list(BAD_BYTES))
        return reason, rng.choice(BAD_BYTES[reason])
    swap = random_swap(rng, rng.randrange(1 << 30), event_ms)
    if rng.random() < 0.1:
        ahead_ms = newest_ms + rng.choice((1, 1_000, 10**15))
        return "too_far_ahead", with_value(swap, "event_time", str(ahead_ms))
    (reason, field), texts = rng.choice(list(BAD_VALUES.items()))
    if field == "event_id":
        swap = replace(swap, tx_hash=None)
    return reason, with_value(swap, field, rng.choice(texts))
