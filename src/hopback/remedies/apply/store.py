"""Where records are kept: the unfinished ones until a reboot, the audit log for good.

What a fix changes is gone after a reboot, and so is /run: what is unfinished there is unfinished.
"""

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from hopback.remedies.apply.record import Record, decode, encode

ENVIRONMENT = "HOPBACK_STATE_DIR"
"""Set: everything is kept below this directory."""

_LOG_READ_MAX = 16 << 20


class Busy(Exception):
    """Somebody else is applying a fix."""


class Store:
    """The records of this user on this host: of root, or of somebody with capabilities."""

    def __init__(self) -> None:
        self.directory, self.log = _places()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one to apply, for as long as this lasts; Busy if somebody else is."""
        handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy from error
            yield
        finally:
            os.close(handle)

    def is_locked(self) -> bool:
        """Whether somebody is applying, or keeps what was applied."""
        try:
            with self.lock():
                return False
        except Busy:
            return True
        except FileNotFoundError:
            return False

    def save(self, record: Record) -> None:
        """Write the record to /run, whole or not at all, and to the log if its state is new.

        Raises OSError; what can be written is written.
        """
        before = self.unfinished(record.id)
        try:
            if record.state != "ready" and (before is None or before.state != record.state):
                self._append(record)
        finally:
            self._keep(record)

    def note(self, record: Record) -> None:
        """The same as far as it can be: a full disk keeps nobody from undoing what was done."""
        with suppress(OSError):
            self.save(record)

    def forget(self, record: Record) -> None:
        """Nothing is left to be done for it."""
        with suppress(FileNotFoundError):
            self._path(record.id).unlink()

    def unfinished(self, wanted: str) -> Record | None:
        """The record of this id, as it was left on /run."""
        try:
            return decode(self._path(wanted).read_bytes())
        except (OSError, ValueError, msgspec.DecodeError):
            return None

    def all_unfinished(self) -> list[Record]:
        """All that are unfinished, the oldest first."""
        names = [path.stem for path in self.directory.glob("*.json")]
        found = (self.unfinished(name) for name in names)
        return sorted((r for r in found if r is not None), key=lambda r: r.at)

    def latest(self, record: Record) -> Record:
        """The record as it was last written down."""
        logged = (r for r in reversed(self.past()) if r.id == record.id)
        return self.unfinished(record.id) or next(logged, record)

    def past(self) -> list[Record]:
        """What the log tells, each fix once, as it was last, the oldest first."""
        last: dict[str, Record] = {}
        for line in self._lines():
            with suppress(msgspec.DecodeError):  # cut off by a crash
                record = decode(line)
                last[record.id] = record
        return list(last.values())

    def socket(self, name: str) -> Path:
        """Where the keeper of a record listens."""
        return self.directory / f"{name}.sock"

    def prepare(self) -> None:
        """Make sure that all can be written, before anything is done. Raises OSError."""
        for directory in (self.directory, self.log.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))

    def _lines(self) -> list[bytes]:
        """The end of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LOG_READ_MAX))
                return file.read(_LOG_READ_MAX).splitlines()
        except OSError:
            return []

    def _keep(self, record: Record) -> None:
        if record.state in ("confirmed", "undone"):
            self.forget(record)
            return
        whole = self._path(record.id)
        part = whole.with_suffix(".new")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(encode(record))
        part.replace(whole)

    def _append(self, record: Record) -> None:
        handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(encode(record) + b"\n")

    def _path(self, name: str) -> Path:
        if not name.isalnum():  # it may come from a command line
            raise ValueError(f"no record has the id {name!r}")
        return self.directory / f"{name}.json"


def _places() -> tuple[Path, Path]:
    """The directory for what is unfinished, and the audit log."""
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(chosen).absolute(), Path(chosen).absolute() / "fix.jsonl"
    if os.geteuid() == 0:
        # Not $XDG_RUNTIME_DIR: it goes with the session, and sudo has another one.
        return Path("/run/hopback"), Path("/var/log/hopback/fix.jsonl")
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    run = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    state = os.environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    return Path(run) / "hopback", Path(state) / "hopback" / "fix.jsonl"
