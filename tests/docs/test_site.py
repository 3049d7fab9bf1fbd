"""The documentation builds as a site, without a warning."""

import subprocess
import sys
from pathlib import Path

from docs.generate import ROOT


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
