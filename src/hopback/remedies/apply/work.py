"""Carries a record out, and takes it back: every command is written down before it is run."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from hopback.findings import FixFile
from hopback.remedies.apply import commands
from hopback.remedies.apply.record import Ran, Record

Save = Callable[[Record], None]
"""Keeps a record. It does not raise: what was begun has to go on."""


def carry_out(record: Record, save: Save, stopped: Callable[[], bool]) -> Record:
    """Run the commands of all parts. The state is ``pending`` then, or ``applying`` and ``why`` not
    empty if one failed, or ``stopped`` said so: what was done up to there has to be undone.
    """
    record = _now(replace(record, state="applying"), save)
    for part, given in enumerate(record.parts):
        for file in given.files:
            try:
                if not _is_there(file):
                    record = _now(replace(record, written=(*record.written, file.path)), save)
                    _write(file)
            except OSError as error:
                return replace(record, why=f"{file.path}: {error.strerror}")
        for number, line in enumerate(given.commands):
            if stopped():
                return replace(record, why="hopback was told to end")
            record, ran = _run(record, Ran(part, False, number, line, time.time_ns()), save)
            if ran.code != 0:
                return replace(record, why=_failure(ran))
    deadline = time.time_ns() + round(record.within * 1e9)
    return _now(replace(record, state="pending", deadline=deadline), save)


def take_back(record: Record, why: str, save: Save) -> Record:
    """Run the undo of every part that was begun, the last first: ``undone``, or ``stuck``.

    A command of the undo that fails does not keep the others from being run; one that succeeded
    earlier is not run again.
    """
    record = _now(replace(record, state="undoing", why=why), save)
    failed = []
    for part, given in reversed(list(enumerate(record.parts))):
        if record.begun(part):
            for number, line in enumerate(given.undo):
                if not record.taken_back(part, number):
                    record, ran = _run(record, Ran(part, True, number, line, time.time_ns()), save)
                    failed += [] if ran.code == 0 else [_failure(ran)]
        for file in given.files:
            if file.path in record.written:
                _remove(file)
    if failed:
        return _now(replace(record, state="stuck", why=f"{why}; {'; '.join(failed)}"), save)
    return _now(replace(record, state="undone", why=why), save)


def _run(record: Record, ran: Ran, save: Save) -> tuple[Record, Ran]:
    begun = _now(record.noted(ran), save)
    code, output = commands.run(ran.line)
    ended = replace(ran, code=code, output=output)
    return _now(begun.noted(ended), save), ended


def _now(record: Record, save: Save) -> Record:
    save(record)
    return record


def _failure(ran: Ran) -> str:
    said = f": {' '.join(ran.output.split())}" if ran.output else ""
    return f"“{ran.line}” failed{said}"


def _is_there(file: FixFile) -> bool:
    """Whether a file that commands read is there already; FileExistsError if it says otherwise."""
    path = Path(file.path)
    if not path.exists():
        return False
    if path.read_text(encoding="utf-8", errors="replace") != file.content:
        raise FileExistsError(errno.EEXIST, "is there already, and says something else")
    return True


def _write(file: FixFile) -> None:
    path = Path(file.path)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Not through a link that somebody made meanwhile.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "w", encoding="utf-8") as written:
        written.write(file.content)


def _remove(file: FixFile) -> None:
    """Remove the file again, unless somebody has changed it since."""
    path = Path(file.path)
    with suppress(OSError):
        if path.read_text(encoding="utf-8", errors="replace") == file.content:
            path.unlink()
