"""Statistics of single tokens between instances: published by owners, heard by API processes.

Nothing here is relied on: what is lost is healed from the hot store.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from swapstats.model.token_update import TokenUpdate


class TokenPublisher(Protocol):
    """The owner's side."""

    def publish(self, updates: Sequence[TokenUpdate]) -> None:
        """Send updates; never blocks and never raises: what cannot be sent is dropped, counted."""
        ...

    def close(self) -> None:
        """Send what waits and release the connection."""
        ...


class TokenSubscriber(Protocol):
    """The side of those who serve; used from one event loop."""

    async def connect(
        self,
        deliver: Callable[[list[TokenUpdate]], None],
        missed: Callable[[], None] | None = None,
    ) -> None:
        """Begin; a server that cannot be reached is tried for ever.

        Args:
            deliver: called on the loop with what came, in the order it came.
            missed: called on the loop when updates of any token heard may not have come: after
                each connection and each overflow. Heal them from the hot store.
        """
        ...

    async def subscribe(self, key: str) -> None:
        """Hear a token from now on; harmless if it is heard already.

        What is published after this returned is delivered, if the server can be reached.

        Raises:
            Rejected: too many tokens, or a key no subject can be made of.
        """
        ...

    async def unsubscribe(self, key: str) -> None:
        """Hear a token no more."""
        ...

    @property
    def is_connected(self) -> bool:
        """False while the server cannot be reached."""
        ...

    async def close(self) -> None:
        """End."""
        ...
