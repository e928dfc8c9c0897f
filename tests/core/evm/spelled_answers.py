"""Answers of nodes by seed: swaps, reserves, new pools and others, spelled well, oddly or badly."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.core.evm.made_logs import (
    MANAGER,
    POOL_ID,
    SENDER,
    V2_SWAP,
    V2_SYNC,
    V3_SWAP,
    V4_SWAP,
    Log,
    log,
    v2_swap,
    v2_sync,
    v3_swap,
    v4_swap,
)

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.registry import standard_registry

REGISTRY = standard_registry([MANAGER])
TOKENS = ["0x" + "11" * 20, "0x" + "22" * 20]
FOREIGN = "0x" + "f6" * 32
Spell = Callable[[Random, Any], str]


def some_logs(rng: Random, swaps: int) -> list[Log]:
    """Logs as a chain has them: blocks one after the other, reserves right before their swaps."""
    found: list[Log] = []
    block, index = rng.choice((0, 5, 20_000_000)), 0
    for _ in range(swaps):
        if rng.random() < 0.3:
            block, index = block + rng.randint(1, 3), 0
        address = f"0x{rng.randrange(3):040x}"
        found += _one(rng, {"block": block, "index": index, "address": address})
        index = int(found[-1]["logIndex"], 16) + rng.randint(1, 2)
    return found


def _one(rng: Random, place: dict[str, Any]) -> list[Log]:
    kind = rng.randrange(9)
    amounts = _signed(rng, 256), _signed(rng, 256)
    state = _up_to(rng, 160), _up_to(rng, 128), _signed(rng, 24)
    if kind <= 3:
        swap = v2_swap(*(_up_to(rng, 255) for _ in range(4)), **place)
        if kind == 3:
            return [swap]
        reserves = _up_to(rng, 256), _up_to(rng, 256)
        sync = v2_sync(*reserves, **place)
        if rng.random() < 0.1:
            sync["address"] = SENDER
        return [sync, swap | {"logIndex": hex(place["index"] + 1)}]
    if kind == 4:
        return [v3_swap(*amounts, *state, **place)]
    if kind == 5:
        amounts = _signed(rng, 128), _signed(rng, 128)
        place["address"] = MANAGER if rng.random() < 0.9 else SENDER
        return [v4_swap(*amounts, *state, fee=_up_to(rng, 24), **place)]
    if kind == 6:
        return [log([FOREIGN, SENDER][: rng.randint(0, 2)], [1, 2], **place)]
    if kind == 7:
        pool = (uniswap_v2.POOL, uniswap_v3.POOL)[rng.randrange(2)]
        topics = [pool.topic0, *TOKENS, "0x0bb8"][: pool.topics]
        return [log(topics, ["0x" + "33" * 20, "0x" + "44" * 20], **place)]
    created = uniswap_v4.pool_event([MANAGER]).topic0
    return [log([created, POOL_ID, *TOKENS], [3_000, 60, 0, 2**96, 0], **place)]


def _up_to(rng: Random, bits: int) -> int:
    """Of any size; rarely one too large."""
    if rng.random() < 0.02:
        return int(2**bits % 2**256)
    size = rng.getrandbits(rng.randint(1, bits))
    return int(rng.choice((0, 1, 2**bits - 1, 2**96, size)) % 2**bits)


def _signed(rng: Random, bits: int) -> int:
    if rng.random() < 0.02 and bits < 256:
        return int(rng.choice((2 ** (bits - 1), -(2 ** (bits - 1)) - 1)))
    edge = rng.choice((0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))))
    size = rng.getrandbits(rng.randint(1, bits - 1))
    return int(rng.choice((edge, size, -size)))


VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "0x", "0X1", "0x0", "0x" + "1" * 15, "0x" + "1" * 16,
    "0x" + "1" * 17, "0x00", "0x1g", "0xA", "1", "0x\u0663", "\ud83d\ude00", "0x" + "ab" * 20,
    "0x" + "AB" * 20, "0x" + "zz" * 20, "0x" + "ab" * 32, "0x" + "0" * 128, "0x" + "0" * 127,
    [], {}, [FOREIGN], [FOREIGN] * 5, [V2_SWAP, FOREIGN, FOREIGN], [None], ["0x12"], {"a": [{}]},
]  # fmt: skip


def broken(rng: Random, one: Log) -> Any:
    """A log with something about it that no node writes."""
    kind = rng.randrange(9)
    key = rng.choice(list(one))
    value = one[key]
    if kind == 0:
        return {name: value for name, value in one.items() if name != key}
    if kind == 1:
        return one | {key: rng.choice(VALUES)}
    if kind == 2:
        return one | {"removed": True}
    if kind == 3 and isinstance(value, str):
        return one | {key: value[: rng.randrange(len(value) + 1)]}
    if kind == 4 and isinstance(value, str):
        return one | {key: value.upper() if rng.random() < 0.5 else value.upper().replace("X", "x")}
    if kind == 5 and isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return one | {key: value[:at] + rng.choice("gGxX \u00e9\u0663-_\n") + value[at + 1 :]}
    if kind == 6:
        topics = list(one["topics"])
        topics[rng.randrange(len(topics) + 1) :] = rng.choice(([], [FOREIGN], [V2_SWAP, V3_SWAP]))
        return one | {"topics": topics}
    if kind == 7:
        first = rng.choice((V2_SWAP, V2_SYNC, V3_SWAP, V4_SWAP, FOREIGN))
        return one | {"topics": ["0x" + first[2:].upper(), *one["topics"][1:]]}
    return rng.choice(VALUES)


def as_nodes_do(_rng: Random, value: Any) -> str:
    """JSON without a blank."""
    return json.dumps(value, separators=(",", ":"))


def oddly(rng: Random, value: Any) -> str:
    """JSON that means the same: blanks, escapes, keys in any order, further ones, some twice."""

    def gap() -> str:
        return "".join(rng.choices(" \t\r\n", k=rng.choice((0, 0, 0, 1, 3))))

    if isinstance(value, dict):
        items = list(value.items())
        if rng.random() < 0.5:
            rng.shuffle(items)
        for _ in range(rng.choice((0, 0, 1, 2))):
            extra: Any = rng.choice(
                (0, 7, -1, 1e300, 10**40, None, True, "x", "\u00e9", [1], {"b": {}})
            )
            name = rng.choice(("blockTimestamp", "x", "", "topic", "dataa", "logIndexx"))
            items.insert(rng.randrange(len(items) + 1), (name, extra))
        if items and rng.random() < 0.1:
            items.insert(rng.randrange(len(items) + 1), rng.choice(items))
        members = (
            f"{gap()}{_text(rng, key)}{gap()}:{gap()}{oddly(rng, one)}" for key, one in items
        )
        return "{" + f"{gap()},".join(members) + gap() + "}"
    if isinstance(value, list):
        return "[" + gap() + f"{gap()},{gap()}".join(oddly(rng, one) for one in value) + gap() + "]"
    return _text(rng, value) if isinstance(value, str) else json.dumps(value)


def _text(rng: Random, value: str) -> str:
    if value and value.isascii() and rng.random() < 0.003:
        at = rng.randrange(len(value))
        before, after = json.dumps(value[:at])[:-1], json.dumps(value[at + 1 :])[1:]
        return f"{before}\\u{ord(value[at]):04x}{after}"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def answer_of(rng: Random, logs: list[Any], spell: Spell) -> bytes:
    """Put logs into the envelope of an answer."""
    members = [("jsonrpc", '"2.0"'), ("id", rng.choice(("1", "null", '"a"', "0")))]
    if spell is oddly and rng.random() < 0.1:
        odd = ("error", rng.choice(("null", "{}"))), ("result", "[]"), ("x", "[1]"), ("id", "-1.5")
        members.insert(rng.randrange(3), rng.choice(odd))
    members.insert(rng.randrange(len(members) + 1), ("result", spell(rng, logs)))
    gap = rng.choice(("", " ", "\n\t")) if spell is oddly else ""
    text = f",{gap}".join(f'"{key}":{gap}{value}{gap}' for key, value in members)
    return f"{gap}{{{gap}{text}}}{gap}".encode("utf-8", "surrogatepass")


def damaged(rng: Random, body: bytes) -> bytes:
    """Flip, insert, delete, double or move a few bytes, or cut the text."""
    text = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((1, 1, 2, 8, 64)))
        kind = rng.randrange(7)
        if kind == 0:
            text[at:end] = b""
        elif kind == 1:
            text[at:at] = rng.choice(
                b'"\\{}[],:.-+eE0123456789axAX \n\x00\x7f\x80\xc3\xff'
            ).to_bytes()
        elif kind == 2:
            text[at:at] = text[at:end]
        elif kind == 3 and at < len(text):
            text[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            other = rng.randrange(len(text) + 1)
            text[at:at] = text[other : other + rng.choice((1, 5, 70))]
        elif kind == 5:
            text[at:end] = rng.choice((b"null", b"true", b'""', b"{}", b"[]", b',"removed":true'))
        elif rng.random() < 0.2:
            del text[at:]
    return bytes(text)
