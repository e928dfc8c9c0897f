"""What clients say: every good form, and a refusal for everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.stream_command import (
    MessageRefused,
    OverviewChannel,
    Subscribe,
    TokenChannel,
    Unsubscribe,
    Wanted,
    parse_channel,
    parse_command,
)


@pytest.mark.parametrize(
    ("message", "command"),
    [
        ({"subscribe": "token:X"}, Subscribe((Wanted("token:X"),))),
        ({"subscribe": ["a", "b"]}, Subscribe((Wanted("a"), Wanted("b")))),
        ({"subscribe": []}, Subscribe(())),
        ({"subscribe": "a", "stream": "s", "seq": 0}, Subscribe((Wanted("a", "s", 0),))),
        (
            {"subscribe": [{"channel": "a", "stream": "s", "seq": 7}, {"channel": "b"}, "c"]},
            Subscribe((Wanted("a", "s", 7), Wanted("b"), Wanted("c"))),
        ),
        ({"unsubscribe": "a"}, Unsubscribe(("a",))),
        ({"unsubscribe": ["a", "b"]}, Unsubscribe(("a", "b"))),
    ],
)
def test_good_messages(message: object, command: object) -> None:
    assert parse_command(json.dumps(message)) == command


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "1", '"subscribe"', "{}", '{"subscribe":1}', '{"subscribe":null}',
        '{"subscribe":[1]}', '{"subscribe":[["a"]]}', '{"subscribe":[{}]}', '{"unsubscribe":[{}]}',
        '{"subscribe":"a","unsubscribe":"b"}', '{"subscribe":"a","seq":1}',
        '{"subscribe":"a","stream":"s"}', '{"subscribe":"a","stream":1,"seq":1}',
        '{"subscribe":"a","stream":"s","seq":true}', '{"subscribe":"a","stream":"s","seq":-1}',
        '{"subscribe":"a","stream":"s","seq":1.5}', '{"subscribe":"a","stream":"s","seq":1e99}',
        '{"subscribe":"a","stream":"s","seq":9223372036854775808}',
        '{"subscribe":["a"],"stream":"s","seq":1}', '{"subscribe":"a","other":1}',
        '{"subscribe":"' + "a" * 601 + '"}',
        '{"subscribe":"a","stream":"' + "s" * 65 + '","seq":1}',
        "[" * 5_000,
    ],
)  # fmt: skip
def test_bad_messages_are_refused(text: str) -> None:
    with pytest.raises(MessageRefused) as caught:
        parse_command(text)
    assert caught.value.name == "bad-message"
    assert str(caught.value).startswith("Expected")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse_command(text)
    except MessageRefused:
        return
    assert "subscribe" in json.loads(text) or "unsubscribe" in json.loads(text)


@given(st.text(min_size=1, max_size=300))
def test_a_token_channel_keeps_its_id_whatever_stands_in_it(key: str) -> None:
    assert parse_channel(f"token:{key}", 500) == TokenChannel(key)


@pytest.mark.parametrize(
    ("channel", "wanted"),
    [
        ("overview:5m", OverviewChannel("5m")),
        ("overview:5m:trades:asc:500", OverviewChannel("5m", "trades", "asc", 500)),
    ],
)
def test_overview_channels(channel: str, wanted: OverviewChannel) -> None:
    assert parse_channel(channel, 500) == wanted


@pytest.mark.parametrize(
    "channel",
    [
        "", "token", "token:", "overview", "overview:", "tokens:x", "overview:5m:trades",
        "overview:5m:price:asc:5", "overview:5m:trades:up:5", "overview:5m:trades:asc:0",
        "overview:5m:trades:asc:501", "overview:5m:trades:asc:x", "overview:5m:trades:asc:٣",
        "overview:5m:trades:asc:5:6",
    ],
)  # fmt: skip
def test_other_channels_are_unknown(channel: str) -> None:
    with pytest.raises(MessageRefused) as caught:
        parse_channel(channel, 500)
    assert (caught.value.name, caught.value.channel) == ("unknown-channel", channel)
