import pytest

from swapstats.adapters.clickhouse.server_address import server_address
from swapstats.errors import SettingsError


@pytest.mark.parametrize(
    ("dsn", "host", "port", "is_tls", "user", "password", "database"),
    [
        ("clickhouse://u:p%40ss@h:8123/swaps", "h", 8123, False, "u", "p@ss", "swaps"),
        ("clickhouse://h", "h", 8123, False, "default", "", ""),
        ("clickhouses://u@h/", "h", 8443, True, "u", "", ""),
        ("https://u@[::1]:9999", "::1", 9999, True, "u", "", ""),
        ("http://h:8443?compress=lz4", "h", 8443, True, "default", "", ""),
        ("clickhouse://h:8124/?secure=true", "h", 8124, True, "default", "", ""),
    ],
)
def test_a_dsn_names_a_server(  # one argument a part
    dsn: str, host: str, port: int, is_tls: bool, user: str, password: str, database: str
) -> None:
    found = server_address(dsn)
    assert (found.host, found.port, found.is_tls) == (host, port, is_tls)
    assert (found.user, found.password, found.database) == (user, password, database)
    assert found.note == ""
    assert password == "" or password not in repr(found)


@pytest.mark.parametrize(("native", "http"), [(9000, 8123), (9440, 8443)])
def test_beside_the_native_port_the_http_port_is_taken_and_told(native: int, http: int) -> None:
    found = server_address(f"tcp://writer:hunter2@clickhouse:{native}/swaps?dial_timeout=1s")
    assert (found.port, found.is_tls) == (http, http == 8443)
    assert f"port {native} of the native protocol" in found.note
    assert f"port {http} of clickhouse" in found.note
    assert "hunter2" not in found.note


@pytest.mark.parametrize(
    ("dsn", "was"),
    [
        ("hunter2", "another scheme"),
        ("redis://:hunter2@h", "another scheme"),
        ("clickhouse://:hunter2@", "none with a host"),
        ("clickhouse://u:hunter2@h:port", "cannot be read"),
        ("clickhouse://u:hunter2@h/a-b", "no name of letters"),
    ],
)
def test_what_is_no_dsn_is_refused_without_being_quoted(dsn: str, was: str) -> None:
    with pytest.raises(SettingsError, match=was) as refused:
        server_address(dsn)
    assert "hunter2" not in str(refused.value)
