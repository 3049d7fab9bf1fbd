"""The documentation says what the code says."""

import ast
import inspect
import io
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from docs.generate import ROOT, pages
from hopback.checks.diagnose import diagnose
from hopback.checks.policy import POLICY
from hopback.checks.registry import CHECKS
from hopback.datapath.rules import RULES
from hopback.sources.paste import read_paste

CHECK_PAGES = ROOT / "src" / "hopback" / "docs"
SECTIONS = [
    "What it means",
    "How it looks",
    "Why the kernel does it",
    "What else looks like it",
    "What to do",
    "Details",
]
LINES_MAX = 70
MAKE_DOCS = "out of date: run `make docs`"

_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_KEY = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
_RULE = re.compile(r"^\| `([\w-]+)` \|", re.MULTILINE)
_CHECKS = frozenset(m.__name__ for m in CHECKS.values() if isinstance(m, ModuleType))
_SHOWN = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page(check: str) -> str:
    return (CHECK_PAGES / f"{check}.md").read_text()


def section(text: str, title: str) -> str:
    return re.split(r"^## ", text.split(f"## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def details_keys(tree: ast.AST) -> Iterator[str]:
    """The keys of every ``details={…}``; a check that builds them otherwise has none to compare."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "details":
            assert isinstance(node.value, ast.Dict), "details has to be a dict in its own place"
            for key in node.value.keys:
                assert isinstance(key, ast.Constant), "a key of details has to be a literal"
                yield str(key.value)


def sources_of(check: str) -> Iterator[ast.AST]:
    """The module of a check, and what it imports of the package that is no check itself."""
    module = CHECKS.get(check)
    if not isinstance(module, ModuleType):
        return
    todo = [module.__name__]
    for name in todo:
        tree = ast.parse(inspect.getsource(import_module(name)))
        yield tree
        found = (n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module)
        todo += [m for m in found if m.startswith("hopback.checks.") and m not in (*todo, *_CHECKS)]


def test_every_check_has_a_page_and_every_page_a_check() -> None:
    assert {path.stem for path in CHECK_PAGES.glob("*.md")} == set(POLICY)


def test_every_check_has_a_policy() -> None:
    assert {*CHECKS, "healthy"} == set(POLICY)


@pytest.mark.parametrize("check", POLICY)
def test_page_has_its_parts(check: str) -> None:
    lines = page(check).splitlines()
    assert lines[:4] == [f"# {check}", "", POLICY[check].says, ""]
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert len(lines) <= LINES_MAX


@pytest.mark.parametrize("check", POLICY)
def test_page_lists_the_details(check: str) -> None:
    made = {key for tree in sources_of(check) for key in details_keys(tree)}
    assert set(_KEY.findall(section(page(check), "Details"))) == made


@pytest.mark.parametrize("check", POLICY)
def test_what_the_page_shows_is_found(check: str) -> None:
    """The evidence of a page, pasted, gives the finding that the page is about."""
    shown = _SHOWN.findall(section(page(check), "How it looks"))
    assert len(shown) == 1
    report = diagnose(read_paste(io.BytesIO(shown[0].encode()), check))
    assert check in {f.check for f in report.findings}
    assert report.problems == ()


def test_details_that_cannot_be_compared_are_noticed() -> None:
    assert list(details_keys(ast.parse("f(details={'a': 1})"))) == ["a"]
    for code in ("f(details=x)", "f(details={**x})"):
        with pytest.raises(AssertionError):
            list(details_keys(ast.parse(code)))


@pytest.mark.parametrize("name", pages())
def test_generated_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == pages()[name], MAKE_DOCS


def test_every_rule_is_listed() -> None:
    listed = _RULE.findall((ROOT / "docs" / "rules.md").read_text())
    assert sorted(listed) == sorted(RULES), MAKE_DOCS


def test_changelog_has_unreleased() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def written() -> list[Path]:
    folders = (ROOT, ROOT / "docs", ROOT / "docs" / "adr", CHECK_PAGES)
    return [path for folder in folders for path in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("path", written(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = _LINK.findall(path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = set(_LINK.findall((folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}
