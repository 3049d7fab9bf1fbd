"""How Sphinx builds the site: Markdown where it stands, no copies. The root is the project's."""

from typing import Any

project = "hopback"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/adr/*.md",
    "src/hopback/docs/*.md",
]
myst_heading_anchors = 3
templates_path = ["templates"]
html_theme = "furo"
html_title = "hopback"
html_additional_pages = {"index": "index.html"}
html_show_copyright = False
html_copy_source = False

_CONTENTS = """
```{toctree}
:hidden:

ARCHITECTURE
docs/checks
docs/cli
docs/json
docs/rules
docs/fidelity
docs/ipvs-ttl
docs/adr/README
CHANGELOG
```
"""
_BELOW = {
    "docs/checks": "\n```{toctree}\n:hidden:\n:glob:\n\n/src/hopback/docs/*\n```\n",
    "docs/adr/README": "\n```{toctree}\n:hidden:\n:glob:\n\n[0-9]*\n```\n",
}


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _add_contents)


def _add_contents(app: Any, name: str, source: list[str]) -> None:
    # Here and not in the pages, which people also read without Sphinx.
    source[0] += _CONTENTS if name == "README" else _BELOW.get(name, "")
