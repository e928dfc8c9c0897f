"""What the scanner takes for plain: less than JSON is, and never more."""

import json

import pytest
from tests.core.kernels.batches import T0_MS, swap
from tests.core.kernels.scanning import AHEAD_MS, laid, scanned

from swapstats.core.kernels.scan import scan
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.testing.wire_streams import spelled

BASE = (
    f'"schema_version":1,"event_id":"e","token_address":"T","side":"buy","amount_token":"1",'
    f'"event_time":{T0_MS}'
)


def accepted(message: bytes) -> bool:
    data, bounds = laid([message])
    return bool(scanned(scan, data, bounds)[1].accepted[0])


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        (' "venue" : "a" , "x" : null , "y":false', True),
        ('"removed":true', True),
        ('"removed":1', False),
        ('"venue":true', False),
        ('"venue":1', False),
        ('"block_number":1', True),
        ('"block_number":1.0', False),
        ('"block_number":"1"', False),
        ('"inclusion":0', True),
        ('"inclusion":00', False),
        ('"ingested_time":"2024-01-05T00:00:00Z"', True),
        ('"ingested_time":"soon"', False),
        ('"amount_usd":null', True),
        ('"x":1,"x":2,"":3', True),
        ('"side":"buy",', False),
        (',"side":"buy"', False),
        ('"side":"buy" "x":1', False),
        ('"side"', False),
        ('"side":', False),
        ('"side" "buy"', False),
        ('"side":"buy","side":"buy"', False),
        ('"side":"b\\u0075y"', False),
        ('"side":"b\u00fcy"', False),
        ('"x":"\\n"', False),
        ('"x":-1', False),
        ('"x":1e3', False),
        ('"x":01', False),
        ('"x":1.', False),
        ('"x":.5', False),
        ('"x":[]', False),
        ('"x":{}', False),
        ('"x":nul', False),
        ('"x":tru', False),
        ('"x":fals', False),
        ('"x":nulL', False),
        ('"x":True', False),
        ('"x":nullx', False),
        ('"venue":null', False),
        ('"removed":null', False),
        ("venue:1", False),
        ("'venue':1", False),
    ],
)
def test_plain_is_narrower_than_json(text: str, is_plain: bool) -> None:
    message = f"{{{BASE},{text}}}".encode()
    assert accepted(message) == is_plain
    if is_plain:
        assert isinstance(decode_message(message, T0_MS, AHEAD_MS), Swap)


def test_every_cut_of_a_message_is_left_to_the_plain_decoder_or_is_json() -> None:
    message = spelled(swap(1))
    assert accepted(message)
    for cut in range(2, len(message)):
        part = message[:cut] + b"}"
        if accepted(part):
            json.loads(part)
