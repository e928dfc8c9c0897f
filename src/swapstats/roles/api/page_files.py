"""The files of the page, read once at start, served with an etag and a strict policy."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FILE_BYTES_MAX = 2 << 20
FILES_MAX = 100

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
}

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: nothing from anywhere else, no inline script or style."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file.

    Attributes:
        body: its bytes.
        content_type: media type.
        etag: quoted digest of the bytes.
    """

    body: bytes
    content_type: str
    etag: str

    def matches(self, if_none_match: str | None) -> bool:
        """Tell whether the client has these bytes already."""
        if if_none_match is None:
            return False
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return self.etag in tags or "*" in tags


def read_page(folder: Path) -> dict[str, PageFile]:
    """Read the files of a folder (not of its subfolders) by URL path; `/` is index.html."""
    files: dict[str, PageFile] = {}
    if not folder.is_dir():
        return files
    for path in sorted(folder.iterdir())[:FILES_MAX]:
        kind = TYPES.get(path.suffix)
        if kind is None or not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
            continue
        body = path.read_bytes()
        file = PageFile(body, kind, f'"{sha256(body).hexdigest()[:32]}"')
        files["/" if path.name == "index.html" else f"/{path.name}"] = file
    return files
