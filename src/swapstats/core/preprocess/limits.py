"""What a swap can hold, and what is too little to be one."""

from typing import Final

from swapstats.core.preprocess.amounts import POWERS, TOKEN_PLACES, USD_PLACES, plain_text
from swapstats.core.preprocess.refusal import Refusal
from swapstats.model.wire import TOKEN_WHOLE_DIGITS_MAX, USD_WHOLE_DIGITS_MAX

CLOCK_SLACK_MS: Final = 60_000
"""What lies further ahead of the log's clock than this moves no horizon and closes no minute."""

_TOKEN_LIMIT: Final = POWERS[TOKEN_WHOLE_DIGITS_MAX + TOKEN_PLACES]
_USD_LIMIT: Final = POWERS[USD_WHOLE_DIGITS_MAX + USD_PLACES]


def check_amounts(amount: int, usd: int | None, dust_micros: int) -> Refusal | None:
    """Refuse what a swap cannot hold, and filter what is too little.

    Args:
        amount: of the token, TOKEN_PLACES places.
        usd: micro-dollars; None: no price.
        dust_micros: what is worth less is filtered.
    """
    if amount >= _TOKEN_LIMIT:
        return Refusal(
            "not_representable",
            f"Expected less than 10^{TOKEN_WHOLE_DIGITS_MAX} of the token, was "
            f"{plain_text(amount, TOKEN_PLACES)}",
        )
    if usd is not None and usd >= _USD_LIMIT:
        return Refusal(
            "not_representable",
            f"Expected less than 10^{USD_WHOLE_DIGITS_MAX} USD, was {plain_text(usd, USD_PLACES)}",
        )
    if not amount:
        return Refusal("dust", f"less than half of 10^-{TOKEN_PLACES} of the token")
    if usd is not None and usd < dust_micros:
        return Refusal("dust", f"worth {plain_text(usd, USD_PLACES)} USD")
    return None
