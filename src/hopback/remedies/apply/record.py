"""What is written down of a fix that is applied: who, what, every command, and how it ended."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hopback.findings import Fix, FixFile, Persistence

State = Literal["ready", "applying", "pending", "confirmed", "undoing", "undone", "stuck"]
"""``ready``: nothing was run yet. ``pending``: applied, waits for confirmation. ``stuck``: a
command of the undo failed."""

ENDED: tuple[State, ...] = ("confirmed", "undone", "stuck")


class Ran(Struct, frozen=True):
    """A command, begun at ``at`` (ns since 1970). ``code`` is None while it runs, or if it never
    ended; ``part`` and ``number`` say which command (of the undo) it is."""

    part: int
    undo: bool
    number: int
    line: str
    at: int
    code: int | None = None
    output: str = ""


class Part(Struct, frozen=True):
    """The commands of one fix."""

    commands: tuple[str, ...]
    undo: tuple[str, ...]
    files: tuple[FixFile, ...] = ()


class Record(Struct, frozen=True):
    """One application of a fix to this host.

    ``within`` is the time for confirmation in seconds, ``at`` and ``deadline`` are ns since 1970;
    ``why`` says in a clause how it came to ``state``. Of the files of its parts those in
    ``written`` were not there before.
    """

    id: str
    state: State
    at: int
    host: str
    boot_id: str | None
    uid: int
    user: str
    check: str
    subject: str
    fix: str
    parts: tuple[Part, ...]
    within: float
    why: str = ""
    afterwards: tuple[str, ...] = ()
    persistence: tuple[Persistence, ...] = ()
    ran: tuple[Ran, ...] = ()
    written: tuple[str, ...] = ()
    deadline: int | None = None

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of all parts."""
        return tuple(line for part in self.parts for line in part.commands)

    @property
    def undo(self) -> tuple[str, ...]:
        """What takes them back."""
        return tuple(line for part in self.parts for line in part.undo)

    @property
    def files(self) -> tuple[FixFile, ...]:
        """The files that the commands read."""
        return tuple(file for part in self.parts for file in part.files)

    def begun(self, part: int) -> bool:
        """Whether some command of ``parts[part]`` had, or may have had, an effect."""
        return any(r.part == part and not r.undo and r.code in (0, None) for r in self.ran)

    def noted(self, ran: Ran) -> "Record":
        """With ``ran``, in the place of what was noted when it began."""
        kept = tuple(r for r in self.ran if not (r.code is None and _same(r, ran)))
        return replace(self, ran=(*kept, ran))

    def taken_back(self, part: int, number: int) -> bool:
        """Whether this command of the undo has been run, and has succeeded."""
        return any((r.part, r.number, r.undo, r.code) == (part, number, True, 0) for r in self.ran)


def parts_of(fixes: Sequence[Fix]) -> tuple[Part, ...]:
    """The commands of fixes that are applied together."""
    return tuple(Part(f.commands, f.undo, f.files) for f in fixes)


def encode(record: Record) -> bytes:
    """One line of JSON, without its end."""
    return msgspec.json.encode(record)


def decode(data: bytes) -> Record:
    """What ``encode`` gave; msgspec.DecodeError (ValidationError) for anything else."""
    return msgspec.json.decode(data, type=Record)


def _same(one: Ran, other: Ran) -> bool:
    return (one.part, one.undo, one.number) == (other.part, other.undo, other.number)
