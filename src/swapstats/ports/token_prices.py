"""Where the newest price of each token is kept."""

from collections.abc import Sequence
from typing import Protocol

from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer


class TokenPrices(Protocol):
    """The newest price of each token; from any thread."""

    def put(self, prices: Sequence[TokenPrice], writer: Writer) -> None:
        """Put prices in place of those that are not newer by event time.

        One with source `none` deletes the token's price. Putting them again changes nothing.
        From its first put on, a writer keeps those of lower epochs out.

        Raises:
            Fenced: a writer of a higher epoch has put something; nothing was put.
            Transient: the store cannot be reached; some may be there, put them all again.
        """
        ...

    def get(self, token: str) -> TokenPrice | None:
        """The newest price of a token; None if it has none.

        Raises:
            Transient: the store cannot be reached.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
