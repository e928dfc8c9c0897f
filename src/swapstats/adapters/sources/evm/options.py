"""What an EVM collector is told: plain values, checked once."""

from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import urlsplit

from swapstats.errors import Rejected

HEX_DIGITS = frozenset("0123456789abcdef")
ADDRESS_DIGITS = 40
POOL_ID_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Provider:
    """One JSON-RPC endpoint.

    Attributes:
        url: `http://` or `https://`; may hold a secret key, so it is never shown.
        weight: heavier ones are preferred; among equals the order given.
    """

    url: str = field(repr=False)
    weight: int = 1

    @property
    def host(self) -> str:
        """What people may see of it: host and port."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


@dataclass(frozen=True, slots=True)
class EvmOptions:
    """One chain: where it is read, from where on, and which pools.

    With neither `pools` nor `factories`, every contract that says it is a V2 or V3 pool counts.
    V4 pools count if their manager is listed, all of them or, if `pools` holds ids (64 digits),
    those.

    Attributes:
        chain: name for people and in the source's name, such as `ethereum`.
        chain_id: EIP-155 id; a provider of another chain is not used.
        providers: at least one.
        start_block: first block to read; None = from the newest final block on.
        pools: addresses of V2 and V3 pools, and ids of V4 pools; empty = all.
        factories: of V2 and V3 pools; a pool counts only if one of these knows it. Empty = all,
            also what only pretends to be a pool.
        v4_managers: addresses of V4 pool managers whose swaps count.
        native_symbol: symbol of the chain's own coin, where V4 pools trade it unwrapped.
        poll_interval_ms: pause between two looks at the head.
        confirmations: how many blocks below the head are final; None = the chain's `finalized` tag.
        window_blocks_max: unfinalised blocks kept at most; older ones count as final.
        range_blocks_first: blocks asked for by the first range of a backfill.
        range_blocks_max: blocks asked for at most at once.
        batch_calls_max: calls in one JSON-RPC batch; 1 = no batches.
        timeout_ms: for one HTTP request.
        stale_ms: without a new block for so long, other providers are asked as well.

    Raises:
        Rejected: a value that cannot be used.
    """

    chain: str
    chain_id: int
    providers: tuple[Provider, ...]
    start_block: int | None = None
    pools: tuple[str, ...] = ()
    factories: tuple[str, ...] = ()
    v4_managers: tuple[str, ...] = ()
    native_symbol: str | None = None
    poll_interval_ms: int = 1_000
    confirmations: int | None = None
    window_blocks_max: int = 4_096
    range_blocks_first: int = 500
    range_blocks_max: int = 10_000
    batch_calls_max: int = 50
    timeout_ms: int = 10_000
    stale_ms: int = 60_000

    def __post_init__(self) -> None:
        if not self.chain or not self.chain.replace("-", "").replace("_", "").isalnum():
            raise Rejected(f"Expected a chain's name of letters and digits, was {self.chain!r}")
        if not self.providers:
            raise Rejected(f"Expected at least one provider of {self.chain}, was none")
        for number, provider in enumerate(self.providers, 1):
            if not _is_http(provider.url):
                raise Rejected(
                    f"Expected an http:// or https:// URL of each provider of {self.chain}, "
                    f"was another of the {number}th (not shown)"
                )
        for address in chain(self.factories, self.v4_managers):
            _check_hex(address, (ADDRESS_DIGITS,))
        for pool in self.pools:
            _check_hex(pool, (ADDRESS_DIGITS, POOL_ID_DIGITS))
        self._check_numbers()

    def _check_numbers(self) -> None:
        least = {
            "chain_id": 1,
            "poll_interval_ms": 1,
            "window_blocks_max": 1,
            "range_blocks_first": 1,
            "range_blocks_max": self.range_blocks_first,
            "batch_calls_max": 1,
            "timeout_ms": 1,
            "stale_ms": 1,
        }
        for name, value_min in least.items():
            if getattr(self, name) < value_min:
                raise Rejected(f"Expected {name} >= {value_min}, was {getattr(self, name)}")
        if self.start_block is not None and self.start_block < 0:
            raise Rejected(f"Expected a start block >= 0, was {self.start_block}")
        if self.confirmations is not None and not 0 <= self.confirmations < self.window_blocks_max:
            raise Rejected(
                f"Expected 0 to {self.window_blocks_max - 1} confirmations, "
                f"was {self.confirmations}"
            )


def _is_http(url: str) -> bool:
    """Whether it can be used; what is wrong may be part of a key, so it is not told."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_hex(text: str, lengths: tuple[int, ...]) -> None:
    digits = text.removeprefix("0x")
    if not text.startswith("0x") or len(digits) not in lengths or not HEX_DIGITS.issuperset(digits):
        raise Rejected(
            f"Expected 0x and {' or '.join(map(str, lengths))} lower-case hex digits, was {text!r}"
        )
