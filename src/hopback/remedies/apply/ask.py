"""Starts a keeper and follows it; has a record confirmed or undone, by its keeper or without."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import IO

from msgspec.structs import replace

from hopback.remedies.apply import keeper
from hopback.remedies.apply.keeper import Wish, reachable
from hopback.remedies.apply.record import Record, encode
from hopback.remedies.apply.store import Busy, Store
from hopback.remedies.apply.work import take_back

KEEPER = "hopback.remedies.apply.keeper"


class NoKeeper(Exception):
    """The keeper did not start (it could not write, say). Nothing was done."""


class Kept:
    """A record in the hands of a keeper that has the lock, and has written it down."""

    def __init__(self, record: Record) -> None:
        """Raises Busy, or NoKeeper."""
        # -P: a module of the directory that somebody happens to be in must not be run.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._send(encode(record) + b"\n")
        match self.hear():
            case b"":
                raise NoKeeper
            case keeper.BUSY:
                self._child.wait()
                raise Busy

    def go(self) -> None:
        """Let it begin."""
        self._send(keeper.GO)

    def abandon(self) -> None:
        """Let it end without having done anything."""
        self._stdin.close()
        self._child.wait()

    def hear(self) -> bytes:
        """Wait until the record has changed; b"" once the keeper has ended."""
        ticks = os.read(self.fileno(), 1)
        if not ticks:
            self._child.wait()
        return ticks

    def fileno(self) -> int:
        """For ``select``: readable when ``hear`` need not wait."""
        assert self._child.stdout is not None  # noqa: S101  (it is a pipe)
        return self._child.stdout.fileno()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._child.stdin is not None  # noqa: S101  (it is a pipe)
        return self._child.stdin

    def _send(self, line: bytes) -> None:
        with suppress(BrokenPipeError):
            self._stdin.write(line)
            self._stdin.flush()


def ask(store: Store, record: Record, wish: Wish) -> Record:
    """Have a record confirmed or undone, by its keeper or, where it has none, here.

    Gives the record as it is then, which need not be as wished: the time may have been up. Raises
    Busy if the lock is held for another one, OSError if a confirmation cannot be written down.
    """
    with suppress(OSError):  # no keeper
        _tell(store, record, wish)
    return settle(store, record, wish, "as asked for")


def settle(store: Store, record: Record, wish: Wish, why: str) -> Record:
    """Confirm or undo a record that no keeper has (any more); raises as ``ask`` does."""
    with store.lock():
        latest = store.latest(record)
        store.socket(latest.id).unlink(missing_ok=True)
        if latest.state == "undone" or (latest.state == "confirmed" and wish == "confirm"):
            return latest
        if latest.state == "ready":  # what it would have done was not begun
            store.forget(latest)
            return replace(latest, state="undone", why="nothing was done")
        if wish == "undo":
            return take_back(latest, why, store.note)
        confirmed = replace(latest, state="confirmed", why="")
        store.save(confirmed)
        return confirmed


def _tell(store: Store, record: Record, wish: Wish) -> None:
    """Tell its keeper, and wait until that has ended."""
    with socket.socket(socket.AF_UNIX) as asking:
        with reachable(store.socket(record.id)) as path:
            asking.connect(path)
        asking.sendall(wish.encode())
        asking.recv(1)
