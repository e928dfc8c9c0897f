"""`swapstats aggregate` as a command; its work: tests/end_to_end/test_servers.py."""

from tests.end_to_end.service_process import swapstats


def test_help_reads_like_a_manual() -> None:
    done = swapstats("aggregate", "--help")
    assert done.returncode == 0
    assert "Aggregate the partitions this group gives to this process." in done.stdout
    assert "--rebuild" in done.stdout


def test_what_is_missing_is_one_line() -> None:
    brokers = ("--set", "ingest.broker_type=kafka")
    for given, missing in (
        (brokers, "ingest.brokers"),
        ((*brokers, "--set", "ingest.brokers=127.0.0.1:1"), "stores.redis.addr"),
    ):
        done = swapstats("aggregate", *given)
        assert done.returncode != 0
        assert missing in done.stderr
        assert "Traceback" not in done.stderr
