"""Files by name, no matter whether they lie in a directory or in an archive."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from hopback.snapshot.table import Problem
from hopback.sources.lines import INPUT_MAX

FILES_MAX = 200_000


class Tree(NamedTuple):
    """``files`` are read when asked for, by their relative paths (``/`` between the parts).

    ``label`` is the name of the directory or archive.
    """

    label: str
    files: Mapping[str, Callable[[], bytes]]
    problems: tuple[Problem, ...] = ()


def directory_tree(root: Path) -> Tree:
    """The regular files below ``root``. Links are not followed: what they name inside is there.

    Links that lead out, devices, pipes and files over ``INPUT_MAX`` make a problem each. Raises
    OSError if ``root`` itself cannot be read.
    """
    os.scandir(root).close()
    files: dict[str, Callable[[], bytes]] = {}
    problems: list[Problem] = []
    for path in _walk(root):
        name = path.relative_to(root).as_posix()
        if len(files) >= FILES_MAX:
            problems.append(Problem(str(root), 0, f"more than {FILES_MAX} files: rest not read"))
            break
        reason = _why_not(path, root)
        if reason is None:
            files[name] = _reader(path)
        elif reason:
            problems.append(Problem(name, 0, reason))
    label = root.resolve().name
    return Tree(label, dict(sorted(files.items())), tuple(problems))


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(names + [f for f in folders if Path(folder, f).is_symlink()]):
            yield Path(folder, name)


def _why_not(path: Path, root: Path) -> str | None:
    """Why a file is not read: "" if there is nothing to say about it, None if it is read."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            inside = path.resolve().is_relative_to(root.resolve())
            return "" if inside else "a link out of the directory: not followed"
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {error}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file: not read"
    if status.st_size > INPUT_MAX:
        return f"larger than {INPUT_MAX >> 20} MiB: not read"
    return None


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        # A name may have become a link or a pipe since it was looked at.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            return file.read(INPUT_MAX)

    return read
