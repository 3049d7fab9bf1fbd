"""User-mode Linux in the tests: who lacks it skips, unless that is a failure here."""

import os

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
