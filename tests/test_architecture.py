"""The shape of the code: which way imports point, what may touch the world, how long things get.

Each rule is a function from a module's name and syntax tree to its violations; every rule is also
tried on a snippet that breaks it, so that a rule that has gone blind is noticed.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    "frames",
    "snapshot",
    "sources.parse",
    "sources",
    "network",
    "datapath",
    "engines",
    "findings",
    "checks",
    "remedies",
    "remedies.apply",
    "lab",
    "render",
    "cli",
)
"""Later layers may import earlier ones."""

STRANGERS = {("network", "sources"), ("network", "sources.parse")}
"""Pairs that may not import each other although the order would let them."""

WORLDLY = ("sources", "lab.netns", "lab.uml", "remedies.apply", "cli")
"""Where I/O, clocks and chance are at home; ``sources.parse`` stays pure."""

PURE_WITHIN = ("sources.parse",)

WORLDLY_MODULES = frozenset(
    {
        "asyncio",
        "ctypes",
        "fcntl",
        "glob",
        "http",
        "mmap",
        "multiprocessing",
        "os",
        "pty",
        "random",
        "resource",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
WORLDLY_METHODS = frozenset(
    {
        "iterdir",
        "mkdir",
        "now",
        "open",
        "read_bytes",
        "read_text",
        "rglob",
        "today",
        "unlink",
        "utcnow",
        "write_bytes",
        "write_text",
    }
)

Rule = Callable[[str, ast.Module], Iterator[str]]

LINES_MAX = 400
FUNCTION_LINES_MAX = 70

MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:home|root|work|Users)/")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer(name: str) -> str | None:
    """The layer of ``hopback.NAME``; None for the package itself, which holds only its version."""
    if name == "":
        return None
    if name == "__main__":
        return "cli"
    found = [known for known in LAYERS if within(name, known)]
    assert found, f"hopback.{name} belongs to no layer: add it to LAYERS"
    return max(found, key=len)


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module (or name in a module) that is imported anywhere, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def import_direction(name: str, tree: ast.Module) -> Iterator[str]:
    own = layer(name)
    for line, target in imports(tree):
        if target.startswith("."):
            yield f"{name}:{line}: relative import"
        if not target.startswith("hopback."):
            continue
        other = target.removeprefix("hopback.")
        if other.startswith("__version__"):
            continue
        theirs = layer(other)
        if own is None or theirs is None or LAYERS.index(theirs) > LAYERS.index(own):
            yield f"{name}:{line}: {own} imports {target}, which comes later"
        elif (own, theirs) in STRANGERS:
            yield f"{name}:{line}: {own} and {theirs} do not import each other"


def may_touch_world(name: str) -> bool:
    if any(within(name, pure) for pure in PURE_WITHIN):
        return False
    return layer(name) == "cli" or any(within(name, place) for place in WORLDLY)


def purity(name: str, tree: ast.Module) -> Iterator[str]:
    if may_touch_world(name):
        return
    for line, target in imports(tree):
        # A generator that was given its seed is an argument, not chance.
        if target.split(".")[0] in WORLDLY_MODULES and target != "random.Random":
            yield f"{name}:{line}: imports {target}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (reason := worldly_call(node)):
            yield f"{name}:{node.lineno}: {reason}"


def worldly_call(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id="open" | "input" | "print" as function):
            return f"calls {function}()"
        case ast.Name(id="Random") if not call.args:
            return "makes a generator without a seed"
        case ast.Attribute(attr=method) if method in WORLDLY_METHODS:
            return f"calls .{method}()"
    return None


def size(name: str, tree: ast.Module) -> Iterator[str]:
    length = max((getattr(node, "end_lineno", 0) for node in ast.walk(tree)), default=0)
    if length > LINES_MAX:
        yield f"{name}: {length} lines, more than {LINES_MAX}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines"


def docstring(name: str, tree: ast.Module) -> Iterator[str]:
    if tree.body and not ast.get_docstring(tree):
        yield f"{name}: no docstring"


def machine_paths(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: a path of somebody's machine: {line.strip()}"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    root = ROOT / folder
    for path in sorted(root.rglob("*.py")):
        yield module_name(path, root), ast.parse(path.read_text(), str(path))


@pytest.mark.parametrize("rule", [import_direction, purity, size, docstring])
def test_package_keeps_rule(rule: Rule) -> None:
    assert [broken for name, tree in modules("src/hopback") for broken in rule(name, tree)] == []


@pytest.mark.parametrize("rule", [size, docstring])
def test_tests_keep_rule(rule: Rule) -> None:
    assert [broken for name, tree in modules("tests") for broken in rule(name, tree)] == []


def written_by_hand() -> Iterator[Path]:
    """Text we wrote; recorded command output may name any path it likes."""
    yield from (ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run")
    yield from ROOT.glob("*.md")
    for folder in ("src", "tests", "tools", "docs", "bench"):
        for path in (ROOT / folder).rglob("*"):
            recorded = ROOT / "tests" / "fixtures" in path.parents
            if path.is_file() and "__pycache__" not in path.parts and not recorded:
                yield path


def test_no_machine_paths() -> None:
    found = [
        broken
        for path in written_by_hand()
        for broken in machine_paths(str(path.relative_to(ROOT)), path.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "name", "snippet"),
    [
        (import_direction, "frames.mac", "from hopback.snapshot.rows import Fdb"),
        (import_direction, "snapshot.model", "def f():\n    import hopback.cli.main"),
        (import_direction, "sources.parse.x", "from hopback.sources import live"),
        (import_direction, "network.build", "from hopback.sources.parse import base"),
        (import_direction, "network", "from hopback import sources"),
        (import_direction, "", "from hopback.cli import main"),
        (import_direction, "checks.x", "from . import y"),
        (purity, "frames.codec", "import socket"),
        (purity, "engines.simulate", "from time import monotonic"),
        (purity, "engines.simulate", "import random"),
        (purity, "engines.simulate", "from random import Random\nrng = Random()"),
        (purity, "checks.x", "import os.path"),
        (purity, "checks.x", "def f(path):\n    return path.read_text()"),
        (purity, "render.json", "from datetime import datetime\nat = datetime.now()"),
        (purity, "sources.parse.x", "text = open('x')"),
        (purity, "lab.plan", "import subprocess"),
        (purity, "remedies.prove", "import subprocess"),
        (import_direction, "remedies.prove", "from hopback.remedies.apply import work"),
        (size, "checks.x", "x = 1\n" * (LINES_MAX + 1)),
        (size, "checks.x", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (docstring, "checks.x", "x = 1"),
    ],
)
def test_rule_sees_violation(rule: Rule, name: str, snippet: str) -> None:
    assert len(list(rule(name, ast.parse(snippet)))) == 1


@pytest.mark.parametrize(
    ("rule", "name", "snippet"),
    [
        (
            import_direction,
            "cli.main",
            "from hopback import __version__\nimport hopback.frames",
        ),
        (import_direction, "__main__", "from hopback.cli.main import main"),
        (import_direction, "sources.live", "from hopback.sources.parse import base"),
        (purity, "sources.live", "import socket, os"),
        (purity, "lab.netns", "import subprocess"),
        (purity, "remedies.apply", "import subprocess"),
        (purity, "engines.simulate", "from random import Random\nrng = Random(7)"),
        (size, "checks.x", "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)),
        (docstring, "checks", ""),
    ],
)
def test_rule_allows(rule: Rule, name: str, snippet: str) -> None:
    assert list(rule(name, ast.parse(snippet))) == []


def test_unknown_module_is_named() -> None:
    with pytest.raises(AssertionError, match=r"hopback\.extras"):
        layer("extras.thing")


@pytest.mark.parametrize("place", ["home", "root", "work", "Users"])
def test_machine_path_is_seen(place: str) -> None:
    assert (
        len(list(machine_paths("x.md", f"fine\nsee `/{place}/someone/x`\nhttp://a/{place}"))) == 1
    )
