"""Taps: what is written to one has arrived there, and what left by it can be read.

A tap lives until its descriptor is closed: ``undo`` does that.
"""

import fcntl
import os
import struct
from contextlib import ExitStack

from hopback.lab.netns.namespace import Namespace

TUN = "/dev/net/tun"
_TUNSETIFF = 0x4004_54CA
_TUNSETCARRIER = 0x4004_54E2
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_FRAME_MAX = 1 << 16


def open_tap(undo: ExitStack, space: Namespace, name: str, *, carrier: bool = True) -> int:
    """A new tap ``name`` in ``space``, which nobody has to wait for: its descriptor."""
    with space:
        tap = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        undo.callback(os.close, tap)
        wanted = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(tap, _TUNSETIFF, wanted)
        if not carrier:
            fcntl.ioctl(tap, _TUNSETCARRIER, struct.pack("i", 0))
    return tap


def drain(tap: int) -> tuple[bytes, ...]:
    """The frames that left by the tap since it was last asked."""
    frames: list[bytes] = []
    while True:
        try:
            frames.append(os.read(tap, _FRAME_MAX))
        except BlockingIOError:
            return tuple(frames)
