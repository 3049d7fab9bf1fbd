"""The documentation builds as a site, without a warning."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs.generate import ROOT

TOOLS = ("sphinx", "myst_parser", "furo")


@pytest.mark.skipif(
    not all(map(find_spec, TOOLS)), reason="the dependency group `docs` is not installed"
)
def test_site_builds(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in ("index", "README", "ARCHITECTURE", "docs/rules", "src/hopback/docs/bridge-loop"):
        assert (tmp_path / f"{page}.html").is_file()
