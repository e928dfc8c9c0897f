"""Price stored events, without asyncio: python stored_events.py < events.ndjson > swaps.ndjson.

`swapstats collect exchange binance:BTCUSDT --output - > events.ndjson` stores some.
"""

import sys

import msgspec

from swapstats.collect import Pricer, RawEvent


def main() -> None:
    pricer = Pricer()
    for line in sys.stdin.buffer:
        swap = pricer.price(msgspec.json.decode(line, type=RawEvent))
        if swap is not None:
            print(swap.wire().decode())


if __name__ == "__main__":
    main()
