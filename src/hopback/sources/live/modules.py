"""Whether a kernel facility is there already, told without touching it.

Asking an absent facility for its tables makes the kernel load the module; nothing here may do that.
"""

import gzip
import os
from pathlib import Path
from typing import Literal

Presence = Literal["present", "absent", "unknown"]

_LOADED = Path("/proc/modules")
_CONFIG = Path("/proc/config.gz")


def presence(module: str, symbol: str) -> Presence:
    """Whether ``module`` (configured by ``symbol``) is in the running kernel.

    A built-in shows under /sys/module only if it has parameters; else the release's
    ``modules.builtin`` or the kernel's own configuration tells. Where neither is at hand (a
    container), absence cannot be told.
    """
    if module in _loaded() or Path("/sys/module", module).exists():
        return "present"
    try:
        listed = Path("/lib/modules", os.uname().release, "modules.builtin").read_text()
    except OSError:
        return _configured(symbol)
    return "present" if f"/{module}.ko" in listed else "absent"


def _loaded() -> set[str]:
    """The loaded modules; none in a kernel built without modules (it has no such file)."""
    try:
        return {line.split(" ", 1)[0] for line in _LOADED.read_text().splitlines()}
    except OSError:
        return set()


def _configured(symbol: str) -> Presence:
    try:
        options = gzip.decompress(_CONFIG.read_bytes()).decode(errors="replace")
    except (OSError, EOFError):
        return "unknown"
    return "present" if f"\n{symbol}=y\n" in options else "absent"
