"""One EVM chain as a source of raw events: past by ranges, present block by block.

    open ──> finish what was under way ──> find the start ──┐
              ┌────────────────────────────────────────────┘
              └─> look at the head ──> behind the newest final block: ranges up to it
                        │        └───> new blocks: drop, add
                        └── nothing new, or no answer: wait, look again

What is known of the chain and what is to be written is decided in `core/evm/chain_tracker.py`; what
a step needs is read in `follow.py` and `backfill.py`, before anything changes.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Final

import aiohttp
import msgspec

from swapstats.adapters.sources.evm.backfill import Shared, find_shared, read_stretch
from swapstats.adapters.sources.evm.follow import Branch, Far, Quiet, find_start, look
from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.pools import PoolBook
from swapstats.adapters.sources.evm.progress import ChainFigures, Progress
from swapstats.adapters.sources.evm.providers import Link, Providers
from swapstats.adapters.sources.evm.rpc import RpcClient
from swapstats.adapters.sources.evm.rpc_errors import RpcError, RpcMissing
from swapstats.adapters.sources.evm.transport import HttpTransport, Transport
from swapstats.core.evm.chain import BeyondFinality, Entry
from swapstats.core.evm.chain_tracker import ChainTracker
from swapstats.core.evm.pool_selection import PoolSelection
from swapstats.core.evm.range_size import RangeSize
from swapstats.errors import Rejected
from swapstats.model.record import MessageBlock
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

CONFLICTS_MAX: Final = 3
"""So often in a row every node has to deny our final block."""
CONFLICTS_UNSURE_MAX: Final = 100
"""So often, if only some of the nodes answer."""

BAD_GUIDE_MS: Final = 10_000
"""A node that tells of a final block and does not have the blocks before it is left alone."""

_log = logging.getLogger("swapstats.sources.evm")
_encode = msgspec.json.Encoder().encode


class EvmSource:
    """Swaps of one chain, reorgs as removals: the `Source` port.

    The position is a block; notes hold the blocks that are not final yet, what left the chain and
    may come back, and what pools and tokens say of themselves.

    Args:
        options: the chain, its nodes and which pools count.
        clock: monotonic clock for pauses, wall clock for nodes that name a time to come back.
        connect: carries requests to a provider; None = HTTP.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        options: EvmOptions,
        clock: Clock,
        *,
        connect: Callable[[Provider], Transport] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._options = options
        self._clock = clock
        self._connect = connect
        self._sleep = sleep
        self._selection = PoolSelection(options.pools, options.factories, options.v4_managers)
        self._progress = Progress(options.chain, clock)

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return f"evm:{self._options.chain}"

    def status(self) -> SourceStatus:
        """Report how far it is, and which nodes are in trouble."""
        return self._progress.status()

    def figures(self) -> ChainFigures:
        """Report reorgs, and how far behind the chain's head it is."""
        return self._progress.figures()

    async def open(
        self, position: str | None, notes: Mapping[str, str] = NO_NOTES
    ) -> AsyncIterator[SourceBatch]:
        """Stream swaps from after the position on; it ends only with an error.

        Raises:
            Rejected: position or notes are none of this chain's collector, or blocks that were
                final left the chain.
        """
        try:
            async with AsyncExitStack() as stack:
                providers = await self._open_providers(stack)
                self._progress.watch(providers)
                entries = self._entries(providers, position, notes)
                await stack.enter_async_context(aclosing(entries))
                async for entry in entries:
                    messages = [_encode(swap) for swap in entry.swaps]
                    yield SourceBatch(MessageBlock.of(messages), entry.position, entry.notes)
        except Rejected as error:
            self._progress.failed(str(error))
            raise

    async def _open_providers(self, stack: AsyncExitStack) -> Providers:
        connect = self._connect
        if connect is None:
            http = await stack.enter_async_context(aiohttp.ClientSession())

            def connect(provider: Provider) -> Transport:
                return HttpTransport(http, provider, self._options.timeout_ms)

        registry, addresses = self._selection.registry(), self._selection.addresses
        links = []
        for seed, provider in enumerate(self._options.providers):
            client = RpcClient(
                connect(provider),
                provider,
                self._options.batch_calls_max,
                lambda: self._clock.wall_ms() / 1_000,
                self._sleep,
            )
            node = ChainNode(client, registry, addresses, self._progress.refused)
            links.append(Link(provider, node, self._options.chain_id, self._clock, seed))
        return Providers(links)

    async def _entries(
        self, providers: Providers, position: str | None, notes: Mapping[str, str]
    ) -> AsyncGenerator[Entry, None]:
        book = PoolBook(self._selection, self._options.native_symbol)
        book.restore(notes)
        tracker = None
        if position is not None:
            tracker = ChainTracker.restored(
                position, notes, self._options.chain_id, self._options.window_blocks_max
            )
            for entry in tracker.resume():
                yield entry
        while tracker is None:
            tracker = await self._begin(providers)
            if tracker is None:
                await self._pause(providers)
            else:
                yield Entry((), tracker.position)
        walk = _Walk(self._options, providers, tracker, book, self._progress)
        while True:
            entries = await walk.step()
            for entry in entries:
                yield entry
            if not entries:
                await self._pause(providers)

    async def _begin(self, providers: Providers) -> ChainTracker | None:
        for link in providers.usable():
            try:
                start = await link.ask(lambda node: find_start(node, self._options))
            except RpcError:
                continue
            return ChainTracker(self._options.chain_id, start, self._options.window_blocks_max)
        return None

    async def _pause(self, providers: Providers) -> None:
        await self._sleep(max(self._options.poll_interval_ms, providers.wait_ms()) / 1_000)


class _Walk:
    """The steps of an open source."""

    def __init__(
        self,
        options: EvmOptions,
        providers: Providers,
        tracker: ChainTracker,
        book: PoolBook,
        progress: Progress,
    ) -> None:
        self._options = options
        self._providers = providers
        self._tracker = tracker
        self._book = book
        self._progress = progress
        self._sizes: dict[str, RangeSize] = {}
        self._target = -1
        self._guide: Link | None = None
        self._conflicts = 0

    async def step(self) -> list[Entry]:
        """Make one step; gives what is to be written, nothing if there is nothing new.

        Raises:
            Rejected: blocks that were final left the chain.
        """
        if self._tracker.head.number < self._target:
            return await self._catch_up()
        denied: list[BeyondFinality] = []
        is_known = False
        for link in self._providers.usable():
            try:
                found = await link.ask(self._look)
            except RpcError:
                continue
            if isinstance(found, BeyondFinality):
                denied.append(found)
                continue
            if isinstance(found, Quiet):
                is_known = True
                if found.behind or self._progress.quiet_ms() > self._options.stale_ms:
                    continue  # another node may know more
                break
            if isinstance(found, Far):
                self._target, self._guide = found.final, link
                self._progress.catching_up(self._tracker.head.number, found.final)
                return await self._catch_up()
            self._conflicts = 0
            return self._advance(found)
        self._count_conflicts(denied, is_known=is_known)
        self._progress.looked(is_known=is_known)
        return []

    async def _look(self, node: ChainNode) -> Quiet | Far | Branch | BeyondFinality:
        return await look(node, self._tracker, self._book, self._options)

    def _advance(self, branch: Branch) -> list[Entry]:
        tracker, before = self._tracker, self._tracker.position
        entries: list[Entry] = []
        dropped = tracker.head.number - branch.ancestor
        if dropped:
            entries += self._drop(branch.ancestor)
        entries += tracker.add(branch.blocks, branch.final)
        self._progress.advanced(tracker.head.number, branch.left)
        return self._with_news(before, entries)

    def _drop(self, ancestor: int) -> list[Entry]:
        dropped = self._tracker.head.number - ancestor
        _log.info("%s: %d blocks left the chain", self._options.chain, dropped)
        self._progress.reorged(dropped)
        return self._tracker.drop_to(ancestor)

    async def _catch_up(self) -> list[Entry]:
        """Make one step towards the newest final block."""
        denied: list[BeyondFinality] = []
        for link in self._providers.usable():
            try:
                entries = await self._catch_up_by(link)
            except RpcMissing:
                if link is self._guide:
                    link.rest(BAD_GUIDE_MS)
                continue
            except RpcError:
                continue
            if isinstance(entries, BeyondFinality):
                denied.append(entries)
                continue
            self._conflicts = 0
            return entries
        self._count_conflicts(denied, is_known=False)
        self._progress.looked(is_known=False)
        self._target = -1  # the next look finds it again
        return []

    async def _catch_up_by(self, link: Link) -> list[Entry] | BeyondFinality:
        tracker, before = self._tracker, self._tracker.position
        if tracker.head != tracker.final:
            shared = await link.ask(lambda node: find_shared(node, tracker))
            if isinstance(shared, Shared):
                entries = []
                if shared.ancestor < tracker.head.number:
                    entries = self._drop(shared.ancestor)
                tracker.finalise(shared.ancestor)
                return [*entries, tracker.settled()]
            return shared
        size = self._sizes.setdefault(
            link.node.host,
            RangeSize(self._options.range_blocks_first, self._options.range_blocks_max),
        )
        stretch = await link.ask(
            lambda node: read_stretch(node, tracker, self._book, size, self._target, self._options)
        )
        if isinstance(stretch, BeyondFinality):
            return stretch
        entries = [tracker.announce_final(stretch.end)] if stretch.swaps else []
        entries.append(tracker.append_final(stretch.swaps, stretch.end))
        self._progress.caught_up(tracker.head.number)
        return self._with_news(before, entries)

    def _with_news(self, before: str, entries: list[Entry]) -> list[Entry]:
        """Write what pools and tokens say before the first swap that uses it."""
        news = self._book.take_news()
        return [Entry((), before, news), *entries] if news else entries

    def _count_conflicts(self, denied: list[BeyondFinality], *, is_known: bool) -> None:
        """Stop once nobody knows our final block any more, and everybody who answers says so."""
        if is_known or not denied:
            self._conflicts = 0
            return
        self._conflicts += 1
        are_all = len(denied) == len(self._providers)
        if self._conflicts >= (CONFLICTS_MAX if are_all else CONFLICTS_UNSURE_MAX):
            expected, found = denied[0].expected, denied[0].found_hash
            raise Rejected(
                f"Expected the final block {expected.number} of {self._options.chain} to be "
                f"{expected.hash}, was {found}: blocks left the chain that counted as final, and "
                f"their swaps cannot be taken back. Check the nodes; raise `confirmations` if the "
                f"chain does this; then start this chain with an empty data directory"
            )
