"""Where a ClickHouse server is, read from a DSN as people have it for one of its many clients.

The archive speaks HTTP. Many configurations name the port of the native protocol, which no HTTP
client can use; the HTTP port beside it is taken then, and told. A DSN holds a password: no message
here quotes one.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from swapstats.errors import SettingsError

HTTP_PORT: Final = 8_123
HTTPS_PORT: Final = 8_443
_OF_NATIVE: Final = {9_000: HTTP_PORT, 9_440: HTTPS_PORT}
_PLAIN: Final = ("clickhouse", "http", "tcp")
_OVER_TLS: Final = ("clickhouses", "https")
_TRUE: Final = ("true", "1", "yes", "on")
_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server to speak HTTP with.

    Attributes:
        host: name or IP address.
        port: of HTTP or HTTPS.
        is_tls: True for HTTPS.
        user: who asks.
        password: of the user.
        database: as the DSN names it, or empty.
        note: a sentence for people if another port is taken than was written, or empty.
    """

    host: str
    port: int
    is_tls: bool
    user: str
    password: str = field(repr=False)
    database: str
    note: str = ""


def server_address(dsn: str) -> ServerAddress:
    """Read a DSN; options of other clients in its query are ignored.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(dsn.strip())
        host, written = parts.hostname, parts.port
    except ValueError as error:
        raise _refusal("a text that cannot be read") from error
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in (*_PLAIN, *_OVER_TLS):
        raise _refusal("another scheme")
    if not host:
        raise _refusal("none with a host")
    if database and _is_name(database) is None:
        raise _refusal("one whose database is no name of letters, digits and _")
    options = parse_qs(parts.query)
    secure = options.get("secure", ["false"])[-1].lower() in _TRUE
    is_tls = parts.scheme in _OVER_TLS or secure or written in (HTTPS_PORT, 9_440)
    port = written or (HTTPS_PORT if is_tls else HTTP_PORT)
    note = ""
    if port in _OF_NATIVE:
        port = _OF_NATIVE[port]
        note = (
            f"it names port {written} of the native protocol; the archive speaks HTTP, so port "
            f"{port} of {host} is used"
        )
    return ServerAddress(
        host,
        port,
        is_tls,
        unquote(parts.username or "") or "default",
        unquote(parts.password or ""),
        database,
        note,
    )


def _refusal(was: str) -> SettingsError:
    return SettingsError(
        "Expected a DSN such as clickhouse://user:password@host:8123/swapstats (clickhouses:// for "
        f"TLS), was {was}"
    )
