"""A small assembler for the EVM: contracts that no compiler's package brings are written with it.

Words are opcodes, numbers (pushed), `name:` (a place to jump to) and `@name` (its address, pushed).
"""

from typing import Final

_OPCODES: Final = {
    "stop": 0x00,
    "add": 0x01,
    "sub": 0x03,
    "div": 0x04,
    "lt": 0x10,
    "eq": 0x14,
    "iszero": 0x15,
    "shl": 0x1B,
    "shr": 0x1C,
    "address": 0x30,
    "caller": 0x33,
    "calldataload": 0x35,
    "pop": 0x50,
    "mload": 0x51,
    "mstore": 0x52,
    "sload": 0x54,
    "sstore": 0x55,
    "jump": 0x56,
    "jumpi": 0x57,
    "gas": 0x5A,
    "dup1": 0x80,
    "dup2": 0x81,
    "dup3": 0x82,
    "dup4": 0x83,
    "dup6": 0x85,
    "swap1": 0x90,
    "log3": 0xA3,
    "call": 0xF1,
    "return": 0xF3,
    "staticcall": 0xFA,
    "revert": 0xFD,
}
_PUSH1: Final = 0x60
_PUSH2: Final = 0x61
_JUMPDEST: Final = 0x5B


def assemble(text: str) -> bytes:
    """Assemble a program.

    Raises:
        ValueError: a word that is none, or a place that is nowhere.

    >>> assemble("start: 1 @start jump").hex()
    '5b600161000056'
    """
    code = bytearray()
    places: dict[str, int] = {}
    jumps: list[tuple[int, str]] = []
    for word in text.split():
        if word.endswith(":"):
            places[word[:-1]] = len(code)
            code.append(_JUMPDEST)
        elif word.startswith("@"):
            jumps.append((len(code) + 1, word[1:]))
            code += bytes([_PUSH2, 0, 0])
        elif word in _OPCODES:
            code.append(_OPCODES[word])
        else:
            code += _pushed(word)
    for at, name in jumps:
        if name not in places:
            raise ValueError(f"Expected a place {name!r} in the program, was none")
        code[at : at + 2] = places[name].to_bytes(2)
    return bytes(code)


def creation(program: bytes) -> bytes:
    """Code that creates a contract which runs `program`."""
    # Push the length twice, copy what follows these 12 bytes to memory, return it.
    return bytes.fromhex(f"61{len(program):04x}80600c6000396000f3") + program


def answer(content: bytes | None) -> str:
    """Instructions that end a call with `content`; None = that make it fail."""
    if content is None:
        return "0 0 revert"
    words = [content[at : at + 32].ljust(32, b"\0") for at in range(0, len(content), 32)]
    stores = [f"0x{word.hex()} {32 * number} mstore" for number, word in enumerate(words)]
    return " ".join([*stores, f"{len(content)} 0 return"])


def _pushed(word: str) -> bytes:
    try:
        number = int(word, 0)
    except ValueError as error:
        raise ValueError(f"Expected an opcode or a number, was {word!r}") from error
    content = number.to_bytes(max(1, (number.bit_length() + 7) // 8))
    return bytes([_PUSH1 + len(content) - 1]) + content
