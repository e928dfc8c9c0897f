"""The documents stay true: the files, functions and commands they name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "swapstats"
PLACE = re.compile(r"`((?:core|roles|adapters|ports|model|wiring)/[\w/]+\.py)(?:: ([\w.]+))?`")
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
COMMAND = re.compile(r"`pytest ([^`]+)`")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path, name in PLACE.findall(text):
        source = SOURCE / path
        assert source.is_file(), f"{path} is not there"
        if name:
            last = name.rpartition(".")[2]
            found = re.search(
                rf"^\s*(?:async )?(?:def|class) {last}\b", source.read_text(), re.MULTILINE
            )
            assert found, f"{path} has no {name}"
    for target in LINK.findall(text):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{target} is not there"


def test_the_status_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "STATUS.md").read_text(encoding="utf-8")
    named = [word for command in COMMAND.findall(text) for word in command.split()]
    assert named
    for word in named:
        assert word.startswith("-") or list(ROOT.glob(word)), f"{word} is not there"


def test_the_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target} is not there"
