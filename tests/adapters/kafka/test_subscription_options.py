import pytest

from swapstats.adapters.kafka.subscription_options import BLOCK_BYTES_MAX, SubscriptionOptions
from swapstats.errors import SettingsError


def test_what_is_fetched_ahead_has_a_bound() -> None:
    block = SubscriptionOptions().properties("g")
    assert block["queued.max.messages.kbytes"] == BLOCK_BYTES_MAX >> 10
    for back_pressure in ("buffer", "drop"):
        options = SubscriptionOptions(back_pressure=back_pressure, buffer_bytes_max=5 << 20)
        assert options.properties("g")["queued.max.messages.kbytes"] == 5 << 10


def test_static_members_speak_the_classic_protocol() -> None:
    properties = SubscriptionOptions(member="a-1", session_timeout_ms=6_000).properties("g")
    assert properties["group.instance.id"] == "a-1"
    assert properties["group.protocol"] == "classic"
    assert properties["heartbeat.interval.ms"] == 1_200
    assert properties["auto.offset.reset"] == "error"
    assert "group.instance.id" not in SubscriptionOptions().properties("g")


def test_bounds_are_checked() -> None:
    with pytest.raises(SettingsError, match="session timeout"):
        SubscriptionOptions(session_timeout_ms=10_000, poll_interval_max_ms=9_000)
    with pytest.raises(SettingsError, match="1 MiB"):
        SubscriptionOptions(buffer_bytes_max=1_000)
    with pytest.raises(SettingsError, match="1 record"):
        SubscriptionOptions(records_max=0)
