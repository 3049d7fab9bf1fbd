"""The areas, one module each; whichever module has an ``AREA`` is one."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from tests.fidelity.area import Area


def areas() -> Mapping[str, Area[Any]]:
    """All areas by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    found = (module.AREA for module in modules if hasattr(module, "AREA"))
    return {area.name: area for area in found}
