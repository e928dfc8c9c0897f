"""An encoder of logs, written from the definitions of the events alone: ints in, JSON out."""

import json
from typing import Any

V2_SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
V2_SYNC = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
V3_SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
V4_SWAP = "0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f"
POOL = "0x" + "a1" * 20
SENDER = "0x" + "b2" * 20
RECIPIENT = "0x" + "c3" * 20
MANAGER = "0x" + "d4" * 20
POOL_ID = "0x" + "e5" * 32
Log = dict[str, Any]


def word(value: int | str) -> str:
    """64 hex digits of a number (negative ones as two's complement) or of hex text."""
    number = int(value, 16) if isinstance(value, str) else value
    text = f"{number % 2**256:064x}"
    assert len(text) == 64
    return text


def log(
    topics: list[str],
    words: list[int | str],
    address: str = POOL,
    block: int = 18_937_382,
    index: int = 7,
) -> Log:
    """A log as a node writes it; what `topics` lacks to 66 characters is filled with zeros."""
    return {
        "address": address,
        "topics": ["0x" + word(topic) for topic in topics],
        "data": "0x" + "".join(word(value) for value in words),
        "blockNumber": hex(block),
        "blockHash": "0x" + word(block * 2**200 + 5),
        "blockTimestamp": hex(1_700_000_000 + block),
        "transactionHash": "0x" + word(block * 2**220 + index // 3),
        "transactionIndex": hex(index // 3),
        "logIndex": hex(index),
        "removed": False,
    }


def v2_swap(in0: int, in1: int, out0: int, out1: int, **place: Any) -> Log:
    return log([V2_SWAP, SENDER, RECIPIENT], [in0, in1, out0, out1], **place)


def v2_sync(reserve0: int, reserve1: int, **place: Any) -> Log:
    return log([V2_SYNC], [reserve0, reserve1], **place)


def v3_swap(
    amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int, **place: Any
) -> Log:
    words: list[int | str] = [amount0, amount1, sqrt_price_x96, liquidity, tick]
    return log([V3_SWAP, SENDER, RECIPIENT], words, **place)


def v4_swap(
    amount0: int,
    amount1: int,
    sqrt_price_x96: int,
    liquidity: int,
    tick: int,
    fee: int = 3_000,
    **place: Any,
) -> Log:
    """`amount0` and `amount1` as V4 writes them: the swapper's view."""
    words: list[int | str] = [amount0, amount1, sqrt_price_x96, liquidity, tick, fee]
    return log([V4_SWAP, POOL_ID, SENDER], words, **({"address": MANAGER} | place))


def answer(*logs: object) -> bytes:
    """A JSON-RPC answer to `eth_getLogs`."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": logs}).encode()
