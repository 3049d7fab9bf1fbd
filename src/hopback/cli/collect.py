"""``hopback collect``: this host's tables in a file, to be looked at elsewhere."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from hopback.cli import exits
from hopback.cli.output import complain, emit, tell_problems
from hopback.cli.reading import netns_option, read_sources
from hopback.snapshot.codec import dump
from hopback.sources.open import LIVE


@click.command("collect")
@click.option("-o", "--output", metavar="FILE", help="Write the snapshot here; - is a pipe.")
@click.option(
    "--script",
    is_flag=True,
    help="Instead, print a POSIX shell script that collects the same where hopback is not.",
)
@netns_option
def command(output: str | None, script: bool, netns: tuple[str, ...]) -> int:
    """Write a snapshot of this host, reading only.

    The file is for 'hopback check FILE' on any machine.
    """
    if script:
        return _script(output, netns)
    if output is None:
        raise click.UsageError("where to? -o FILE (or --script)")
    if output == "-" and sys.stdout.isatty():
        raise click.UsageError("a snapshot is no text: send it to a file or a pipe")
    read = read_sources((LIVE,), netns)
    tell_problems(read.problems)
    if not read.snapshots:
        return read.code
    data = dump(read.snapshots)
    if output == "-":
        emit(data)
        return read.code
    try:
        _replace(Path(output), data)
    except OSError as error:
        raise click.UsageError(f"cannot write {output}: {error.strerror}") from error
    complain(f"wrote {output} ({len(data) / 1024:.0f} KiB)")
    return read.code


def _script(output: str | None, netns: tuple[str, ...]) -> int:
    if output is not None or netns:
        raise click.UsageError("--script goes to standard output, and takes no other option")
    from hopback.sources.script import SCRIPT

    emit(SCRIPT.encode())
    return exits.CLEAR


def _replace(path: Path, data: bytes) -> None:
    """Write ``path`` whole or not at all; readable by its owner only, as tables tell a lot."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
