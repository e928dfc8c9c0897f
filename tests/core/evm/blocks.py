"""Short ways to write headers, swaps and blocks of branches `a`, `b`, …"""

from swapstats.core.evm.chain import Block, BlockRef, Entry, Header
from swapstats.model.raw_event import PoolSwap

CHAIN_ID = 1_337


def hash_of(number: int, branch: str = "a") -> str:
    return f"0x{branch}{number}"


def header(number: int, branch: str = "a", parent: str | None = None) -> Header:
    """A header; `parent` names the parent's branch."""
    parent_hash = hash_of(number - 1, branch if parent is None else parent)
    return Header(number, hash_of(number, branch), parent_hash, number * 12_000)


def swap(tx: str, block: Header, log_index: int = 0, amount: int = 5) -> PoolSwap:
    return PoolSwap(
        chain_id=CHAIN_ID,
        block_number=block.number,
        block_hash=block.hash,
        tx_hash=tx,
        log_index=log_index,
        event_time=block.time_ms,
        venue="uniswap_v3",
        pool="0xpool",
        token0="0xt0",
        token1="0xt1",
        amount0=str(amount),
        amount1=f"-{amount}",
    )


def block(number: int, *txs: str, branch: str = "a", parent: str | None = None) -> Block:
    """A block with one swap for each transaction."""
    head = header(number, branch, parent)
    return Block(head, tuple(swap(tx, head, index) for index, tx in enumerate(txs)))


def start(number: int, branch: str = "a") -> BlockRef:
    return BlockRef(number, hash_of(number, branch))


def said(entry: Entry) -> list[tuple[str, int, bool]]:
    """What an entry's messages say: transaction, inclusion, removed."""
    return [(one.tx_hash, one.inclusion, one.removed) for one in entry.swaps]
