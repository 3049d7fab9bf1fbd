"""The keeper: a process of its own that applies a fix, and undoes it unless it is confirmed.

It has no terminal, and a session of its own: neither a lost connection nor the end of whoever
started it (``kill -9`` too) reaches it. It listens on a socket beside the record, which only the
same user may open. Told to end (SIGTERM: shutdown, or logind when the user logs out), it undoes at
once.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from msgspec.structs import replace

from hopback.remedies.apply.record import Record, decode
from hopback.remedies.apply.store import Busy, Store
from hopback.remedies.apply.work import carry_out, take_back

GO = b"go\n"
TICK, BUSY = b".", b"b"

Wish = Literal["confirm", "undo"]
_WISHES: dict[bytes, Wish] = {b"confirm": "confirm", b"undo": "undo"}
_Word = Literal[Wish, "end", "time"]
_CLIENT_SECONDS = 1.0


def main(told: IO[bytes], tell: int) -> None:
    """Read a record from ``told``, wait for ``go``, apply it, wait, confirm or undo it.

    After every change of the record, which is on disk, a tick goes to the descriptor ``tell``. If
    ``told`` ends before ``go``, nothing is done. Raises OSError if nothing could be written down;
    nothing has been done then either.
    """
    record = decode(told.readline())
    store = Store()
    os.umask(0o077)
    os.chdir("/")
    ears = _Ears(store.socket(record.id))
    store.prepare()
    try:
        with store.lock():
            store.save(record)
            try:
                with ears:
                    _Keeper(store, ears, tell).keep(record, told)
            finally:
                if store.unfinished(record.id) == record:  # nothing was done
                    store.forget(record)
    except Busy:
        os.write(tell, BUSY)


class _Keeper:
    """One record on its way from ready to its end."""

    def __init__(self, store: Store, ears: "_Ears", tell: int) -> None:
        self._store = store
        self._ears = ears
        self._tell = tell
        # Whoever started it may have been stopped, and never read.
        os.set_blocking(tell, False)

    def keep(self, record: Record, told: IO[bytes]) -> None:
        """Tell that it is ready, and apply the record when somebody says ``go``."""
        self._tick()
        if told.readline() == GO:
            self._latest = record
            self._work(record)

    def _work(self, record: Record) -> None:
        try:
            record = carry_out(record, self._save, self._ears.told_to_end)
            if record.state != "pending":
                take_back(record, record.why, self._save)
                return
            word = self._ears.wait(record.within)
            if word == "confirm":
                self._save(replace(record, state="confirmed", why=""))
            else:
                take_back(record, _reason(word, record), self._save)
        except Exception as error:  # whatever it is, what was done must not stay
            take_back(self._latest, f"{type(error).__name__}: {error}", self._save)

    def _save(self, record: Record) -> None:
        self._latest = record
        self._store.note(record)
        self._tick()

    def _tick(self) -> None:
        with suppress(OSError):
            os.write(self._tell, TICK)


class _Ears:
    """The socket on which it is told to confirm or undo, and the signal that tells it to end.

    Whoever asks waits until the connection ends: that is with this process, when the lock is free.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = False
        self._asking: socket.socket | None = None

    def __enter__(self) -> "_Ears":
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._end)
        self._alarm, self._rung = os.pipe()
        os.set_blocking(self._rung, False)
        signal.set_wakeup_fd(self._rung)
        self._socket = socket.socket(socket.AF_UNIX)
        with reachable(self._path) as path:
            self._socket.bind(path)
        self._socket.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self._socket.close()

    def told_to_end(self) -> bool:
        """Whether SIGTERM came."""
        return self._ended

    def wait(self, seconds: float) -> _Word:
        """What it is told within ``seconds``; ``time`` if nothing."""
        end = time.monotonic() + seconds
        heard = self._socket.fileno()
        while not self._ended:
            left = max(0.0, end - time.monotonic())
            ready, _, _ = select.select([heard, self._alarm], [], [], left)
            if heard in ready and (word := self._hear()) is not None:
                return word
            if not ready:
                return "time"
        return "end"

    def _hear(self) -> Wish | None:
        asking, _ = self._socket.accept()
        asking.settimeout(_CLIENT_SECONDS)
        try:
            word = asking.recv(64)
        except OSError:
            word = b""
        if word not in _WISHES:
            asking.close()
            return None
        self._asking = asking
        return _WISHES[word]

    def _end(self, *_: object) -> None:
        self._ended = True


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """The path of a socket in a spelling that is short enough for an address (unix(7))."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _reason(word: _Word, record: Record) -> str:
    match word:
        case "time":
            return f"nobody confirmed it within {record.within:g} s"
        case "end":
            return "hopback was told to end"
        case _:
            return "as asked for"


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.fileno())
