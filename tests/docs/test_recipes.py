"""The recipes in ARCHITECTURE.md: what they name exists, and a forgotten step is noticed."""

import ast
import re
from collections.abc import Iterator

import pytest

from docs.generate import ROOT
from hopback.checks.registry import CHECKS
from hopback.snapshot import rows
from hopback.snapshot.keys import KEYS
from hopback.snapshot.model import TABLES
from hopback.snapshot.rows import Row
from hopback.sources.parse import registry
from tests.test_architecture import LAYERS

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
PACKAGE = ROOT / "src" / "hopback"
PLACES = (
    *(ROOT / name for name in ("", "tests/sources/parse", "tests/sources/live", "tests/kernel")),
    *(PACKAGE / name for name in ("", "sources/parse", "datapath/bridge", "checks", "remedies")),
    ROOT / "tests" / "docs",
)

_PATH = re.compile(r"`([\w./-]*\w(?:\.(?:py|md)|/))(?::\w+)?`")
_INVENTED = ("NAME", "DEVICE", "the-name")


def exists(layer: str) -> bool:
    path = PACKAGE / layer.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def defining(name: str, folder: str) -> Iterator[str]:
    """The modules of a package that define ``name``."""
    for path in sorted((PACKAGE / folder).glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=found)])
                    | ast.AnnAssign(target=ast.Name(id=found))
                ) if found == name:
                    yield path.stem


@pytest.mark.parametrize("name", sorted(set(_PATH.findall(TEXT))))
def test_what_is_named_exists(name: str) -> None:
    if not any(word in name for word in _INVENTED):
        assert any((place / name).exists() for place in PLACES)


def test_the_map_has_every_layer() -> None:
    shown = re.findall(r"^\| `src/hopback/([\w/]+)(?:\.py)?` \|", TEXT, re.MULTILINE)
    layers = [name for name in (s.replace("/", ".") for s in shown) if name in LAYERS]
    assert layers == [name for name in LAYERS if exists(name)], "in the order of the imports"


def test_every_parser_is_listed() -> None:
    assert set(defining("COMMANDS", "sources/parse")) == set(registry.NAMES)


def test_every_parser_is_tested_and_damaged() -> None:
    folder = ROOT / "tests" / "sources" / "parse"
    assert [n for n in registry.NAMES if not (folder / f"test_{n}.py").exists()] == []
    damaged = {
        alias.name
        for path in folder.glob("test_mutations_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module == "hopback.sources.parse"
        for alias in node.names
    }
    assert set(registry.NAMES) <= damaged


def test_every_check_is_listed() -> None:
    assert {n.replace("_", "-") for n in defining("NAME", "checks")} == set(CHECKS)


def test_every_remedy_is_on_a_page() -> None:
    pages = (path.read_text() for path in (PACKAGE / "docs").glob("*.md"))
    words = {word for text in pages for word in re.findall(r"\w+", text)}
    assert set(defining("NAME", "remedies")) <= words


def test_every_row_type_has_a_table() -> None:
    kinds = {kind for kind in vars(rows).values() if isinstance(kind, type)}
    assert {k for k in kinds if issubclass(k, Row) and k is not Row} == set(TABLES)
    assert set(KEYS) == set(TABLES)
