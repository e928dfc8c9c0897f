"""Why a raw event becomes no swap: the reasons by name."""

from dataclasses import dataclass
from typing import Final

LETTERS: Final = {
    "bad_json": "no JSON object in UTF-8",
    "unknown_kind": "no kind of raw event that is known",
    "bad_version": "a version of raw events that is not known",
    "bad_field": "a field that is missing or breaks its format",
    "too_large": "more bytes than a raw event may have",
    "too_far_ahead": "an event time too far after the append time",
    "unknown_chain": "a chain that has no token lists",
    "decimals_unknown": "a token whose places are not known, or absurd",
    "not_representable": "an amount beyond what a swap can hold",
    "bad_block": "one block hash with two heights or times",
    "past_horizon": "from before what is remembered: its price cannot be told again",
}
"""Reasons that keep the original as a dead letter, and what each means."""
FILTERS: Final = {
    "dust": "worth less than the bound, or less than the smallest amount",
    "denied": "a token, pool or market of the deny list",
    "one_sided": "nothing was given for it",
}
"""Reasons that only count."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one raw event became no swap.

    Attributes:
        reason: one of `LETTERS` or `FILTERS`.
        detail: one sentence for people.
    """

    reason: str
    detail: str

    @property
    def is_letter(self) -> bool:
        """Whether the original is kept."""
        return self.reason in LETTERS
