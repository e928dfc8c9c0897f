"""Loading settings: layers, origins, checks, notices, blockers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from swapstats.errors import SettingsError
from swapstats.model.window import WindowSpec
from swapstats.settings import Address, FlagValue, Secret, Settings, load

# Addresses that other machines reach are written on purpose: nothing here listens.
OPEN = "0.0.0.0:8080"


def load_text(
    directory: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, FlagValue] | None = None,
) -> Settings:
    path = directory / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ=environ or {}, flags=flags)


def refusal(directory: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_text(directory, text)
    return str(caught.value).replace(f"{directory}/", "")


def test_defaults() -> None:
    settings = load(environ={})
    assert settings.windows == WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
    assert settings.app.grace_ms == 120_000
    assert settings.app.max_ahead_ms == 3_600_000
    assert settings.app.snapshot_interval_ms == 5_000
    assert settings.log.retention_ms == 26 * 3_600_000
    assert settings.ingest.topic_cfg.partitions == 4
    assert settings.api.http.addr == Address("127.0.0.1", 8080)
    assert settings.api.ws.coalesce_ms == 100
    assert settings.metrics.prometheus == Address("127.0.0.1", 9091)
    assert settings.metrics.pprof == Address("127.0.0.1", 6060)
    assert settings.observability.no_progress_ms == 30_000
    assert set(settings.origin.values()) == {"default"}
    assert settings.notices == ()
    assert settings.blockers() == []


def test_later_layers_win_and_say_so(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        "app:\n  grace: 10s\n  windows: [1m, 10m]\n  late: drop\n  bucket_step: 1s\n",
        {"WINDOWS": "5m,1h", "SWAPSTATS_APP_GRACE": "20s", "SWAPSTATS_SOURCE_DEMO_RATE": ""},
        {"app.grace": "30s", "app.max_ahead": None},
    )
    assert settings.app.grace_ms == 30_000
    assert settings.app.windows_ms == (300_000, 3_600_000)
    assert settings.app.late == "drop"
    assert settings.origin["app.grace"] == "flag --app-grace"
    assert settings.origin["app.windows"] == "env WINDOWS"
    assert settings.origin["app.late"] == f"{tmp_path}/config.yaml:4"
    assert settings.origin["app.bucket_step"] == f"{tmp_path}/config.yaml:5"
    assert settings.origin["app.max_ahead"] == "default"
    assert settings.origin["source.demo.rate"] == "default"


def test_short_environment_names() -> None:
    settings = load(environ={"WINDOWS": "5m,1h,24h", "BUCKET_STEP": "5s"})
    assert settings.windows.names == ("5m", "1h", "24h")
    assert settings.origin["app.bucket_step"] == "env BUCKET_STEP"


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "named.yaml"
    path.write_text("data: {dir: /elsewhere}\n", encoding="utf-8")
    settings = load(environ={"SWAPSTATS_CONFIG": str(path), "SWAPSTATS_DATA": "/tests"})
    assert settings.data.dir == "/elsewhere"


def test_retention_follows_the_windows(tmp_path: Path) -> None:
    settings = load_text(tmp_path, "app: {windows: [5m, 168h], max_ahead: 10m}\n")
    assert settings.log.retention_ms == 169 * 3_600_000 + 600_000
    settings = load_text(tmp_path, "log: {retention: 26h, size_max: unbounded}\n")
    assert settings.log.retention_ms == 26 * 3_600_000
    assert settings.log.size_bytes_max == 0


def test_flags_take_values_as_well_as_text() -> None:
    settings = load(
        environ={},
        flags={
            "app.grace": 1_500,
            "app.windows": ["5m", "1h"],
            "ingest.embedded_fallback": True,
            "ingest.max_bytes": 1 << 20,
            "data.dir": Path("/somewhere"),
            "api.tokens": {"USDC": "1:0xa0b8"},
        },
    )
    assert settings.app.grace_ms == 1_500
    assert settings.app.windows_ms == (300_000, 3_600_000)
    assert settings.ingest.embedded_fallback
    assert settings.ingest.read_bytes_max == 1 << 20
    assert settings.data.dir == "/somewhere"
    assert settings.api.tokens == {"USDC": "1:0xa0b8"}
    assert settings.origin["ingest.embedded_fallback"] == "flag --embedded"


USUAL = """\
ingest:
  broker_type: kafka
  brokers: ["kafka-1:9092", "kafka-2:9092"]
  topic: raw-swaps
  group_id: swap-stats
  start: latest
  max_bytes: 10e6
  topic_cfg:
    partitions: 48
    replication: 3
    retention_ms: 172800000
    cleanup_policy: delete
    segment_ms: 3600000
app:
  grace: 120s
  snapshot_interval: 5s
  dedupe_ttl: 24h
stores:
  redis: {addr: "redis:6379", db: 0, prefix: "swaps:"}
  clickhouse:
    dsn: clickhouse://writer:hunter2@clickhouse:9000/swaps
pubsub:
  nats: {url: "nats://nats:4222"}
security:
  jwt: {enabled: true, alg: HS256, secret: hunter2}
rate_limit:
  by_jwt: {refill_per_sec: 50, burst: 200}
  by_ip: {refill_per_sec: 20, burst: 60}
api:
  http: {addr: ":8080"}
  ws: {coalesce_ms: 100, max_conn: 5000}
metrics:
  prometheus: ":9091"
  pprof: ":6060"
"""

NO_JWT = "is not built yet: requests are not authenticated."
NO_LIMIT = "is not built yet: requests are not limited by rate."


def test_the_usual_configuration_loads_unchanged(tmp_path: Path) -> None:
    settings = load_text(tmp_path, USUAL)
    assert [notice.replace(f"{tmp_path}/config.yaml:", "line ") for notice in settings.notices] == [
        (
            "app.dedupe_ttl (line 17) has no effect: superseded by `app.windows`: an event is "
            "remembered exactly as long as its time bucket; with `dedupe.store: redis` it is "
            "another name of `dedupe.ttl`."
        ),
        f"security.jwt.enabled (line 25) {NO_JWT}",
        f"security.jwt.alg (line 25) {NO_JWT}",
        f"security.jwt.secret (line 25) {NO_JWT}",
        f"rate_limit.by_jwt.refill_per_sec (line 27) {NO_LIMIT}",
        f"rate_limit.by_jwt.burst (line 27) {NO_LIMIT}",
        f"rate_limit.by_ip.refill_per_sec (line 28) {NO_LIMIT}",
        f"rate_limit.by_ip.burst (line 28) {NO_LIMIT}",
    ]
    assert settings.ingest.brokers == ("kafka-1:9092", "kafka-2:9092")
    assert (settings.ingest.topic, settings.ingest.group_id) == ("raw-swaps", "swap-stats")
    assert settings.ingest.start == "latest"
    assert settings.ingest.topic_cfg.replication == 3
    assert settings.ingest.topic_cfg.retention_ms == 172_800_000
    assert settings.ingest.topic_cfg.segment_ms == 3_600_000
    assert settings.stores.redis.addr == "redis:6379"
    assert settings.stores.redis.prefix == "swaps:"
    assert settings.pubsub.nats.url == Secret("nats://nats:4222")
    assert settings.ingest.topic_cfg.partitions == 48
    assert settings.ingest.read_bytes_max == 10_000_000
    assert settings.api.ws.connections_max == 5_000
    assert settings.metrics.pprof == Address("127.0.0.1", 6060)
    assert settings.security.jwt.secret == Secret("hunter2")
    assert [blocker.split(" (")[0] for blocker in settings.blockers()] == [
        "security.jwt.enabled",
        "api.http.addr",
        "metrics.prometheus",
    ]
    for text in (repr(settings), str(settings), *settings.notices, *settings.blockers()):
        assert "hunter2" not in text


@pytest.mark.parametrize("broker", ["kafka", "redpanda"])
def test_a_broker_runs_embedded_only_when_asked(broker: str) -> None:
    flags: dict[str, FlagValue] = {"ingest.broker_type": broker}
    assert load(environ={}, flags=flags).blockers() == []
    assert load(environ={}, flags=flags).notices == ()
    settings = load(environ={}, flags={**flags, "ingest.embedded_fallback": True})
    assert settings.blockers() == []
    assert settings.notices == (
        (
            f"ingest.broker_type (flag --ingest-broker-type): `swapstats run` takes the embedded "
            f"log instead of {broker} (`ingest.embedded_fallback`)."
        ),
    )


def test_what_is_set_for_brokers_is_named_when_the_log_is_embedded() -> None:
    flags: dict[str, FlagValue] = {
        "ingest.topic": "swaps",
        "stores.redis.addr": "redis:6379",
        "stores.s3.secret": "hunter2",
        "ingest.topic_cfg.partitions": 8,
    }
    (notice,) = load(environ={}, flags=flags).notices
    assert notice == (
        "`swapstats run` has no use for ingest.topic (flag --ingest-topic), stores.redis.addr "
        "(flag --stores-redis-addr), stores.s3.secret (flag --stores-s3-secret): `swapstats "
        "ingest`, `aggregate` and `serve` have."
    )
    assert load(environ={}, flags={**flags, "ingest.broker_type": "kafka"}).notices == ()
    both = {**flags, "ingest.broker_type": "kafka", "ingest.embedded_fallback": True}
    assert [said.split(" (")[0] for said in load(environ={}, flags=both).notices] == [
        "ingest.broker_type",
        "`swapstats run` has no use for ingest.topic",
    ]


@pytest.mark.parametrize(
    "name", ["sasl.password", "ssl.key.password", "SSL.KEY.PEM", "sasl.oauthbearer.client.secret"]
)
def test_secret_properties_are_kept_out_of_those_that_are_shown(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, f"ingest:\n  properties:\n    sasl.username: u\n    {name}: hunter2\n")
    assert said == (
        f"ingest.properties (config.yaml:2): Expected only properties that anyone may see, was "
        f"{name} among them: give secret ones as `ingest.secret_properties`, best by file."
    )


def test_properties_have_names_with_dots(tmp_path: Path) -> None:
    text = "ingest:\n  properties:\n    security.protocol: SSL\n    fetch.wait.max.ms: 5\n"
    expected = {"security.protocol": "SSL", "fetch.wait.max.ms": "5"}
    assert load_text(tmp_path, text).ingest.properties == expected
    environ = {"SWAPSTATS_INGEST_PROPERTIES": "security.protocol=SSL,fetch.wait.max.ms=5"}
    assert load(environ=environ).ingest.properties == expected


@pytest.mark.parametrize("allowed", [False, True])
def test_authentication_that_is_asked_for_is_never_left_out(allowed: bool) -> None:
    settings = load(
        environ={},
        flags={"security.jwt.enabled": True, "security.allow_unauthenticated": allowed},
    )
    (blocker,) = settings.blockers()
    assert blocker.startswith("security.jwt.enabled (flag --security-jwt-enabled): Expected false")


@pytest.mark.parametrize(
    ("address", "blocked"),
    [
        ("127.0.0.1:8080", False),
        ("127.9.9.9:8080", False),
        ("[::1]:8080", False),
        ("localhost:8080", False),
        (":8080", True),
        (OPEN, True),
        ("[::]:8080", True),
        ("192.168.1.7:8080", True),
        ("stats.example.org:8080", True),
    ],
)
def test_other_machines_read_only_when_allowed(address: str, blocked: bool) -> None:
    for dotted in ("api.http.addr", "metrics.prometheus"):
        flags: dict[str, FlagValue] = {"api.http.addr": "127.0.0.1:1", dotted: address}
        settings = load(environ={}, flags=flags)
        assert [blocker.split(" ")[0] for blocker in settings.blockers()] == [dotted] * blocked
        assert settings.notices == ()
        settings = load(environ={}, flags={**flags, "security.allow_unauthenticated": "yes"})
        assert settings.blockers() == []
        assert len(settings.notices) == blocked
        assert all("warning: other machines can read from" in said for said in settings.notices)


def test_profiles_stay_on_loopback() -> None:
    settings = load(
        environ={},
        flags={"metrics.pprof": "10.0.0.1:6060", "security.allow_unauthenticated": "true"},
    )
    (blocker,) = settings.blockers()
    assert "metrics.pprof (flag --metrics-pprof): Expected a loopback address" in blocker


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "app: {windows: [5m, 7s]}",
            (
                "app.windows (config.yaml:1), app.bucket_step (default): Expected windows that are "
                "multiples of the bucket step (5s), was 7s."
            ),
        ),
        (
            "app: {windows: [60m, 1h]}",
            (
                "app.windows (config.yaml:1), app.bucket_step (default): Expected each window "
                "once, was ('1h', '1h')."
            ),
        ),
        (
            "app:\n  windows: [48h]\nlog:\n  retention: 49h",
            (
                "log.retention (config.yaml:4): Expected at least 50h (widest window + "
                "app.max_ahead + 1h), was 49h: the state could not be rebuilt. Take auto, or "
                "narrower windows."
            ),
        ),
        (
            "api: {ws: {coalesce_ms: 6000, slow_client_ms: 5000}}",
            (
                "2 settings cannot be honoured:\n"
                "- api.ws.heartbeat (default): Expected at least api.ws.coalesce_ms (6000 ms), was "
                "5000 ms.\n"
                "- api.ws.slow_client_ms (config.yaml:1): Expected at least api.ws.coalesce_ms "
                "(6000 ms), was 5000 ms."
            ),
        ),
        (
            "metrics:\n  prometheus: localhost:7000\n  pprof: :7000\n",
            (
                "metrics.pprof (config.yaml:3): Expected another address than metrics.prometheus "
                "(config.yaml:2), was 127.0.0.1:7000 too."
            ),
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text) == said


def test_addresses_may_share_the_port_0(tmp_path: Path) -> None:
    text = "api: {http: {addr: '127.0.0.1:0'}}\nmetrics: {prometheus: '127.0.0.1:0', pprof: off}\n"
    settings = load_text(tmp_path, text)
    assert settings.metrics.prometheus == Address("127.0.0.1", 0)
    assert settings.metrics.pprof is None


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(
            tmp_path,
            "app:\n  grace: soon\n  lat: drop\n",
            {"SWAPSTATS_APP_TOKENS_MAX": "none"},
            {"data.durability": "perhaps"},
        )
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert lines == [
        "4 settings cannot be honoured:",
        "- config.yaml:3: Expected a known key, was app.lat. Nearest: app.late.",
        (
            "- app.grace (config.yaml:2): Expected a span such as 120s, 5m or 250ms from 0ms to "
            "8784h, was 'soon'."
        ),
        (
            "- app.tokens_max (env SWAPSTATS_APP_TOKENS_MAX): Expected a whole number from 1 to "
            "100000000, was 'none'."
        ),
        "- data.durability (flag --data-durability): Expected one of process, full, was 'perhaps'.",
    ]


def test_how_long_redis_knows_an_event(tmp_path: Path) -> None:
    head = "dedupe: {store: redis}\n"
    assert load_text(tmp_path, head).dedupe.ttl_ms == 2 * 26 * 3_600_000
    for text in (head + "app: {dedupe_ttl: 48h}", "dedupe: {store: redis, ttl: 48h}"):
        settings = load_text(tmp_path, text)
        assert settings.dedupe.ttl_ms == 48 * 3_600_000
        assert not any("dedupe_ttl" in notice for notice in settings.notices)
    with pytest.raises(SettingsError, match=r"dedupe\.ttl .*line|config.yaml:2.*more than 26h"):
        load_text(tmp_path, head + "app: {dedupe_ttl: 24h}")
    # The windows alone decide without it, as ever.
    assert load_text(tmp_path, "app: {dedupe_ttl: 24h}").dedupe.store == "local"
