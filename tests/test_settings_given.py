"""Where settings are written: the YAML file, environment variables, flags, secret files."""

from pathlib import Path

import pytest

from swapstats.errors import SettingsError
from swapstats.settings import Secret, Settings, load


def load_text(directory: Path, text: str | bytes) -> Settings:
    path = directory / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, environ={})


YAML_REFUSALS = [
    (
        "app:\n  grcae: 5s\n",
        "config.yaml:2: Expected a known key, was app.grcae. Nearest: app.grace.",
    ),
    ("grace: 5s\n", "config.yaml:1: Expected a known key, was grace. Nearest: app.grace."),
    (
        "app:\n  late: drop\nlog:\n  level: info\n",
        "config.yaml:4: Expected a known key, was log.level. Nearest: observability.log_level.",
    ),
    (
        "ingst:\n  topic: x\n",
        "config.yaml:1: Expected a known section, was ingst. Nearest: ingest.",
    ),
    (
        "api:\n  http:\n    adress: x\n",
        "config.yaml:3: Expected a known key, was api.http.adress. Nearest: api.http.addr.",
    ),
    (
        "app:\n  grace: 5s\n  late: drop\n  grace: 6s\n",
        "config.yaml:4: Expected app.grace once, was set on line 2 too",
    ),
    ("app: {late: drop}\napp: {}\n", "config.yaml:2: Expected app once, was set on line 1 too"),
    (
        "app: {grace: 1s}\napp.grace: 2s\n",
        "config.yaml:2: Expected app.grace once, was set on line 1 too",
    ),
    ("app: 5\n", "config.yaml:1: Expected a section app with keys in it, was one value or a list"),
    ("- app\n", "config.yaml:1: Expected sections such as `app:`, was another YAML value. See"),
    (
        "app:\n  grace: [5s\nlate: x",
        "config.yaml:3: Expected YAML, was a line that cannot be read (",
    ),
    ("app:\n\tgrace: 5s\n", "config.yaml:2: Expected YAML, was a line that cannot be read ("),
    (b"app:\n  late: \xff\n", "config.yaml:2: Expected UTF-8, was another encoding"),
    ("app:\n\n  late: \x07\n", "config.yaml:3: Expected YAML, was an unprintable character"),
    ("a: " + "[" * 5_000, "config.yaml: Expected sections and keys, was deeper nesting"),
    ("# " + "x" * (1 << 20), "config.yaml: Expected at most 1048576 bytes, was a larger file"),
    ("? [a, b]\n: 1\n", "config.yaml:1: Expected a name before the colon, was a structure"),
    ("app: {grace: [5s]}", "app.grace (config.yaml:1): Expected a span such as 120s, 5m or 250ms"),
    (
        "app: {late: !x drop}",
        "app.late (config.yaml:1): Expected one of apply, drop, divert, was a",
    ),
    (
        "app: {windows: [[5m]]}",
        (
            "app.windows (config.yaml:1): Expected a list of spans such as 5m,1h,24h with 1 to 16 "
            "entries, was a nested list or map."
        ),
    ),
    (
        "app: {windows: []}",
        "app.windows (config.yaml:1): Expected a list of spans such as 5m,1h,24h",
    ),
    (
        "source:\n  binance:\n    symbols: [BTCUSDT,]\n  demo:\n    rate: 0\n",
        "source.demo.rate (config.yaml:5): Expected a whole number from 1 to 1000000, was '0'.",
    ),
    (
        "api:\n  tokens: {A: k, A: l}\n",
        "api.tokens (config.yaml:2): Expected each name of the map once, was 'A' twice.",
    ),
    (
        "api: {http: {addr: '127.0.0.1:70000'}}",
        (
            "api.http.addr (config.yaml:1): Expected an address such as 127.0.0.1:8080, was "
            "'127.0.0.1:70000'."
        ),
    ),
]


@pytest.mark.parametrize(("text", "said"), YAML_REFUSALS)
def test_a_wrong_file_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(said)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "app:\n", "app:\n  grace:\n", "\ufeffapp: {}\n"]
)
def test_what_is_left_empty_is_not_set(tmp_path: Path, text: str) -> None:
    settings = load_text(tmp_path, text)
    assert set(settings.origin.values()) == {"default"}


def test_values_are_the_text_their_author_wrote(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        "ingest: {topic: 0123, group_id: on, brokers: 'a:1, b:2'}\n"
        "data.dir: 2026-11-21\n"
        "api:\n  tokens:\n    USDC: 1:0xA0b8\n    'NO': 0x10\n"
        "security: {allow_unauthenticated: Yes}\n",
    )
    assert settings.ingest.topic == "0123"
    assert settings.ingest.group_id == "on"
    assert settings.ingest.brokers == ("a:1", "b:2")
    assert settings.data.dir == "2026-11-21"
    assert settings.api.tokens == {"USDC": "1:0xA0b8", "NO": "0x10"}
    assert settings.security.allow_unauthenticated


def test_a_syntax_error_does_not_quote_the_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, "security:\n  jwt:\n    secret: 'hunter2\n")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Expected a readable configuration file, was .*none"):
        load(tmp_path / "none.yaml", environ={})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"SWAPSTATS_APP_GRAC": "5s"},
            (
                "env SWAPSTATS_APP_GRAC: Expected a known variable, was SWAPSTATS_APP_GRAC. "
                "Nearest: SWAPSTATS_APP_GRACE."
            ),
        ),
        (
            {"SWAPSTATS_WINDOW": "5m"},
            "env SWAPSTATS_WINDOW: Expected a known variable, was SWAPSTATS_WINDOW. Nearest: ",
        ),
        (
            {"WINDOWS": "5m,,1h"},
            (
                "app.windows (env WINDOWS): Expected a list of spans such as 5m,1h,24h with 1 to "
                "16 entries, was '5m,,1h'."
            ),
        ),
        (
            {"BUCKET_STEP": "5"},
            (
                "app.bucket_step (env BUCKET_STEP): Expected a span such as 120s, 5m or 250ms from "
                "100ms to 24h, was '5'."
            ),
        ),
        (
            {"WINDOWS": "5m", "SWAPSTATS_APP_WINDOWS": "10m"},
            (
                "app.windows (env WINDOWS): Expected one value, was another in "
                "env SWAPSTATS_APP_WINDOWS. Remove one of them."
            ),
        ),
        (
            {"SWAPSTATS_API_TOKENS": "USDC"},
            (
                "api.tokens (env SWAPSTATS_API_TOKENS): Expected a map such as "
                "USDC=1:0xa0b8,WETH=1:0xc02a with 0 to 10000 entries, was 'USDC' in it."
            ),
        ),
        ({"SWAPSTATS_API_TOKENS": "{A: "}, "api.tokens (env SWAPSTATS_API_TOKENS): Expected a map"),
    ],
)
def test_a_wrong_variable_is_refused(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert str(caught.value).startswith(said)


def test_equal_values_under_two_names_do_no_harm() -> None:
    settings = load(environ={"WINDOWS": "60m", "SWAPSTATS_APP_WINDOWS": "1h"})
    assert settings.app.windows_ms == (3_600_000,)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"was app\.windos\. Nearest: app\.windows\."):
        load(environ={}, flags={"app.windos": "5m"})


def test_secrets_come_by_file(tmp_path: Path) -> None:
    path = tmp_path / "jwt"
    path.write_text("hunter2\n", encoding="utf-8")
    settings = load(environ={"SWAPSTATS_SECURITY_JWT_SECRET_FILE": str(path)})
    assert settings.security.jwt.secret == Secret("hunter2")
    assert settings.security.jwt.secret.reveal() == "hunter2"
    assert settings.origin["security.jwt.secret"] == "env SWAPSTATS_SECURITY_JWT_SECRET_FILE"
    settings = load(environ={}, flags={"security.jwt.secret_file": path})
    assert settings.origin["security.jwt.secret"] == "flag --security-jwt-secret-file"
    settings = load_text(tmp_path, f"security:\n  jwt:\n    secret_file: {path}\n")
    assert settings.security.jwt.secret == Secret("hunter2")
    assert settings.origin["security.jwt.secret"] == f"{tmp_path}/config.yaml:3"


def test_a_secret_by_text_and_by_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwt"
    path.write_text("hunter2", encoding="utf-8")
    with pytest.raises(SettingsError, match="Expected one value, was another in") as caught:
        load_text(tmp_path, f"security: {{jwt: {{secret: hunter3, secret_file: {path}}}}}\n")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "Expected a readable file, was "),
        (b"\xffhunter2", "Expected a secret in UTF-8, was other bytes."),
        (b"hunter2" * 10_000, "Expected a secret of at most 65536 bytes, was a larger file."),
    ],
)
def test_a_secret_file_that_cannot_be_used(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "jwt"
    if content is not None:
        path.write_bytes(content)
    name = "SWAPSTATS_SECURITY_JWT_SECRET_FILE"
    with pytest.raises(SettingsError) as caught:
        load(environ={name: str(path)})
    assert str(caught.value).startswith(f"security.jwt.secret (env {name}): {said}")
    assert "hunter2" not in str(caught.value)
