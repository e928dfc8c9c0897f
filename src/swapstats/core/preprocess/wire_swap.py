"""The swaps that are written: wire v1 with what the preprocessor knows beyond it."""

import msgspec


class ChainSwap(msgspec.Struct, gc=False, omit_defaults=True):
    """A swap of a chain, in the order of its fields on the wire."""

    schema_version: int
    chain_id: int
    tx_hash: str
    log_index: int
    block_number: int
    block_hash: str
    inclusion: int
    removed: bool
    token_address: str
    pool_address: str
    venue: str
    side: str
    amount_token: str
    amount_usd: str | None
    event_time: int
    price_source: str
    token_symbol: str | None = None
    trader: str | None = None
    flags: list[str] = []


class MarketSwap(msgspec.Struct, gc=False):
    """A trade of an exchange."""

    schema_version: int
    event_id: str
    token_address: str
    token_symbol: str
    venue: str
    side: str
    amount_token: str
    amount_usd: str | None
    event_time: int
    price_source: str


_encode = msgspec.json.Encoder().encode


def write_swap(swap: ChainSwap | MarketSwap) -> bytes:
    """Write one message."""
    return _encode(swap)
