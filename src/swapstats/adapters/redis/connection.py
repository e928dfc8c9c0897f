"""A connection to Redis with every wait bounded, and its errors in our words.

Nothing above the adapters sees an error of the client library. Nothing is tried again here: after
a time-out nobody knows if a write happened, and only the caller knows if repeating it is harmless.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from swapstats.errors import SettingsError, StoreError, StoreFull, Transient

Argument = bytes | str | int

TIMEOUT_MS: Final = 5_000
CONNECTIONS_MAX: Final = 32
COMMAND_BYTES_MAX: Final = 1 << 20
"""About how much one command carries; a single value larger than this goes by itself."""
PIPELINE_BYTES_MAX: Final = 8 << 20
"""About how much is under way at once: what the client and the server have to hold for it."""
FIELDS_MAX: Final = 1_000
"""Fields one command names; Lua passes no more than some thousands of arguments on."""

_RETRY_MS: Final = 500
_PASSING: Final = ("LOADING", "READONLY", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPL")


class RedisLine:
    """A client of one Redis, used from any thread.

    Args:
        url: `redis://[user:password@]host:port/db` (`rediss` for TLS).
        timeout_ms: bound on connecting and on each answer.

    Attributes:
        name: host and port, for messages; never a password.

    Raises:
        SettingsError: the URL is not one of a Redis.
    """

    def __init__(self, url: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        try:
            pool = redis.ConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                socket_timeout=timeout_ms / 1_000,
                socket_connect_timeout=timeout_ms / 1_000,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError as error:
            raise SettingsError(
                f"Expected an address such as redis://127.0.0.1:6379/0, was refused: {error}"
            ) from error
        place = pool.connection_kwargs
        self.name = f"Redis at {place.get('host', 'localhost')}:{place.get('port', 6379)}"
        # Its commands carry no types.
        self._client: Any = redis.Redis(connection_pool=pool)

    def call(self, *command: Argument) -> Any:
        """Run one command.

        Raises:
            Transient: Redis cannot be reached or does not serve now; a write may have happened.
            StoreFull: its memory or its disk is full; nothing was written.
            StoreError: it refuses the command.
        """
        with self._our_errors():
            return self._client.execute_command(*command)

    def run(self, script: "Script", keys: Sequence[str], *args: Argument) -> Any:
        """Run a script atomically; see `call` for what is raised."""
        with self._our_errors():
            try:
                return self._client.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
            except exceptions.NoScriptError:
                return self._client.execute_command("EVAL", script.text, len(keys), *keys, *args)

    def run_each(
        self, script: "Script", calls: Iterable[tuple[Sequence[str], Sequence[Any]]]
    ) -> Iterator[Any]:
        """Run a script many times, in pipelines of PIPELINE_BYTES_MAX; see `call`.

        Yields:
            The answer of each run. The next pipeline is sent when the answers of the last one are
            taken: stop taking them and nothing more is sent.
        """
        waiting: list[tuple[Argument, ...]] = []
        size_bytes = 0
        for keys, args in calls:
            waiting.append(("EVALSHA", script.sha, len(keys), *keys, *args))
            size_bytes += sum(len(arg) for arg in args if isinstance(arg, bytes))
            if size_bytes >= PIPELINE_BYTES_MAX or len(waiting) >= FIELDS_MAX:
                yield from self._run_pipeline(script, waiting)
                waiting, size_bytes = [], 0
        if waiting:
            yield from self._run_pipeline(script, waiting)

    def together(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Run commands as one transaction; see `call`."""
        with self._our_errors():
            pipeline = self._client.pipeline(transaction=True)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers

    def close(self) -> None:
        """Release connections."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _run_pipeline(self, script: "Script", commands: list[tuple[Argument, ...]]) -> list[Any]:
        with self._our_errors():
            pipeline = self._client.pipeline(transaction=False)
            # A restarted Redis has forgotten its scripts.
            pipeline.execute_command("SCRIPT LOAD", script.text)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers[1:]

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except exceptions.AuthenticationError as error:
            raise SettingsError(
                f"Expected {self.name} to accept the user and password of its URL, was refused: "
                f"{error}"
            ) from error
        except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
            raise Transient(
                f"Expected an answer of {self.name}, was {error}: start it or check its address; "
                "trying again goes on",
                _RETRY_MS,
            ) from error
        except exceptions.RedisError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: exceptions.RedisError) -> Exception:
        # Of a pipeline it begins with the command, which may be long and is not for people.
        text = str(error).rpartition("caused error: ")[2]
        if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
            return StoreFull(
                f"Expected room in {self.name}, was at its memory limit ({text}): raise "
                "`maxmemory` or free memory; nothing was written"
            )
        if "MISCONF" in text:
            return StoreFull(
                f"Expected {self.name} to write its files, was {text}: free space on its disk; "
                "nothing was written"
            )
        if isinstance(error, exceptions.ReadOnlyError | exceptions.ClusterError) or text.startswith(
            _PASSING
        ):
            return Transient(
                f"Expected {self.name} to serve, was {text}: it starts or changes its leader; "
                "trying again goes on",
                _RETRY_MS,
            )
        return StoreError(
            f"Expected {self.name} to hold only keys of swapstats under this prefix, was {text}: "
            "use another prefix or database"
        )


class Script:
    """A Lua script; Redis keeps it by its digest and runs it without interruption.

    Args:
        text: the script; keys come in KEYS, everything else in ARGV.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the digest Redis asks for


def tagged(prefix: str, place: int | str) -> str:
    """Make the first part of a place's keys: a hash tag, so that a Cluster keeps them together.

    Raises:
        SettingsError: the prefix holds a brace, which would cut the tag short.

    >>> tagged("swapstats", 3)
    '{swapstats:3}'
    """
    if not prefix or "{" in prefix or "}" in prefix:
        raise SettingsError(f"Expected a key prefix without braces, was {prefix!r}")
    return f"{{{prefix}:{place}}}"


def portions(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[list[bytes]]:
    """Lay fields and values out as arguments, cut to FIELDS_MAX and about COMMAND_BYTES_MAX."""
    portion: list[bytes] = []
    size_bytes = 0
    for field, value in pairs:
        if portion and (
            size_bytes + len(value) > COMMAND_BYTES_MAX or len(portion) >= 2 * FIELDS_MAX
        ):
            yield portion
            portion, size_bytes = [], 0
        portion += (field, value)
        size_bytes += len(value)
    if portion:
        yield portion
