"""A priced swap, as a program takes it: wire v1 with exact amounts."""

from decimal import Decimal
from typing import Literal

import msgspec


class Swap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One swap of a token. The pair of `event_id` and `inclusion` names it.

    Attributes:
        schema_version: of wire v1.
        token_address: address on chain, or the base asset of an exchange.
        side: the trader's view of the token.
        amount_token: of the token, at most 18 places.
        amount_usd: what it was worth, at most 6 places; None = no trustworthy price.
        price_source: where the price comes from; `none` = there is none.
        event_time: of the block, or of the trade at its exchange, ms since epoch.
        venue: protocol or exchange.
        given_id: the event's id on an exchange; None on a chain. Use `event_id`.
        chain_id: EIP-155 id; None on an exchange, as the other fields of a chain.
        tx_hash: its transaction.
        log_index: index of its log within the block.
        block_number: height.
        block_hash: the block.
        pool_address: pool, or its id where one contract holds all pools.
        inclusion: how often the event had come onto the chain before.
        removed: whether this inclusion left the chain: take back what it added.
        token_symbol: for people; several tokens may have the same.
        trader: sender of the swap.
        flags: what is suspicious about it.
    """

    schema_version: int
    token_address: str
    side: Literal["buy", "sell"]
    amount_token: Decimal
    amount_usd: Decimal | None
    price_source: str
    event_time: int
    venue: str
    given_id: str | None = msgspec.field(default=None, name="event_id")
    chain_id: int | None = None
    tx_hash: str | None = None
    log_index: int | None = None
    block_number: int | None = None
    block_hash: str | None = None
    pool_address: str | None = None
    inclusion: int = 0
    removed: bool = False
    token_symbol: str | None = None
    trader: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The token's key: `<chain_id>:<token_address>`, or the asset of an exchange."""
        return (
            self.token_address if self.chain_id is None else f"{self.chain_id}:{self.token_address}"
        )

    @property
    def event_id(self) -> str:
        """The event's id, the same each time it comes."""
        return self.given_id or f"{self.chain_id}:{self.tx_hash}:{self.log_index}"

    def wire(self) -> bytes:
        """The message of wire v1: for a log that swapstats reads."""
        fields = msgspec.to_builtins(self, builtin_types=(Decimal,))
        for name in ("amount_token", "amount_usd"):
            if fields[name] is not None:
                fields[name] = f"{fields[name]:f}"
        return msgspec.json.encode(fields)
