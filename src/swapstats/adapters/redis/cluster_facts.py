"""What all processes of one deployment must hold alike, kept once in Redis.

One hash, `{prefix:facts}`. Each fact is written by whoever needs it first and never changed after
that: two processes that start at once agree on the one that came first. The hash key lies here in
the open: who may read this Redis may grind colliding event ids.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, tagged
from swapstats.errors import SettingsMismatch, StoreCorrupt

KEY_BYTES: Final = 16
_ORIGIN_BYTES: Final = 16


class RedisClusterFacts:
    """Reads the facts of a deployment, and makes those that are not there yet; from any thread.

    Every call may raise `Transient` (Redis cannot be reached; repeating it is harmless) and
    `StoreError` (Redis refuses the command).

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.

    Raises:
        SettingsError: the URL or the prefix cannot be used.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._key = tagged(prefix, "facts")
        self._line = RedisLine(url, timeout_ms=timeout_ms)

    def origin(self) -> str:
        """Name of this deployment's life, for the names of streams; made by the first call ever."""
        return self._first("origin", secrets.token_hex(_ORIGIN_BYTES)).decode()

    def hash_key(self) -> bytes:
        """Secret of the fingerprints, KEY_BYTES long; made by the first call ever.

        Raises:
            StoreCorrupt: what is kept is no such key.
        """
        found = self._first("hash_key", secrets.token_hex(KEY_BYTES))
        try:
            key = bytes.fromhex(found.decode())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise StoreCorrupt(
                f"Expected {KEY_BYTES} bytes in hex as `hash_key` of {self._key} in "
                f"{self._line.name}, was something else: put the old key back, or delete the "
                "field and rebuild the state from the log"
            )
        return key

    def agree(self, shape: Mapping[str, Any]) -> None:
        """Write the deployment's shape down, or hold this one against it.

        Args:
            shape: values of JSON, such as `partitions`, `step_ms` and `widths_ms`.

        Raises:
            SettingsMismatch: it was given another shape before.
        """
        text = json.dumps(dict(shape), sort_keys=True)
        expect_shape(json.loads(text), self._decoded(self._first("shape", text)), self._line.name)

    def shape(self) -> dict[str, Any] | None:
        """The deployment's shape; None if nobody wrote one yet.

        Raises:
            StoreCorrupt: what is kept is no shape.
        """
        found: bytes | None = self._line.call("HGET", self._key, "shape")
        return None if found is None else self._decoded(found)

    def close(self) -> None:
        """Release connections."""
        self._line.close()

    def _first(self, name: str, value: str) -> bytes:
        """Set a fact if it is not there; returns the one that is there then."""
        found: bytes = self._line.together(
            ("HSETNX", self._key, name, value), ("HGET", self._key, name)
        )[1]
        return found

    def _decoded(self, text: bytes) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StoreCorrupt(
                f"Expected a JSON object as `shape` of {self._key} in {self._line.name}, was "
                f"{text[:80]!r}: delete the field; the next aggregator writes it anew"
            )
        return found


def expect_shape(ours: Mapping[str, Any], kept: Mapping[str, Any], where: str) -> None:
    """Hold the shape of our settings against the one a deployment was begun with.

    Args:
        ours: by our settings.
        kept: of the deployment.
        where: the place it is kept in, for the message.

    Raises:
        SettingsMismatch: they differ.
    """
    differing = sorted(name for name in {*ours, *kept} if ours.get(name) != kept.get(name))
    if differing:
        was = ", ".join(
            f"{name} {ours.get(name)} instead of {kept.get(name)}" for name in differing
        )
        raise SettingsMismatch(
            f"Expected the settings this deployment was begun with ({where}), was {was}: give the "
            "settings of the running aggregators, or use another `stores.redis.prefix` for a "
            "deployment of its own"
        )
