"""Chains as sources: which nodes, from which block on, which pools.

Addresses of nodes may hold keys: no message here quotes one.
"""

import re
from collections.abc import Mapping
from typing import Final

from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.core.evm.known_factories import chosen_factories
from swapstats.core.evm.pool_selection import known_managers
from swapstats.errors import SettingsError
from swapstats.ports.clock import Clock
from swapstats.ports.source import Source
from swapstats.settings import SourceSettings

DEFAULT_CHAIN: Final = "ethereum"
_NAMED: Final = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*(https?://.*)")


def evm_sources(chosen: str, settings: SourceSettings, clock: Clock) -> list[Source]:
    """Make the sources of one chain, or of all that have nodes.

    Args:
        chosen: name of a chain; empty = all.
        settings: `source.evm`.
        clock: monotonic time.

    Raises:
        SettingsError: an unknown chain, no node, or a value that cannot be read.
        Rejected: a value the source refuses.
    """
    nodes = providers(settings)
    names = [chosen] if chosen else [name for name in settings.evm.chains if name in nodes]
    if not names:
        raise SettingsError(
            "Expected nodes of a chain for the source evm, was none: give `--rpc URL`, or "
            "`source.evm.rpc` with a line NAME=URL for each"
        )
    return [EvmSource(chain_options(name, nodes, settings), clock) for name in names]


def providers(settings: SourceSettings) -> Mapping[str, tuple[Provider, ...]]:
    """Nodes by name of their chain, in the order they were given.

    Raises:
        SettingsError: a line that is none; it is not quoted.
    """
    found: dict[str, tuple[Provider, ...]] = {}
    chains = settings.evm.chains
    alone = next(iter(chains)) if len(chains) == 1 else DEFAULT_CHAIN
    lines = [line.strip() for line in settings.evm.rpc.reveal().splitlines()]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        named = _NAMED.fullmatch(line)
        name, rest = (named[1], named[2]) if named else (alone, line)
        url, *weight = rest.split()
        is_line = url.startswith(("http://", "https://")) and name in chains
        is_weight = not weight or (len(weight) == 1 and _is_number(weight[0]))
        if not (is_line and is_weight):
            raise SettingsError(
                f"Expected source.evm.rpc with lines such as NAME=https://host/key or "
                f"NAME=https://host/key 2, each NAME one of source.evm.chains "
                f"({', '.join(chains)}), was another line {number} (not shown)"
            )
        provider = Provider(url, int(weight[0]) if weight else 1)
        found[name] = (*found.get(name, ()), provider)
    return found


def chain_options(
    name: str, nodes: Mapping[str, tuple[Provider, ...]], settings: SourceSettings
) -> EvmOptions:
    """Say how one chain is followed.

    Raises:
        SettingsError: an unknown chain, no node, or a value that cannot be read.
        Rejected: a value the source refuses.
    """
    evm = settings.evm
    if name not in evm.chains:
        raise SettingsError(
            f"Expected a chain of source.evm.chains ({', '.join(evm.chains)}), was {name!r}: add "
            f"it there with its chain id"
        )
    if name not in nodes:
        raise SettingsError(
            f"Expected nodes of {name} in source.evm.rpc, was none: give `--rpc {name}=URL`, or a "
            f"line {name}=URL"
        )
    chain_id = _number(evm.chains[name], f"source.evm.chains of {name}")
    pools, factories = _words(evm.pools, name), _words(evm.factories, name)
    return EvmOptions(
        chain=name,
        chain_id=chain_id,
        providers=nodes[name],
        start_block=_optional(evm.start, "start", name),
        pools=pools,
        factories=chosen_factories(chain_id, pools, factories),
        v4_managers=_words(evm.v4_managers, name) or known_managers(chain_id, pools, factories),
        poll_interval_ms=evm.poll_interval_ms,
        confirmations=_optional(evm.confirmations, "confirmations", name),
        stale_ms=evm.stale_ms,
    )


def _optional(values: Mapping[str, str], key: str, name: str) -> int | None:
    return _number(values[name], f"source.evm.{key} of {name}") if name in values else None


def _words(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(values.get(name, "").lower().split())


def _number(text: str, what: str) -> int:
    if not _is_number(text):
        raise SettingsError(f"Expected a whole number as {what}, was {text!r}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
