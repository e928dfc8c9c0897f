"""Contract ABI, encoding only, plainly: enough for calls and constructors of test contracts."""

from typing import Any

from swapstats.testing.evm.keccak import selector

_WORD = 32


def call_data(signature: str, *arguments: Any) -> bytes:
    """Encode a call.

    Args:
        signature: such as `transfer(address,uint256)`; tuples and arrays included.
        arguments: numbers, `0x` text for addresses and bytes, lists, tuples.

    >>> call_data("transfer(address,uint256)", "0x" + "11" * 20, 1).hex()[:16]
    'a9059cbb00000000'
    """
    return selector(signature) + encoded(signature[signature.index("(") :], arguments)


def encoded(kind: str, value: Any) -> bytes:
    """Encode a value of a type, a tuple such as `(address,uint256)` for several.

    Raises:
        ValueError: a type that is not known here.
    """
    if kind.endswith("[]"):
        return len(value).to_bytes(_WORD) + _sequence([kind[:-2]] * len(value), value)
    if kind.startswith("("):
        return _sequence(_members(kind), value)
    if kind in {"bytes", "string"}:
        content = value.encode() if isinstance(value, str) and kind == "string" else _raw(value)
        return len(content).to_bytes(_WORD) + content + bytes(-len(content) % _WORD)
    if kind == "address":
        return _raw(value).rjust(_WORD, b"\0")
    if kind.startswith("bytes"):
        return _raw(value).ljust(_WORD, b"\0")
    if kind.startswith(("uint", "int", "bool")):
        return int(value).to_bytes(_WORD, signed=kind.startswith("int"))
    raise ValueError(f"Expected a type of the ABI, was {kind!r}")


def _sequence(kinds: list[str], values: Any) -> bytes:
    """Encode values side by side: the growing ones at the end, their places at the front."""
    parts = [encoded(kind, value) for kind, value in zip(kinds, values, strict=True)]
    head_bytes = sum(
        _WORD if _grows(kind) else len(part) for kind, part in zip(kinds, parts, strict=True)
    )
    head, tail = b"", b""
    for kind, part in zip(kinds, parts, strict=True):
        if _grows(kind):
            head += (head_bytes + len(tail)).to_bytes(_WORD)
            tail += part
        else:
            head += part
    return head + tail


def _grows(kind: str) -> bool:
    if kind.startswith("(") and not kind.endswith("]"):
        return any(_grows(member) for member in _members(kind))
    return kind.endswith("[]") or kind in {"bytes", "string"}


def _members(kind: str) -> list[str]:
    """Types within a tuple's parentheses."""
    members, depth, begin = [], 0, 1
    for at, letter in enumerate(kind):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        ends = letter == "," and depth == 1
        if ends or (letter == ")" and depth == 0 and at > begin):
            members.append(kind[begin:at])
            begin = at + 1
    return members


def _raw(value: Any) -> bytes:
    return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)
