"""The frozen tree of effective settings, and what would be unsafe to run with.

Only `load.py` builds it. Wiring reads it and hands plain values on; nothing else sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from swapstats.model.window import WindowSpec
from swapstats.settings.backfill import Backfill
from swapstats.settings.kinds import Address
from swapstats.settings.preprocess import Preprocess
from swapstats.settings.servers import (
    PubSub,
    Stores,
)
from swapstats.settings.serving import (
    Api,
    Breaker,
    Metrics,
    Observability,
    RateLimit,
    Security,
)
from swapstats.settings.sources import SourceSettings
from swapstats.settings.stream import App, Data, Dedupe, Ingest, Log


@dataclass(frozen=True, slots=True)
class Settings:
    """Every effective setting, by section.

    Attributes:
        origin: for every key, by dotted name, where its value is from: `default`,
            `config.yaml:12`, `env WINDOWS` or `flag --windows`.
        notices: sentences for people: keys that were set and have no effect, and warnings.
    """

    data: Data = field(default_factory=Data)
    ingest: Ingest = field(default_factory=Ingest)
    app: App = field(default_factory=App)
    dedupe: Dedupe = field(default_factory=Dedupe)
    log: Log = field(default_factory=Log)
    source: SourceSettings = field(default_factory=SourceSettings)
    preprocess: Preprocess = field(default_factory=Preprocess)
    backfill: Backfill = field(default_factory=Backfill)
    api: Api = field(default_factory=Api)
    metrics: Metrics = field(default_factory=Metrics)
    observability: Observability = field(default_factory=Observability)
    security: Security = field(default_factory=Security)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    stores: Stores = field(default_factory=Stores)
    pubsub: PubSub = field(default_factory=PubSub)
    breaker: Breaker = field(default_factory=Breaker)
    origin: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notices: tuple[str, ...] = ()

    @property
    def windows(self) -> WindowSpec:
        """Step and widths of the windows."""
        return WindowSpec(self.app.bucket_step_ms, self.app.windows_ms)

    def origin_of(self, dotted: str) -> str:
        """Where the value of a key is from; `default` if nobody set it."""
        return self.origin.get(dotted, "default")

    def public_addresses(self) -> dict[str, Address]:
        """Addresses of unauthenticated servers that other machines reach, by key."""
        addresses = {
            "api.http.addr": self.api.http.addr,
            "metrics.prometheus": self.metrics.prometheus,
        }
        return {
            dotted: address
            for dotted, address in addresses.items()
            if address is not None and not address.is_loopback
        }

    def blockers(self) -> list[str]:
        """List what would be unsafe to run with; `run` refuses while any is left.

        Other roles refuse those that concern them.
        """
        found = []
        if self.security.jwt.enabled:
            found.append(
                f"security.jwt.enabled ({self.origin_of('security.jwt.enabled')}): Expected false, "
                f"was true: tokens are not checked yet, so the server would be open to everyone. "
                f"Set it to false and let a proxy that checks tokens stand in front."
            )
        if not self.security.allow_unauthenticated:
            found += [
                f"{dotted} ({self.origin_of(dotted)}): Expected a loopback address, was {address}: "
                f"other machines could read without authentication. Take "
                f"127.0.0.1:{address.port}, or allow it with "
                f"`security.allow_unauthenticated: true`."
                for dotted, address in self.public_addresses().items()
            ]
        profiles = self.metrics.pprof
        if profiles is not None and not profiles.is_loopback:
            found.append(
                f"metrics.pprof ({self.origin_of('metrics.pprof')}): Expected a loopback address, "
                f"was {profiles}: profiles show the inside of the process. Take "
                f"127.0.0.1:{profiles.port}, or false to switch them off."
            )
        return found
