"""User-mode Linux in the tests: who lacks it skips, unless that is a failure here."""

import os
import shutil

import pytest

from hopback.lab.uml.find import UmlMissing, find
from tests.conftest import REQUIRED


def _absence() -> str | None:
    try:
        find()
    except UmlMissing as missing:
        return str(missing)
    return None


_absent = None if os.environ.get(REQUIRED) else _absence()

needs_uml = pytest.mark.skipif(_absent is not None, reason=str(_absent))


def needs_in_uml(*programs: str) -> pytest.MarkDecorator:
    """For a test that also runs these programs of the host's there."""
    missing = [name for name in programs if shutil.which(name) is None]
    absent = f"not installed: {', '.join(missing)}" if missing else _absent
    skipped = absent is not None and not os.environ.get(REQUIRED)
    return pytest.mark.skipif(skipped, reason=str(absent))
