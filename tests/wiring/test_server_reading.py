"""What an auditor needs of a deployment; the audit itself: tests/end_to_end/test_servers.py."""

import pytest

from swapstats.errors import SettingsError
from swapstats.settings import load
from swapstats.wiring.server_reading import ServerReaders


def test_without_a_redis_it_says_which_key_is_missing() -> None:
    flags = {"ingest.broker_type": "kafka", "ingest.brokers": "127.0.0.1:1"}
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        ServerReaders.open(load(None, flags=flags, environ={}))
