"""Sockets that get a copy of the packets that a host takes for its own."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

_BUFFER = 1 << 22
"""Bytes that may wait for their turn."""


def hear(undo: ExitStack, family: int, protocol: int = socket.IPPROTO_UDP) -> socket.socket:
    """A raw socket in the namespace that was entered, until ``undo``; nobody waits for it."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    raw = undo.enter_context(socket.socket(family, kind, protocol))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return raw


def heard(sockets: Iterable[socket.socket]) -> Iterator[bytes]:
    """What came since they were last asked, from the header of UDP or TCP on."""
    for raw in sockets:
        while True:
            try:
                data = raw.recv(1 << 16)
            except BlockingIOError:
                break
            yield data[(data[0] & 15) * 4 :] if raw.family == socket.AF_INET else data
