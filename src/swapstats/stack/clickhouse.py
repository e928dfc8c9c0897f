"""What stands in for a ClickHouse server in development: its HTTP interface in front of chdb.

chdb is ClickHouse's own engine in a library: tables, views, deduplication, storage policies and
moves to S3 are the real ones. What is made here is the way to it, just enough of the HTTP protocol
for the production client (clickhouse-connect): one process, no users, no TLS, no limits, loopback
only. It is never for production.

    python -m swapstats.stack.clickhouse DIRECTORY PORT [COLD_ENDPOINT]
"""

import json
import os
import re
import sys
import threading
import zlib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import zstandard

from swapstats.adapters.clickhouse.extra import is_installed
from swapstats.adapters.clickhouse.storage import (
    KEY_ID_VARIABLE,
    SECRET_VARIABLE,
    ColdStorage,
    storage_xml,
)
from swapstats.errors import UsageError
from swapstats.stack.process import ServerProcess, free_port, listens

_NOT_SETTINGS = frozenset(
    {
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "output_format_native_use_flattened_dynamic_and_json_serialization",
        "password",
        "query",
        "query_id",
        "role",
        "send_progress_in_http_headers",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
_MOVES: dict[str, str | int] = {
    "background_move_processing_pool_thread_sleep_seconds": 1,
    "background_move_processing_pool_thread_sleep_seconds_if_nothing_to_do": 1,
    "background_move_processing_pool_task_sleep_seconds_when_no_work_max": 1,
}
"""A server looks for old parts after ten seconds, and ever less often while it finds none; here
somebody waits for it."""
_is_insert = re.compile(r"\s*INSERT\s+INTO\s", re.IGNORECASE).match
_is_select = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE).match
_insert_head = re.compile(
    rb"\s*INSERT\s+INTO\s.*?\sFORMAT\s+\w+[ \t]*\n", re.IGNORECASE | re.DOTALL
).match
_format_at_end = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE).search
_code = re.compile(r"Code: (\d+)").search


class _Face(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    target: ClassVar[str] = ""
    local: ClassVar[threading.local] = threading.local()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer a query in the URL."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a query, or take an insert, in the body."""
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        body = _decompressed(self._body(), self.headers.get("Content-Encoding"))
        if url.path == "/ping":
            self._answer(200, b"Ok.\n", {})
            return
        sql = given.get("query")
        data = body if sql else b""
        if sql is None:
            head = _insert_head(body)
            sql = body.decode() if head is None else head[0].decode()
            data = b"" if head is None else body[head.end() :]
        settings = {name: value for name, value in given.items() if name not in _NOT_SETTINGS}
        try:
            content, headers = self._carry_out(sql, data, settings, given)
        except RuntimeError as error:
            found = _code(str(error))
            code = found[1] if found else "1001"
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code})
        else:
            self._answer(200, content, headers)

    def _carry_out(
        self, sql: str, data: bytes, settings: Mapping[str, str], given: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        connection = self._connection()
        found = _format_at_end(sql)
        core = sql[: found.start()] if found else sql
        shown = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        if _is_insert(sql) and data:
            inserter = connection.send_insert(
                f"{core} SETTINGS {shown}" if shown else core, found[1] if found else "Values"
            )
            inserter.append(data)
            done = inserter.finish()
            summary = {"written_rows": str(done.rows_written)}
            return b"", {"X-ClickHouse-Summary": json.dumps(summary)}
        kind = found[1] if found else given.get("default_format", "TabSeparated")
        if shown and _is_select(core):
            core = f"{core} SETTINGS {shown}"
        content = connection.query(core, kind).bytes() or b""
        return content, {"X-ClickHouse-Format": kind, "X-ClickHouse-Timezone": "UTC"}

    def _connection(self) -> Any:
        if not hasattr(self.local, "connection"):
            self.local.connection = import_module("chdb").connect(self.target)
        return self.local.connection

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def clickhouse(
    directory: Path, *, port: int | None = None, cold: ColdStorage | None = None
) -> tuple[ServerProcess, str]:
    """Describe a server, not started yet.

    Args:
        directory: where the engine and the server's log are kept; what was there before is there
            again.
        port: loopback port; None = one that is free now.
        cold: where old parts go; None = they stay.

    Returns:
        The server and its DSN; both outlive a restart.

    Raises:
        UsageError: chdb is not installed.
    """
    if not is_installed():
        raise UsageError(
            "Expected the packages chdb and pyarrow for an archive, was not both: pip install "
            "'swapstats[archive]'"
        )
    port = free_port() if port is None else port
    command = [sys.executable, "-m", __name__, str(directory.absolute()), str(port)]
    keys = {}
    if cold is not None:
        command.append(cold.endpoint)
        keys = {KEY_ID_VARIABLE: cold.key_id, SECRET_VARIABLE: cold.secret}
    server = ServerProcess(
        "ClickHouse (chdb)", command, directory / "server.log", lambda: listens(port), env=keys
    )
    return server, f"clickhouse://default:@127.0.0.1:{port}"


def main() -> None:
    """Serve until the process ends."""
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    cold = None
    for endpoint in sys.argv[3:]:
        cold = ColdStorage(endpoint, os.environ[KEY_ID_VARIABLE], os.environ[SECRET_VARIABLE])
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.xml"
    config.write_text(storage_xml(directory, cold, _MOVES, {}), encoding="utf-8")
    _Face.target = f"{directory / 'engine'}?config-file={config}&async_insert=0"
    kept = import_module("chdb").connect(_Face.target)
    kept.query("SELECT 1")
    ThreadingHTTPServer(("127.0.0.1", port), _Face).serve_forever()


def _decompressed(body: bytes, encoding: str | None) -> bytes:
    if encoding == "gzip":
        return zlib.decompress(body, wbits=31)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if encoding == "lz4":
        content: bytes = import_module("lz4.frame").decompress(body)
        return content
    return body


if __name__ == "__main__":
    main()
