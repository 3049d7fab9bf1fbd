"""Where user-mode Linux is installed."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

FOLDER = "HOPBACK_UML"
"""Environment: the folder that Debian's package was unpacked into."""

_HELP = (
    "install it (apt-get install user-mode-linux), or without root: apt-get download"
    f" user-mode-linux && dpkg -x user-mode-linux_*.deb DIR && export {FOLDER}=DIR"
)


class UmlError(Exception):
    """User-mode Linux did not do what it was asked to; one line says what and why."""


class UmlMissing(UmlError):
    """It is not installed; the line says what to do."""


class Kernel(NamedTuple):
    """``program`` boots; ``modules`` holds modules.dep and the modules of ``release``."""

    program: Path
    modules: Path
    release: str


def find() -> Kernel:
    """The kernel in $HOPBACK_UML or else in PATH; UmlMissing says how to get one."""
    program = _program()
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UmlMissing(f"{program}: {error.strerror}: {_HELP}") from None
    release = asked.stdout.strip()
    modules = program.parents[1] / "lib" / "uml" / "modules" / release
    if not release or not (modules / "modules.dep").is_file():
        raise UmlMissing(f"{program} has no modules in {modules}: {_HELP}")
    return Kernel(program, modules, release)


def _program() -> Path:
    folder = os.environ.get(FOLDER)
    if folder:
        program = Path(folder).absolute() / "usr/bin/linux.uml"
        if not os.access(program, os.X_OK):
            raise UmlMissing(f"{FOLDER}={folder}: no usr/bin/linux.uml there: {_HELP}")
        return program
    found = shutil.which("linux.uml")
    if found is None:
        raise UmlMissing(f"user-mode Linux (linux.uml) is not installed: {_HELP}")
    return Path(found).resolve()
