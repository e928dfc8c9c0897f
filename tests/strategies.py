"""Hypothesis strategies for wire v1: swaps, conflict-free streams, and bytes that are no swap."""

from random import Random

from hypothesis import strategies as st

from swapstats.testing.wire_streams import (
    AMOUNT_TOKEN_MAX,
    AMOUNT_USD_MAX,
    TOKENS,
    StreamShape,
    WireSwap,
    random_stream,
)

START_MS = 1_704_412_800_000


def rngs() -> st.SearchStrategy[Random]:
    """Random sources whose seed Hypothesis prints and shrinks."""
    return st.integers(0, 2**32 - 1).map(Random)


@st.composite
def wire_swaps(draw: st.DrawFn, span_ms: int = 120_000, ids: int = 20) -> WireSwap:
    """Adds and removals of few events: identities collide often, conflicts included."""
    token = draw(st.sampled_from(TOKENS))
    number = draw(st.integers(0, ids))
    parts = dict(token)
    event_id = f"x:{number}"
    if "chain_id" in parts:
        parts |= {"tx_hash": f"0x{number:x}", "log_index": number}
        event_id = f"{parts['chain_id']}:0x{number:x}:{number}"
    fields: dict[str, object] = {
        "event_id": event_id,
        "side": draw(st.sampled_from(("buy", "sell"))),
        "amount_token": draw(st.sampled_from((0, 1, AMOUNT_TOKEN_MAX)) | st.integers(0, 10**24)),
        "amount_usd": draw(st.sampled_from((None, 0, 1, AMOUNT_USD_MAX)) | st.integers(0, 10**12)),
        "event_ms": START_MS + draw(st.integers(0, span_ms)),
        "inclusion": draw(st.integers(0, 2)),
        "removed": draw(st.booleans()),
    }
    return WireSwap(**fields, **parts)  # type: ignore[arg-type] # drawn to fit


@st.composite
def conflict_free_streams(draw: st.DrawFn, swaps_max: int = 25) -> list[WireSwap]:
    """Streams as `random_stream` draws them, of any shape."""
    span_ms = draw(st.sampled_from((0, 4_999, 60_000, 600_000)))
    shape = StreamShape(
        swaps=draw(st.integers(0, swaps_max)),
        start_ms=START_MS + draw(st.integers(0, 10_000)),
        span_ms=span_ms,
        removed_share=draw(st.sampled_from((0.0, 0.3, 1.0))),
        reincluded_share=draw(st.sampled_from((0.0, 0.4))),
        late_share=draw(st.sampled_from((0.0, 0.2, 1.0))),
    )
    return random_stream(draw(rngs()), shape)


def any_bytes() -> st.SearchStrategy[bytes]:
    """Bytes near JSON: any bytes, any text, and pieces of messages in any order."""
    pieces = st.sampled_from(
        (
            *(
                b"{",
                b"}",
                b"[",
                b"]",
                b",",
                b":",
                b'"',
                b"\\",
                b"\\ud800",
                b"\\udc00",
                b"null",
                b"1",
            ),
            *(b"-", b"1e9", b"NaN", b"null", b'"side"', b'"buy"', b'"event_time"', b"\xff"),
            *(b'"schema_version":1', b'"token_address":"t"', b'"amount_token":1', b" ", b"\xc3"),
        )
    )
    return st.binary(max_size=60) | st.text().map(str.encode) | st.lists(pieces).map(b"".join)
