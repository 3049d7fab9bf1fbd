"""Loads kernel modules, as modprobe does: by name or alias, what they depend on first.

usage: python -m hopback.lab.uml.modules FOLDER [-q] [--] NAME

The host need not have modprobe, and modprobe would look in the host's own folder. Only the standard
library is imported: the kernel itself starts this, whenever it misses something.
"""

import ctypes
import fnmatch
import os
import sys
from collections.abc import Iterator
from errno import EEXIST
from pathlib import Path

_PARAMETERS = {"bonding": b"max_bonds=0", "dummy": b"numdummies=0", "ifb": b"numifbs=0"}
"""Else these make a device by being loaded; systemd sets the same."""

_SYS_FINIT_MODULE = 313  # x86-64, the only machine for which Debian builds the package


class NoSuchModule(Exception):
    """Neither a module nor an alias of one."""


class Modules:
    """The modules of one kernel: ``folder`` holds modules.dep, modules.alias and the rest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._needs = dict(_dependencies(folder))
        self._paths = {_plain(Path(path).stem): path for path in self._needs}

    def load(self, name: str) -> None:
        """Load what ``name`` stands for; loaded already or built in is as good.

        NoSuchModule; OSError when the kernel refuses.
        """
        for path in self._found(name):
            # modules.dep lists the nearest first: what these need in turn stands behind them.
            for needed in [*reversed(self._needs[path]), path]:
                _insert(self._folder / needed)

    def _found(self, name: str) -> list[str]:
        plain = _plain(name)
        if plain in self._paths:
            return [self._paths[plain]]
        aliased = {self._paths[module] for module in self._aliased(plain) if module in self._paths}
        if not aliased and plain not in self._built_in():
            raise NoSuchModule(f"no kernel module {name}")
        return sorted(aliased)

    def _aliased(self, plain: str) -> Iterator[str]:
        for line in (self._folder / "modules.alias").read_text().splitlines():
            if line.startswith("alias "):
                _, pattern, module = line.split()
                if fnmatch.fnmatchcase(plain, _plain(pattern)):
                    yield _plain(module)

    def _built_in(self) -> set[str]:
        lines = (self._folder / "modules.builtin").read_text().splitlines()
        return {_plain(Path(line).stem) for line in lines}


def _dependencies(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        yield path, needs.split()


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _insert(path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(path, os.O_RDONLY)
    try:
        if libc.syscall(_SYS_FINIT_MODULE, file, _PARAMETERS.get(path.stem, b""), 0) != 0:
            number = ctypes.get_errno()
            if number != EEXIST:
                raise OSError(number, f"{path.name}: {os.strerror(number)}")
    finally:
        os.close(file)


def main(folder: str, *words: str) -> int:
    try:
        Modules(Path(folder)).load(words[-1])
    except (NoSuchModule, OSError) as error:
        if "-q" not in words:
            print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
