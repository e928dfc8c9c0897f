"""Wire v1: the contract of one swap message, its limits and the reasons to refuse one.

The rules are DESIGN's; `core.decode` applies them. One JSON object a swap, UTF-8.
"""

SCHEMA_VERSION = 1
TEXT_BYTES_MAX = 256
"""Bound on `event_id` (given or composed) and `token_address`, in UTF-8 bytes."""
MESSAGE_BYTES_MAX = 1 << 20
TOKEN_WHOLE_DIGITS_MAX = 20
TOKEN_PLACES_MAX = 18
USD_WHOLE_DIGITS_MAX = 12
USD_PLACES_MAX = 6
EVENT_MS_MIN = 1_230_940_800_000
"""2009-01-03T00:00:00Z."""
INTEGER_MAX = (1 << 63) - 1

SIDE_SELL, SIDE_BUY = 0, 1

REASONS = (
    "ok",
    "malformed_json",
    "not_utf8",
    "too_large",
    "missing_field",
    "bad_schema_version",
    "bad_event_id",
    "bad_token",
    "bad_side",
    "bad_amount_token",
    "bad_amount_usd",
    "bad_event_time",
    "too_far_ahead",
    "bad_field",
    "conflict",
)
"""Reasons a message is refused; the position is the code used in arrays."""

OK = 0
TOO_FAR_AHEAD = REASONS.index("too_far_ahead")
CONFLICT = REASONS.index("conflict")
