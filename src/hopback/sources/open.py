"""Anything a user may name as a source, as snapshots."""

import io
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, NamedTuple

from msgspec.structs import replace

from hopback.snapshot.codec import CodecError, is_snapshot, load
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.table import Problem
from hopback.sources.directory import names_listing, read_directory, read_named
from hopback.sources.lines import INPUT_MAX, TOO_LARGE, Refused
from hopback.sources.magic import is_archive
from hopback.sources.parse.file_names import parse_file_name
from hopback.sources.paste import read_paste
from hopback.sources.sosreport import is_sosreport, read_sosreport
from hopback.sources.tree import Tree, directory_tree

LIVE = "live"
STDIN = "-"
_HEAD = 512


class Opened(NamedTuple):
    """What a source gave.

    ``problems`` are those of the source that belong to no snapshot. ``unreadable`` says, in one
    line, why it gave nothing; ``denied`` that this was for lack of privilege.
    """

    snapshots: tuple[Snapshot, ...] = ()
    problems: tuple[Problem, ...] = ()
    unreadable: str | None = None
    denied: bool = False


def open_source(spec: str, netns: Sequence[str] = ()) -> Opened:
    """Read ``live``, ``-`` (standard input), a directory, or a file of any kind.

    ``netns`` names further network namespaces to read live. Never raises for what the source holds
    or lacks.
    """
    try:
        return Opened(_read(spec, tuple(netns)))
    except PermissionError as error:
        return Opened(unreadable=f"{spec}: {error.strerror or error}", denied=True)
    except OSError as error:
        return Opened(unreadable=f"{spec}: {error.strerror or error}")
    except Refused as error:
        return Opened(unreadable=str(error))
    except CodecError as error:
        return Opened(unreadable=f"{spec}: {error}")


def tell_apart(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Snapshots of several sources with labels of their own: the second ``web`` is ``web#2``."""
    labelled: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        label, count = snapshot.host, 1
        while label in labelled:
            count += 1
            label = f"{snapshot.host}#{count}"
        labelled[label] = snapshot if count == 1 else replace(snapshot, host=label)
    return tuple(labelled.values())


def _read(spec: str, netns: tuple[str, ...]) -> tuple[Snapshot, ...]:
    if spec == LIVE:
        # Only here, so that a paste does not pay for netlink.
        read: Callable[[tuple[str, ...]], Snapshot] = import_module("hopback.sources.live").read
        return (read(netns),)
    if spec.startswith("ssh://"):
        reason = "ssh is not supported yet; run 'hopback collect' there and give me the file"
        raise Refused(spec, reason)
    if spec == STDIN:
        return _read_pipe(sys.stdin.buffer, "standard input")
    path = Path(spec)
    if path.is_dir():
        return _read_tree(directory_tree(path))
    with path.open("rb") as file:
        if path.is_file():
            return _read_file(file, path.name)
        if path.is_fifo():  # what a shell makes of <(command)
            return _read_pipe(file, path.name)
        raise Refused(spec, "neither a file nor a directory")


def _read_tree(tree: Tree) -> tuple[Snapshot, ...]:
    return read_sosreport(tree) if is_sosreport(tree.files) else read_directory(tree)


def _read_pipe(stream: IO[bytes], name: str) -> tuple[Snapshot, ...]:
    """A pipe may hold any kind of file, and cannot be read twice."""
    data = stream.read(INPUT_MAX + 1)
    if len(data) > INPUT_MAX:
        raise Refused(name, TOO_LARGE)
    return _read_file(io.BytesIO(data), name)


def _archive_tree(file: IO[bytes], name: str) -> Tree:
    # Only here, so that a paste does not pay for tar and three decompressors.
    read: Callable[[IO[bytes], str], Tree] = import_module("hopback.sources.archive").archive_tree
    return read(file, name)


def _read_file(file: IO[bytes], name: str) -> tuple[Snapshot, ...]:
    head = file.read(_HEAD)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if is_archive(head) and not is_snapshot(head):
        tree = _archive_tree(file, name)
        if not tree.files:
            reason = tree.problems[-1].message if tree.problems else "no listing in the archive"
            raise Refused(name, reason)
        return _read_tree(tree)
    if size > INPUT_MAX:
        raise Refused(name, TOO_LARGE)
    if is_snapshot(head):
        return load(file.read())
    return _read_listing(file, name) or read_paste(file, name)


def _read_listing(file: IO[bytes], name: str) -> tuple[Snapshot, ...]:
    """A file whose name tells its command; () if it is not only that command's output."""
    if not names_listing(name):
        return ()
    data = file.read()
    file.seek(0)
    builder = Builder()
    if not read_named(builder, name, data, parse_file_name(name)) or builder.problems:
        return ()
    return (builder.build(),)
