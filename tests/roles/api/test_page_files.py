"""Files of the page: which are served, under which path, and when a client has them already."""

from pathlib import Path

from swapstats.roles.api.page_files import FILE_BYTES_MAX, PageFile, read_page
from swapstats.roles.api.server import PAGE


def test_only_known_kinds_at_the_top_of_the_folder_are_served(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "notes.md").write_text("not served")
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "large.js").write_bytes(b" " * (FILE_BYTES_MAX + 1))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deep.js").write_text("2")
    files = read_page(tmp_path)
    assert sorted(files) == ["/", "/app.js"]
    assert files["/"].content_type.startswith("text/html")
    assert files["/app.js"].body == b"1"
    assert read_page(tmp_path / "gone") == {}


def test_etags_tell_bytes_apart(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.js").write_text("1")
    (tmp_path / "c.js").write_text("2")
    files = read_page(tmp_path)
    assert files["/a.js"].etag == files["/b.js"].etag != files["/c.js"].etag


def test_if_none_match_in_all_its_forms() -> None:
    file = PageFile(b"", "text/css", '"abc"')
    for text in ('"abc"', 'W/"abc"', '"x", "abc"', "*"):
        assert file.matches(text)
    for other in (None, "", "abc", '"ab"', '"x", "y"'):
        assert not file.matches(other)


def test_the_page_is_shipped_whole() -> None:
    files = read_page(PAGE)
    assert {"/", "/app.js", "/style.css"} <= set(files)
    served = {path.name for path in PAGE.iterdir() if path.is_file()}
    assert served - {"index.html"} == {path[1:] for path in files if path != "/"}
