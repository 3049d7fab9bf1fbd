"""A directory of command output, one file a command, all of one host.

A file is read by the command its name tells (``ip-d-link.txt``, ``bridge_-s_fdb_show``), else like
a paste. ``guest-console-NAME`` is the console of a guest, which is a host of its own.
"""

import io
import re
from collections.abc import Callable

from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.table import Problem
from hopback.sources.lines import Lines, Refused
from hopback.sources.listing import Listing, read, unread
from hopback.sources.parse.commands import Command, says_nothing
from hopback.sources.parse.file_names import parse_file_name
from hopback.sources.parse.registry import for_command
from hopback.sources.paste import read_text
from hopback.sources.prompts import read_prompt
from hopback.sources.secrets import without_secrets
from hopback.sources.tree import Tree

_CONSOLE = re.compile(r"guest-console-(.+?)(?:\.(?:txt|log))?")
_PASSED_OVER = re.compile(r"\..*|README.*|.*\.(?:stderr|md|pcap|pcapng|cap|rc)", re.IGNORECASE)
_LOOK = 4096


def read_directory(tree: Tree) -> tuple[Snapshot, ...]:
    """The host whose commands' output the files are, and the guests whose consoles are there."""
    builders = {tree.label: Builder(tree.label)}
    host = builders[tree.label]
    host.problems.extend(tree.problems)
    for path, content in tree.files.items():
        name = path.rsplit("/", 1)[-1]
        if _PASSED_OVER.fullmatch(name):
            continue
        data = read_content(host, path, content)
        if not data.strip():
            continue  # nothing was printed, or it went to stderr: it tells nothing
        try:
            _read_file(builders, host, path, data)
        except Refused as error:
            host.problems.append(error.problem)
    return tuple(builder.build() for builder in builders.values())


def _read_file(builders: dict[str, Builder], host: Builder, path: str, data: bytes) -> None:
    name = path.rsplit("/", 1)[-1]
    console = _CONSOLE.fullmatch(name)
    if console:
        host.problems.extend(read_text(builders, io.BytesIO(data), path, console[1]))
    elif not read_named(host, path, data, parse_file_name(name)):
        _read_unnamed(builders, host, path, data)


def names_listing(name: str) -> bool:
    """Whether a file's name tells a command that some parser knows."""
    return for_command(parse_file_name(name).words) is not None


def read_content(builder: Builder, path: str, content: Callable[[], bytes]) -> bytes:
    """A file's bytes; b"" and a problem if it cannot be read."""
    try:
        return content()
    except OSError as error:
        builder.problems.append(Problem(path, 0, f"cannot be read: {error.strerror or error}"))
        return b""


def read_named(builder: Builder, path: str, data: bytes, command: Command) -> bool:
    """Read a file by its command.

    False if no parser knows it or could make anything of it, and if it is a paste with prompts.
    Raises Refused if it is no text.
    """
    parser = for_command(command.words)
    if parser is None:
        return says_nothing(command)
    lines = Lines(io.BytesIO(data), path)
    clean = list(lines)
    if read_prompt(next((line for line in clean if line.strip()), "")):
        return False
    title = " ".join(command.words)
    listing = Listing(title, path, clean, command=command, netns=command.netns, strict=True)
    outcome = read(builder, parser, listing)
    builder.problems.extend(lines.problems)
    if outcome.span is None and outcome.problems:
        unread(builder, listing, f"output of {title}", outcome.problems)
        return True
    return outcome.span is not None or says_nothing(command)


def _read_unnamed(builders: dict[str, Builder], host: Builder, path: str, data: bytes) -> None:
    before = sum(len(builder.sources) for builder in builders.values())
    problems = read_text(builders, io.BytesIO(data), path, host.host)
    if sum(len(builder.sources) for builder in builders.values()) > before:
        host.problems.extend(problems)
    elif _is_text(data[:_LOOK]):
        lines = [
            without_secrets(line)[:200]
            for line in data[:_LOOK].decode(errors="replace").split("\n")
        ]
        unread(host, Listing(path, path, lines), f"file {path} not understood")


def _is_text(head: bytes) -> bool:
    text = head.decode(errors="replace")
    odd = sum(not (char.isprintable() or char in "\t\r\n") or char == "\ufffd" for char in text)
    return "\0" not in text and odd * 20 <= len(text)
