"""A veth pair, to be asked what arrives at its ends.

What is sent waits in the sending CPU's backlog (netif_rx): everything is sent by one CPU, so that
it keeps its order, and a last frame of each end shows that all before it is through.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from hopback.frames.mac import BROADCAST, Mac, format_mac, mac_to_bytes
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import Observer, Seen
from tests.kernel import netlink
from tests.kernel.opened import Opened
from tests.kernel.rig import checked, wait_until

ENDS = ("lv0", "lv1")
MTU = 1500
_LAST = (mac_to_bytes(BROADCAST) + bytes.fromhex("02000000ffff 88b6")).ljust(60, b"\0")


def end_mac(index: int) -> Mac:
    return Mac(0x0200_0000_0600 + index)


@dataclass(frozen=True)
class EndConfig:
    """One end of the pair."""

    mtu: int = MTU


class KernelVeth(Opened):
    """A pair in a namespace that is gone when left. Both ends hear whatever arrives."""

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._build()
        self._orders = netlink.Orders(self._space)
        undo.callback(self._orders.close)
        self._observers = [
            undo.enter_context(closing(Observer(self._space, name, outgoing=False)))
            for name in ENDS
        ]

    def configure(self, ends: Sequence[EndConfig]) -> None:
        """Other MTUs."""
        pairs = zip(self._index, ends, strict=True)
        self._orders.give([netlink.mtu(index, end.mtu) for index, end in pairs])

    def play(self, frames: Sequence[tuple[int, bytes]]) -> Mapping[str, tuple[Seen, ...]]:
        """Frames one after another, each sent by an end, and what arrived at each."""
        with _one_cpu():
            for end, frame in (*frames, (0, _LAST), (1, _LAST)):
                _send(self._observers[end], frame)
        heard = [self._until_last(observer) for observer in self._observers]
        return {name: seen for name, seen in zip(ENDS, heard, strict=True) if seen}

    def _until_last(self, observer: Observer) -> tuple[Seen, ...]:
        heard: list[Seen] = []

        def is_through() -> bool:
            heard.extend(observer.take())
            return bool(heard) and heard[-1].frame == _LAST

        wait_until(is_through, "the last frame")
        return tuple(heard[:-1])

    def _build(self) -> None:
        first, second = (f"{name} address {format_mac(end_mac(i))}" for i, name in enumerate(ENDS))
        with self._space:
            lines = [f"link add {first} type veth peer name {second}"]
            lines += [f"link set {name} up" for name in ENDS]
            checked(["ip", "-batch", "-"], "\n".join(lines))
            self._index = [socket.if_nametoindex(name) for name in ENDS]


def _send(observer: Observer, frame: bytes) -> None:
    try:
        observer.send(frame)
    except OSError as error:
        if error.errno != errno.ENOBUFS:  # newer kernels tell the sender that the far end refused
            raise


@contextmanager
def _one_cpu() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
