"""Tar archives, read as a stream and never unpacked to a disk.

An archive is somebody else's: its names may climb out of any directory, its links may point
anywhere, and a few kilobytes may inflate without end. What is wanted is read into memory, the rest
is skipped, and every size has a limit. Reading stops at the first limit or damage; what was read
by then is used.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import IO, NamedTuple, cast

from hopback.snapshot.table import Problem
from hopback.sources import sosreport
from hopback.sources.directory import names_listing
from hopback.sources.magic import BZIP2, GZIP, XZ
from hopback.sources.tree import FILES_MAX, Tree

_MIB = 1 << 20
_CHUNK = 1 << 16


class Limits(NamedTuple):
    """How much of an archive is read, in bytes."""

    total: int = 2048 * _MIB
    file: int = 512 * _MIB
    kept: int = 512 * _MIB
    members: int = FILES_MAX
    header: int = 4 * _MIB  # a header of more is no header: its size is only claimed
    ratio: int = 250
    ratio_from: int = 64 * _MIB  # short texts may shrink by more than the ratio


class _Stop(Exception):
    """A limit was reached."""


_MAGIC: tuple[tuple[bytes, Callable[..., object]], ...] = (
    (GZIP, partial(gzip.GzipFile, None, "rb", 9)),
    (XZ, lzma.LZMAFile),
    (BZIP2, bz2.BZ2File),
)
_DAMAGE = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error, ValueError)


class _Inflated:
    """The decompressed stream, counted. ``budget`` bounds what one step may read."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        head = file.read(6)
        file.seek(0)
        self._raw = file
        opener = next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)
        self._file = cast(IO[bytes], opener(file)) if opener else file
        self._limits = limits
        self._compressed = opener is not None
        self.total = 0
        self.budget = limits.header

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.total += len(data)
        self.budget -= len(data)
        limits = self._limits
        if self.total > limits.total:
            raise _Stop(f"inflates to more than {limits.total // _MIB} MiB")
        if self.budget < 0:
            raise _Stop(f"a header of more than {limits.header // _MIB} MiB")
        if self._compressed and self.total > limits.ratio_from:
            ratio = self.total // max(1, self._raw.tell())
            if ratio > limits.ratio:
                raise _Stop(f"inflates more than {limits.ratio} to 1: a decompression bomb")
        return data


def archive_tree(file: IO[bytes], label: str, limits: Limits | None = None) -> Tree:
    """The files of an archive that some parser wants, by their paths.

    Members that climb out of the archive, links out of it and devices make a problem each; so
    does the limit or the damage at which reading ended. ``file`` must be seekable.
    """
    limits = limits or Limits()
    problems: list[Problem] = []
    files: dict[str, Callable[[], bytes]] = {}
    try:
        for name, data in _members(_Inflated(file, limits), label, limits, problems):
            files[name] = _content(data)
    except _Stop as stop:
        problems.append(Problem(label, 0, f"{stop}; what was read before is used"))
    except _DAMAGE as error:
        message = f"truncated or damaged: {error}; what was read before is used"
        if not files:
            message = f"damaged, or no archive ({error}): decompress a log or a paste first"
        problems.append(Problem(label, 0, message))
    return Tree(_stem(label), dict(sorted(files.items())), tuple(problems))


def _stem(label: str) -> str:
    name = PurePosixPath(label).name
    return name.split(".tar")[0].removesuffix(".tgz").removesuffix(".txz") or name


def _content(data: bytes) -> Callable[[], bytes]:
    return lambda: data


def _members(
    stream: _Inflated, label: str, limits: Limits, problems: list[Problem]
) -> Iterator[tuple[str, bytes]]:
    kept = count = 0
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
        while member := _next(tar, stream, limits):
            count += 1
            if count > limits.members:
                raise _Stop(f"more than {limits.members} members")
            reason = _why_not(member)
            if reason is not None:
                if reason:
                    problems.append(Problem(label, 0, f"{member.name[:200]!r}: {reason}"))
                continue
            if member.size > limits.file:
                raise _Stop(f"{member.name[:200]!r} is larger than {limits.file // _MIB} MiB")
            data = _read(tar, member, stream, limits, keep=_wanted(member.name))
            kept += len(data)
            if kept > limits.kept:
                raise _Stop(f"more than {limits.kept // _MIB} MiB of listings")
            if data:
                yield str(PurePosixPath(member.name)), data


def _next(tar: tarfile.TarFile, stream: _Inflated, limits: Limits) -> tarfile.TarInfo | None:
    tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
    stream.budget = limits.header
    return tar.next()


def _read(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    stream: _Inflated,
    limits: Limits,
    keep: bool,
) -> bytes:
    """Read a member to its end, so that the next header is all that ``next`` has to read."""
    stream.budget = limits.file + limits.header
    content = tar.extractfile(member)
    parts = []
    while content and (part := content.read(_CHUNK)):
        if keep:
            parts.append(part)
    return b"".join(parts)


def _why_not(member: tarfile.TarInfo) -> str | None:
    """Why a member is not read: "" if there is nothing to say about it, None if it is read."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "climbs out of the archive: not read"
    if member.issym() or member.islnk():
        outside = _wanted(member.name) and _leads_out(member, path)
        return "a link out of the archive: not followed" if outside else ""
    if member.isdir():
        return ""
    if not member.isreg():
        return "a device or pipe: not read"
    return "a sparse file: not read" if member.issparse() else None


def _leads_out(member: tarfile.TarInfo, path: PurePosixPath) -> bool:
    target = PurePosixPath(member.linkname)
    if target.is_absolute():
        return True
    depth = len(path.parts) - 1 if member.issym() else 0
    for part in target.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _wanted(name: str) -> bool:
    """Files of a sosreport that a parser knows; elsewhere files near the top, as saved by hand."""
    path = PurePosixPath(name)
    below = path.as_posix().split("/", 1)[-1]
    if sosreport.wanted(path.as_posix()) or sosreport.wanted(below):
        return True
    return len(path.parts) <= 2 or names_listing(path.name)
