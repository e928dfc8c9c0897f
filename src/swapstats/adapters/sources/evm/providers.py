"""Several nodes of one chain: whom to ask next, and whom not to ask for a while.

One step asks one node for everything it needs, so that an answer never mixes two views of the
chain. A node that fails is left alone for a while (longer each time), one that asks to wait is
waited for, one of another chain is not used.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.rpc_errors import (
    RpcError,
    RpcGarbage,
    RpcMissing,
    RpcRateLimited,
)
from swapstats.core.circuit_breaker import CircuitBreaker
from swapstats.errors import Rejected
from swapstats.ports.clock import Clock

_log = logging.getLogger("swapstats.sources.evm")

AnswerT = TypeVar("AnswerT")

FAILURES_MAX: Final = 3
OPEN_MS: Final = 1_000
OPEN_MS_MAX: Final = 60_000
WRONG_CHAIN_MS: Final = 60_000


class Link:
    """One node, with what is known of how it behaves.

    Args:
        provider: how it is reached.
        node: whom to ask.
        chain_id: chain it has to be on.
        clock: monotonic clock.
        seed: of the jitter of its pauses.
    """

    def __init__(
        self, provider: Provider, node: ChainNode, chain_id: int, clock: Clock, seed: int = 0
    ) -> None:
        self.provider = provider
        self.node = node
        self._chain_id = chain_id
        self._clock = clock
        self._breaker = CircuitBreaker(FAILURES_MAX, OPEN_MS, 1, open_ms_max=OPEN_MS_MAX, seed=seed)
        self._rests_until_ms = 0
        self._is_checked = False
        self.trouble: str | None = None

    def wait_ms(self) -> int:
        """How long it is left alone; 0 = it may be asked."""
        now_ms = self._clock.monotonic_ms()
        return max(0, self._rests_until_ms - now_ms, self._breaker.retry_after_ms(now_ms))

    def rest(self, span_ms: int) -> None:
        """Leave it alone for so long."""
        self._rests_until_ms = self._clock.monotonic_ms() + span_ms

    async def ask(self, question: Callable[[ChainNode], Awaitable[AnswerT]]) -> AnswerT:
        """Ask the node; its chain is checked first, once, and again after a failure.

        Raises:
            RpcError: there is no answer, or none that can be believed.
        """
        self._breaker.allows(self._clock.monotonic_ms())
        try:
            await self._check_chain()
            answer = await question(self.node)
        except Rejected as refusal:
            # The rules of the chain refuse what the node said.
            raise self._failed(RpcGarbage(f"{self.node.host}: {refusal}")) from None
        except RpcMissing as error:
            self._succeeded()
            self.trouble = str(error)
            raise
        except RpcError as error:
            raise self._failed(error) from None
        except BaseException:
            # Given up from outside: that says nothing about the node.
            self._succeeded()
            raise
        self._succeeded()
        return answer

    async def _check_chain(self) -> None:
        if self._is_checked:
            return
        chain_id = await self.node.chain_id()
        if chain_id != self._chain_id:
            self.rest(WRONG_CHAIN_MS)
            raise RpcGarbage(
                f"Expected chain {self._chain_id} of {self.node.host}, was {chain_id}: "
                f"check the URL"
            )
        self._is_checked = True

    def _succeeded(self) -> None:
        self._breaker.succeeded(self._clock.monotonic_ms())
        self.trouble = None

    def _failed(self, error: RpcError) -> RpcError:
        now_ms = self._clock.monotonic_ms()
        if str(error) != self.trouble:
            _log.warning("%s", error)
        self.trouble = str(error)
        if isinstance(error, RpcRateLimited):
            self.rest(error.retry_after_ms)
            self._breaker.succeeded(now_ms)
        else:
            self._breaker.failed(now_ms)
            self._is_checked = False
        return error


class Providers:
    """All nodes of a chain, the preferred ones first.

    Args:
        links: as configured.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = sorted(links, key=lambda link: -link.provider.weight)

    def __len__(self) -> int:
        return len(self._links)

    def usable(self) -> list[Link]:
        """Those that may be asked now."""
        return [link for link in self._links if not link.wait_ms()]

    def wait_ms(self) -> int:
        """How long until one of them may be asked."""
        return min(link.wait_ms() for link in self._links)

    def troubles(self) -> list[str]:
        """What is wrong with which, for people; hosts only."""
        return [link.trouble for link in self._links if link.trouble is not None]
