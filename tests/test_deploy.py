"""What is under deploy/ fits together: checked as far as it can be without containers."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from swapstats.observability.metrics import TABLE
from swapstats.settings.load import load

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "deploy" / "compose"
COMPOSE_FILE = COMPOSE / "docker-compose.yml"
IMAGE_LOCK = ROOT / "deploy" / "image" / "requirements.lock"
TOP_LEVEL = {"name", "services", "volumes", "networks", "configs", "secrets"}
SERVICE_KEYS = {
    "build",
    "command",
    "depends_on",
    "entrypoint",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "profiles",
    "restart",
    "stop_grace_period",
    "ulimits",
    "volumes",
}
"""Those of the compose specification that are in use; a misspelt one is not among them."""
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+(\.\d+)+[a-z0-9.-]*$")
PORT = re.compile(r"^127\.0\.0\.1:\d+:\d+$")
ROLES = {"aggregate", "serve"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = compose["services"]
    assert isinstance(found, dict)
    return found


def test_the_composition_has_known_keys_only(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert {key for key in compose if not key.startswith("x-")} <= TOP_LEVEL
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        assert "image" in service, name


def test_what_the_stack_stands_on_is_there(services: dict[str, dict[str, Any]]) -> None:
    images = " ".join(str(service["image"]) for service in services.values())
    for part in (
        "redpanda", "kafka", "redis", "nats", "clickhouse", "versitygw", "postgres",
        "prometheus", "grafana",
    ):  # fmt: skip
        assert part in images
    assert set(services) >= ROLES
    assert services["kafka"]["profiles"] == ["kafka"]
    for name, service in services.items():
        assert name == "kafka" or "profiles" not in service
    assert "--appendonly" in services["redis"]["command"]


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert PINNED.match(service["image"]), f"{name}: {service['image']}"
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    for base in bases:
        assert PINNED.match(base), base


@pytest.mark.parametrize(
    ("image", "pinned"),
    [("redis:8.2.1-alpine", True), ("a.b/c:v25.2.1", True), ("redis", False),
     ("redis:latest", False), ("redis:8", False)],
)  # fmt: skip
def test_the_pattern_of_pinned_images(image: str, *, pinned: bool) -> None:
    assert bool(PINNED.match(image)) == pinned


def test_ports_are_on_loopback_and_differ(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    for port in ports:
        assert PORT.match(port), port
    published = [port.split(":")[1] for port in ports]
    assert len(set(published)) == len(published)


def test_what_is_mounted_is_there(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    named = set()
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            assert target.startswith("/"), f"{name}: {volume}"
            if source.startswith("."):
                assert (COMPOSE / source).exists(), f"{name}: {source} is not there"
                assert volume.endswith(":ro"), f"{name}: {volume} can be written"
            else:
                named.add(source)
    assert named == set(compose["volumes"])


def test_dependencies_exist_and_can_be_waited_for(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} needs {other}"
            assert set(how) == {"condition"}
            if how["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], f"{name} waits for {other}"


def test_the_image_is_built_from_what_is_there(services: dict[str, dict[str, Any]]) -> None:
    for role in ROLES:
        build = services[role]["build"]
        context = COMPOSE / build["context"]
        assert (context / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    copies = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    assert copies
    for path in " ".join(copies).split():
        assert (ROOT / path).exists(), path
        assert f"!{path.removeprefix('./')}" in allowed, path


def test_the_image_runs_as_nobody_and_says_how_it_is() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last_stage = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM")) :]
    users = [line.split()[1] for line in last_stage if line.startswith("USER")]
    assert users
    assert users[-1] not in {"0", "root"}
    for word in ("HEALTHCHECK", "ENTRYPOINT", "VOLUME"):
        assert any(line.startswith(word) for line in last_stage), word
    assert any("--require-hashes" in line for line in lines)
    assert any("python -m swapstats.warm" in line for line in lines)


def test_the_lock_of_the_image_is_part_of_the_lock() -> None:
    chosen = _runtime_lock().runtime_lock((ROOT / "requirements.lock").read_text())
    assert IMAGE_LOCK.read_text() == chosen, "run deploy/image/runtime_lock.py again"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", chosen, re.MULTILINE))
    for dependency in project["dependencies"]:
        assert re.split(r"[>=\[;]", dependency)[0] in locked, dependency
    assert not locked & {"pytest", "mypy", "ruff", "chdb"}
    for entry in re.findall(r"^\w.*(?:\n .*)*", chosen, re.MULTILINE):
        assert "--hash=sha256:" in entry, entry


def test_the_settings_of_the_composition_load(services: dict[str, dict[str, Any]]) -> None:
    settings = load(COMPOSE / "swapstats.yaml", environ={})
    assert settings.api.http.addr.port == 8080
    assert settings.metrics.prometheus is not None
    for broker in settings.ingest.brokers:
        assert broker.split(":")[0] in services
    for role in ROLES:
        environment = services[role]["environment"]
        mounted = [volume.split(":")[1] for volume in services[role]["volumes"]]
        assert environment["SWAPSTATS_CONFIG"] in mounted


def test_clickhouse_reaches_its_cold_disk(services: dict[str, dict[str, Any]]) -> None:
    disk = (ROOT / "deploy" / "clickhouse" / "storage.xml").read_text(encoding="utf-8")
    (host, port, bucket) = re.findall(r"<endpoint>http://([^:/]+):(\d+)/([^/]+)/", disk)[0]
    served = services[host]
    assert any(published.endswith(f":{port}") for published in served["ports"])
    assert f"/{bucket} " in " ".join(served["command"])
    environment = services["clickhouse"]["environment"]
    variables = re.findall(r"<(\w+) from_env=\"(\w+)\"", disk)
    assert {name for name, _ in variables} == {"access_key_id", "secret_access_key"}
    keys = served["environment"]
    for name, variable in variables:
        wanted = "ROOT_ACCESS_KEY_ID" if name == "access_key_id" else "ROOT_SECRET_ACCESS_KEY"
        assert environment[variable] == keys[wanted], variable


def test_prometheus_finds_the_roles(services: dict[str, dict[str, Any]]) -> None:
    document = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    names = [
        name
        for job in document["scrape_configs"]
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    ]
    assert set(names) == ROLES
    assert set(names) <= set(services)


def test_the_dashboard_shows_metrics_that_exist() -> None:
    known = {spec.name for spec in TABLE}
    known |= {f"{spec.name}_bucket" for spec in TABLE if spec.kind == "histogram"}
    (path,) = (COMPOSE / "grafana" / "dashboards").glob("*.json")
    panels = json.loads(path.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert expressions
    words = {"sum", "max", "by", "rate", "increase", "histogram_quantile", "le"}
    words |= {"instance", "reason", "name", "direction", "store"}
    for expression in expressions:
        named = set(re.findall(r"[a-z_]{3,}", re.sub(r"\[\w+\]", "", expression))) - words
        assert named, expression
        assert named <= known, expression


def test_alerts_speak_of_metrics_that_exist(services: dict[str, dict[str, Any]]) -> None:
    prometheus = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    mounted = [volume.split(":")[1] for volume in services["prometheus"]["volumes"]]
    for name in prometheus["rule_files"]:
        assert f"/etc/prometheus/{name}" in mounted
    known = {spec.name for spec in TABLE}
    labels = {label for spec in TABLE for label in spec.labels} | {"instance"}
    words = {"sum", "max", "count", "by", "increase", "last_over_time"} | labels
    rules = yaml.safe_load((COMPOSE / "prometheus" / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        expression = re.sub(r"\[\w+\]", "", rule["expr"])
        named = set(re.findall(r"[a-z_]{2,}", expression)) - words
        assert named, expression
        assert named <= known, expression
        told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert told <= labels, rule["alert"]


def _runtime_lock() -> ModuleType:
    path = ROOT / "deploy" / "image" / "runtime_lock.py"
    spec = importlib.util.spec_from_file_location("runtime_lock", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
