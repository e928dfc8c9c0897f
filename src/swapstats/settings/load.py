"""Loading: defaults, then the YAML file, then the environment, then flags; the later wins.

Everything wrong is told at once, each with its key, what was expected, what it was and where it
was written. What is merely without effect becomes a notice.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

from swapstats.errors import SettingsError
from swapstats.model.window import format_span
from swapstats.settings.given import FlagValue, Given, read_environment, read_flags
from swapstats.settings.key import HOUR_MS, Status
from swapstats.settings.kinds import Address
from swapstats.settings.table import KEYS, build, value_of
from swapstats.settings.tree import Settings
from swapstats.settings.yaml_file import read_yaml

_OF_BROKERS = (
    "ingest.brokers",
    "ingest.topic",
    "ingest.raw_topic",
    "ingest.group_id",
    "ingest.start",
    "ingest.properties",
    "ingest.secret_properties",
    "ingest.static_member",
    "ingest.session_timeout",
    "ingest.back_pressure",
    "ingest.buffer_max",
    "ingest.topic_cfg.replication",
    "ingest.topic_cfg.retention_ms",
    "ingest.topic_cfg.cleanup_policy",
    "ingest.topic_cfg.segment_ms",
    "dedupe.store",
    "stores.checkpoints",
    *(key for key in KEYS if key.startswith(("stores.redis.", "stores.s3."))),
    "pubsub.nats.url",
)
"""Keys that the embedded log has no use for."""
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, FlagValue] | None = None,
) -> Settings:
    """Load the effective settings.

    Args:
        path: the YAML file; None takes the one `SWAPSTATS_CONFIG` names, if it does.
        environ: environment variables; None takes those of the process.
        flags: values by dotted key; None values count as not given.

    Raises:
        SettingsError: anything that cannot be honoured, all of it in one message.
    """
    environ = os.environ if environ is None else environ
    if path is None and environ.get("SWAPSTATS_CONFIG"):
        path = Path(environ["SWAPSTATS_CONFIG"])
    problems: list[str] = []
    values: dict[str, Any] = {}
    origin = dict.fromkeys(KEYS, "default")
    for layer in (
        read_yaml(path, problems) if path is not None else [],
        read_environment(environ, problems),
        read_flags(flags or {}, problems),
    ):
        _take(layer, values, origin, problems)
    _refuse(problems)
    _rename(values, origin)
    settings = build(values)
    _refuse(_conflicts(settings, origin))
    if settings.log.retention_ms == 0:
        settings = replace(
            settings, log=replace(settings.log, retention_ms=_retention_ms_min(settings))
        )
    if settings.dedupe.ttl_ms == 0:
        settings = replace(
            settings, dedupe=replace(settings.dedupe, ttl_ms=2 * _retention_ms_min(settings))
        )
    settings = replace(settings, origin=MappingProxyType(origin))
    return replace(settings, notices=tuple(_notices(settings)))


def _take(
    layer: Sequence[Given],
    values: dict[str, Any],
    origin: dict[str, str],
    problems: list[str],
) -> None:
    taken: dict[str, str] = {}
    for given in layer:
        dotted = given.key.dotted
        try:
            value = given.key.read(given.raw)
        except SettingsError as error:
            problems.append(f"{dotted} ({given.where}): {error}.")
            continue
        if dotted in taken and value != values[dotted]:
            problems.append(
                f"{dotted} ({given.where}): Expected one value, was another in {taken[dotted]}. "
                f"Remove one of them."
            )
            continue
        taken[dotted] = given.where
        values[dotted] = value
        origin[dotted] = given.where


def _rename(values: dict[str, Any], origin: dict[str, str]) -> None:
    """Take the old name of a key for the new one where that has a use."""
    old, new = "app.dedupe_ttl", "dedupe.ttl"
    if values.get("dedupe.store") == "redis" and old in values and new not in values:
        values[new] = values[old]
        origin[new] = origin[old]


def _refuse(problems: list[str]) -> None:
    if len(problems) == 1:
        raise SettingsError(problems[0])
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise SettingsError(f"{len(problems)} settings cannot be honoured:\n{listed}")


def _retention_ms_min(settings: Settings) -> int:
    return settings.windows.widest_ms + settings.app.max_ahead_ms + HOUR_MS


def _conflicts(settings: Settings, origin: Mapping[str, str]) -> list[str]:
    """Check keys against each other."""
    try:
        retention_ms_min = _retention_ms_min(settings)
    except SettingsError as error:
        both = f"app.windows ({origin['app.windows']}), app.bucket_step"
        return [f"{both} ({origin['app.bucket_step']}): {error}."]
    found = []
    if 0 < settings.log.retention_ms < retention_ms_min:
        found.append(
            f"log.retention ({origin['log.retention']}): Expected at least "
            f"{format_span(retention_ms_min)} (widest window + app.max_ahead + 1h), was "
            f"{format_span(settings.log.retention_ms)}: the state could not be rebuilt. "
            f"Take auto, or narrower windows."
        )
    if settings.dedupe.store == "redis" and 0 < settings.dedupe.ttl_ms <= retention_ms_min:
        found.append(
            f"dedupe.ttl ({origin['dedupe.ttl']}): Expected more than "
            f"{format_span(retention_ms_min)} (widest window + app.max_ahead + 1h), was "
            f"{format_span(settings.dedupe.ttl_ms)}: it would know no more than the windows do. "
            f"Take auto, or dedupe.store: local."
        )
    ws = settings.api.ws
    for dotted, span_ms in (
        ("api.ws.heartbeat", ws.heartbeat_ms),
        ("api.ws.slow_client_ms", ws.slow_client_ms),
    ):
        if span_ms < ws.coalesce_ms:
            found.append(
                f"{dotted} ({origin[dotted]}): Expected at least api.ws.coalesce_ms "
                f"({ws.coalesce_ms} ms), was {span_ms} ms."
            )
    return found + _archive_ages(settings, origin) + _shared_addresses(settings, origin)


def _archive_ages(settings: Settings, origin: Mapping[str, str]) -> list[str]:
    archive = settings.stores.clickhouse
    if archive.cold_after_ms < archive.delete_after_ms:
        return []
    cold = format_span(archive.cold_after_ms)
    deleted = format_span(archive.delete_after_ms)
    where = f"stores.clickhouse.delete_after ({origin['stores.clickhouse.delete_after']})"
    return [f"{where}: Expected more than stores.clickhouse.cold_after ({cold}), was {deleted}."]


def _shared_addresses(settings: Settings, origin: Mapping[str, str]) -> list[str]:
    listening = {
        "api.http.addr": settings.api.http.addr,
        "metrics.prometheus": settings.metrics.prometheus,
        "metrics.pprof": settings.metrics.pprof,
    }
    return [
        f"{second} ({origin[second]}): Expected another address than {first} "
        f"({origin[first]}), was {listening[second]} too."
        for first, second in combinations(listening, 2)
        if _overlap(listening[first], listening[second])
    ]


def _overlap(one: Address | None, other: Address | None) -> bool:
    if one is None or other is None or one.port != other.port or one.port == 0:
        return False
    hosts = {address.host.replace("localhost", "127.0.0.1") for address in (one, other)}
    return len(hosts) == 1 or bool(hosts & _WILDCARDS)


def _notices(settings: Settings) -> list[str]:
    found = []
    for dotted, key in KEYS.items():
        where = settings.origin_of(dotted)
        if where == "default":
            continue
        if key.row.status is Status.NOT_YET:
            found.append(f"{dotted} ({where}) is not built yet: {key.row.instead}.")
        elif key.row.status is Status.SUPERSEDED and where != settings.origin_of("dedupe.ttl"):
            found.append(f"{dotted} ({where}) has no effect: superseded by {key.row.instead}.")
    found += _idle(settings)
    if settings.security.allow_unauthenticated:
        found += [
            f"{dotted} ({settings.origin_of(dotted)}): warning: other machines can read from "
            f"{address} without authentication (`security.allow_unauthenticated`)."
            for dotted, address in settings.public_addresses().items()
        ]
    return found


def _idle(settings: Settings) -> list[str]:
    """Name what was set for brokers while the log is embedded."""
    ingest = settings.ingest
    is_embedded = ingest.broker_type == "embedded"
    if not (is_embedded or ingest.embedded_fallback):
        return []
    found = []
    if not is_embedded:
        found.append(
            f"ingest.broker_type ({settings.origin_of('ingest.broker_type')}): `swapstats run` "
            f"takes the embedded log instead of {ingest.broker_type} "
            f"(`ingest.embedded_fallback`)."
        )
    idle = [
        f"{dotted} ({settings.origin_of(dotted)})"
        for dotted in _OF_BROKERS
        if value_of(settings, KEYS[dotted]) != KEYS[dotted].read(KEYS[dotted].row.default)
    ]
    if idle:
        found.append(
            f"`swapstats run` has no use for {', '.join(idle)}: `swapstats ingest`, `aggregate` "
            f"and `serve` have."
        )
    return found
