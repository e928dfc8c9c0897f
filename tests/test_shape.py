"""The style, as a test: sizes, names, docstrings, mirrored tests, pages, no waiting by time.

Each rule is a function from parsed files to complaints, so that each can be shown to complain.
Lists of exceptions are ratchets: an entry that is no longer needed is a failure too.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "swapstats"
TESTS = ROOT / "tests"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Kernels are scanners written as one loop over primitive arguments: cut into functions, their
# state would travel through a dozen arguments and out again, and the compiler would see less.
KERNEL_LINES_MAX = 300
KERNELS = "core/kernels/*"

BANNED_WORDS = frozenset(
    {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "handlers"}
)
BANNED_STEMS = frozenset({"base", "processor", "impl", "core", "stuff", "tools"})

MIRROR_NOT_NEEDED = {
    "ports/*": "interfaces without code: conformance suites test what implements them",
    "errors.py": "names and docstrings; raised in the tests of what raises them",
    "adapters/sources/exchange/options.py": "plain values with defaults; test_source.py sets them",
    "roles/*/options.py": "plain values with defaults; the tests of the role cover them",
    "roles/api/metrics.py": "an interface and its empty form; observability/api_figures fills it",
    "model/*": "values without rules of their own; doctests and the tests of core cover them",
}
"""Pattern under src/swapstats -> why no test module of the same name is asked for."""

TESTED_ELSEWHERE = {
    "settings/*": "test_settings.py",
}
"""Pattern under src/swapstats -> the test module under tests that tests it instead."""

SLEEP_ALLOWED: dict[str, str] = {
    "test_shape.py": "names the word in order to forbid it",
}
"""Pattern under tests -> why it may sleep; all others wait by `swapstats.testing.eventually`."""

MARKERS = ("TO" + "DO", "FIX" + "ME", "X" + "XX")


@dataclass(frozen=True)
class Module:
    """One Python file, by its path below the folder it was looked for in."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def modules(folder: Path) -> list[Module]:
    return [
        Module(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
        if "__pycache__" not in path.parts
    ]


def pages() -> dict[str, str]:
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def long_files(module: Module) -> Iterator[str]:
    if len(module.lines) > FILE_LINES_MAX:
        yield f"{module.path}: {len(module.lines)} lines, at most {FILE_LINES_MAX}"


def long_functions(module: Module) -> Iterator[str]:
    lines_max = KERNEL_LINES_MAX if fnmatch(module.path, KERNELS) else FUNCTION_LINES_MAX
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if count > lines_max:
                yield f"{module.path}:{node.lineno} {node.name}: {count} lines, at most {lines_max}"


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the docstring: a command's is its manual, and no reason to split it."""
    first = node.body[0]
    if ast.get_docstring(node) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


def banned_names(module: Module) -> Iterator[str]:
    for stem in Path(module.path).with_suffix("").parts:
        words = set(stem.split("_"))
        alone = stem in BANNED_STEMS and module.path != f"{stem}/__init__.py"
        if stem == "core" and module.path.startswith("core/"):
            alone = False
        if words & BANNED_WORDS or alone or stem.startswith("core_") or stem.endswith("_impl"):
            yield f"{module.path}: {stem!r} says nothing; name it by its domain"


def undocumented(module: Module) -> Iterator[str]:
    if Path(module.path).name != "__init__.py" and not ast.get_docstring(module.tree):
        yield f"{module.path}: module without docstring"
    yield from _undocumented_in(module.path, module.tree)


def _undocumented_in(path: str, owner: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_") or _is_overload(node):
            continue
        if not ast.get_docstring(node):
            yield f"{path}:{node.lineno} {node.name}: public, without docstring"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_in(path, node)


def _is_overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in decorators)


def markers(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.lines, 1):
        for marker in MARKERS:
            if re.search(rf"\b{marker}\b", line):
                yield f"{module.path}:{number}: {marker} (finish it or list the work)"


def sleeps(module: Module) -> Iterator[str]:
    """A fake clock's own sleep waits for nothing, nor does `sleep(0)`, which yields to others."""
    waits = re.compile(
        r"\b(time|asyncio)\.sleep\((?!0\))|(?<!def )(?<![.\w])sleep\((?!0\))|wait_for_timeout\("
    )
    for number, line in enumerate(module.lines, 1):
        if waits.search(line):
            yield f"{module.path}:{number}: waits for a time; use swapstats.testing.eventually"


def headings(path: str, text: str) -> Iterator[str]:
    outside = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    count = len(re.findall(r"^# ", outside, flags=re.MULTILINE))
    if count != 1:
        yield f"{path}: {count} first-level headings, exactly 1"


def mirror_of(path: str) -> str:
    place = Path(path)
    return (place.parent / f"test_{place.name}").as_posix()


def needs_mirror(path: str) -> bool:
    return Path(path).name not in {"__init__.py", "__main__.py"} and not fnmatch(
        path, "roles/api/page/*"
    )


def complaints(rule: object, folder: Path) -> list[str]:
    assert callable(rule)
    found = modules(folder)
    assert found
    return [complaint for module in found for complaint in rule(module)]


@pytest.mark.parametrize(
    "rule", [long_files, long_functions, banned_names, undocumented, markers],
    ids=lambda rule: rule.__name__,
)  # fmt: skip
def test_source(rule: object) -> None:
    found = complaints(rule, SOURCE)
    assert not found, "\n".join(found)


def test_tests_hold_no_markers() -> None:
    found = complaints(markers, TESTS)
    assert not found, "\n".join(found)


def test_tests_wait_for_conditions() -> None:
    found = [
        complaint
        for module in modules(TESTS)
        if not any(fnmatch(module.path, pattern) for pattern in SLEEP_ALLOWED)
        for complaint in sleeps(module)
    ]
    assert not found, "\n".join(found)


def test_every_module_has_a_test_of_its_name() -> None:
    tests = {module.path for module in modules(TESTS)}
    found = [
        f"{module.path}: no tests/{mirror_of(module.path)}"
        for module in modules(SOURCE)
        if needs_mirror(module.path)
        and mirror_of(module.path) not in tests
        and not any(fnmatch(module.path, pattern) for pattern in MIRROR_NOT_NEEDED)
        and not any(fnmatch(module.path, pattern) for pattern in TESTED_ELSEWHERE)
    ]
    assert not found, "\n".join(found)


def test_exceptions_are_still_needed() -> None:
    sources, tests = modules(SOURCE), modules(TESTS)
    mirrors = {module.path for module in tests}
    needing = [path for path in (module.path for module in sources) if needs_mirror(path)]
    lacking = [path for path in needing if mirror_of(path) not in mirrors]
    found = [
        f"{pattern} matches no module that lacks a test of its name"
        for pattern in (*MIRROR_NOT_NEEDED, *TESTED_ELSEWHERE)
        if not any(fnmatch(path, pattern) for path in lacking)
    ]
    found += [f"{test} is not there" for test in TESTED_ELSEWHERE.values() if test not in mirrors]
    found += [
        f"{pattern} matches no test that sleeps"
        for pattern in SLEEP_ALLOWED
        if not any(fnmatch(module.path, pattern) and any(sleeps(module)) for module in tests)
    ]
    assert not found, "\n".join(found)


def test_pages_have_one_title() -> None:
    found = [complaint for path, text in pages().items() for complaint in headings(path, text)]
    assert not found, "\n".join(found)


GOOD = '"""Does."""\n\n\ndef public() -> None:\n    """Do."""\n'


@pytest.mark.parametrize(
    ("rule", "path", "text", "count"),
    [
        (long_files, "a.py", "\n" * 400, 0),
        (long_files, "a.py", "\n" * 401, 1),
        (long_functions, "a.py", "def f():\n" + "    x\n" * 59, 0),
        (long_functions, "a.py", "class C:\n  async def f():\n" + "    x\n" * 60, 1),
        (long_functions, "core/kernels/a.py", "def f():\n" + "    x\n" * 299, 0),
        (long_functions, "core/kernels/a.py", "def f():\n" + "    x\n" * 300, 1),
        (banned_names, "core/windows.py", "", 0),
        (banned_names, "roles/preprocessor/run.py", "", 0),
        (banned_names, "model/text_utils.py", "", 1),
        (banned_names, "roles/processor/run.py", "", 1),
        (banned_names, "core/core_windows.py", "", 1),
        (banned_names, "adapters/log_impl.py", "", 1),
        (banned_names, "adapters/base.py", "", 1),
        (undocumented, "a.py", GOOD, 0),
        (undocumented, "a.py", "def _private(): ...\n", 1),
        (undocumented, "__init__.py", "", 0),
        (undocumented, "a.py", GOOD + "class C:\n    def f(self): ...\n", 2),
        (markers, "a.py", "# " + MARKERS[0] + ": later", 1),
        (markers, "a.py", "# " + MARKERS[2] + "L is a size", 0),
        (sleeps, "test_a.py", "await asyncio.sleep(1)", 1),
        (sleeps, "test_a.py", "time.sleep(0.1)", 1),
        (sleeps, "test_a.py", "    sleep(1)", 1),
        (sleeps, "test_a.py", "await page.wait_for_timeout(5)", 1),
        (sleeps, "test_a.py", "await asyncio.sleep(0)", 0),
        (sleeps, "test_a.py", "async def sleep(seconds):", 0),
        (sleeps, "test_a.py", "await clock.sleep(1)", 0),
    ],
)
def test_rules_complain(rule: object, path: str, text: str, count: int) -> None:
    assert callable(rule)
    assert len(list(rule(Module(path, text)))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("# A\n## B\n", 0), ("", 1), ("# A\n# B\n", 1), ("# A\n```sh\n# not a title\n```\n", 0)],
)
def test_titles_are_counted_outside_of_code(text: str, count: int) -> None:
    assert len(list(headings("a.md", text))) == count


def test_mirrors_are_where_they_are_looked_for() -> None:
    assert mirror_of("core/kernels/ring.py") == "core/kernels/test_ring.py"
    assert mirror_of("errors.py") == "test_errors.py"
    assert needs_mirror("core/shard.py")
    assert not needs_mirror("core/__init__.py")
    assert not needs_mirror("roles/api/page/make_icon.py")
