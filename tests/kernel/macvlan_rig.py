"""macvlans on a tap, to be asked who hears one frame.

Writing to the tap runs their receive handler before ``write`` returns. Group frames would wait in
the lower device's queue for a worker (macvlan_broadcast_enqueue): the queue is turned off.
"""

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from hopback.frames.mac import Mac, format_mac, parse_mac
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import Observer, Seen
from hopback.sources.live.netlink import Netlink, attributes, pack_attribute
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.netlink import RTM_NEWLINK, Order, Orders
from tests.kernel.opened import Opened
from tests.kernel.rig import CommandFailed, checked
from tests.kernel.tap import drain, open_tap

LOWER = "lm0"
LOWER_MAC = parse_mac("02:bb:00:00:00:02")
MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}

_IFINFOMSG = struct.Struct("=BxHiII")
_RTM_GETLINK = 18
_IFLA_LINKINFO, _INFO_KIND, _INFO_DATA = 18, 1, 2
_IFLA_MACVLAN_MODE, _IFLA_MACVLAN_BC_CUTOFF = 1, 9


def child_name(index: int) -> str:
    return f"lm0c{index}"


def child_mac(index: int) -> Mac:
    return Mac(0x0200_0000_0200 + index)


@dataclass(frozen=True)
class ChildConfig:
    """A macvlan. Only the one child of its lower device can be in mode passthru."""

    mode: str = "vepa"
    up: bool = True


@dataclass(frozen=True)
class Heard:
    """What frames led to: those that left by the tap, and by device those that went up there."""

    egress: tuple[bytes, ...]
    local: Mapping[str, tuple[Seen, ...]]


class KernelMacvlans(Opened):
    """A tap with macvlans on it, all of which hear every group; gone when left.

    CommandFailed when the kernel refuses a setting, or does not know how to do without the queue.
    """

    def __init__(self, children: Sequence[ChildConfig]) -> None:
        self._children = list(children)

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._tap = open_tap(undo, self._space, LOWER)
        self._build()
        self._orders = Orders(self._space)
        undo.callback(self._orders.close)
        self._do_without_queue()
        self._observers = {
            name: self._observer(undo, name)
            for name in (LOWER, *map(child_name, range(len(self._children))))
        }
        for observer in self._observers.values():
            with suppress(OSError):  # told once that its device is down, an observer is silent
                observer.take()

    def configure(self, children: Sequence[ChildConfig]) -> None:
        """Other modes for the same children; passthru is for life (macvlan_changelink)."""
        changed = [
            (self._index[place], new.mode)
            for place, (old, new) in enumerate(zip(self._children, children, strict=True))
            if new.mode != old.mode
        ]
        self._orders.give(
            [_settings(index, _IFLA_MACVLAN_MODE, "=I", MODES[mode]) for index, mode in changed]
        )
        self._children = list(children)

    def play(self, frames: Sequence[tuple[int | None, bytes]]) -> Heard:
        """Frames one after another, from the wire (None) or sent by a child that is up."""
        for child, frame in frames:
            if child is None:
                os.write(self._tap, frame)
            else:
                self._observers[child_name(child)].send(frame)
        local = {name: _own(name, observer) for name, observer in self._observers.items()}
        return Heard(drain(self._tap), {name: seen for name, seen in local.items() if seen})

    def _observer(self, undo: ExitStack, name: str) -> Observer:
        observer = Observer(self._space, name, outgoing=False, protocol=TEST_ETHERTYPE)
        undo.callback(observer.close)
        return observer

    def _do_without_queue(self) -> None:
        self._orders.give([_settings(self._index[0], _IFLA_MACVLAN_BC_CUTOFF, "=i", -1)])
        with self._space, Netlink() as listing:
            shown = listing.ask(_RTM_GETLINK, _IFINFOMSG.pack(0, 0, self._index[0], 0, 0))
        info = attributes(attributes(shown, _IFINFOMSG.size)[_IFLA_LINKINFO])
        # A kernel before 6.4 takes the setting and forgets it.
        if _IFLA_MACVLAN_BC_CUTOFF not in attributes(info[_INFO_DATA]):
            raise CommandFailed("group frames wait in a queue, whatever bc_cutoff says")

    def _build(self) -> None:
        lines = [f"link set {LOWER} address {format_mac(LOWER_MAC)} up"]
        for index, child in enumerate(self._children):
            name, mac = child_name(index), format_mac(child_mac(index))
            lines.append(
                f"link add {name} link {LOWER} address {mac} type macvlan mode {child.mode}"
            )
            lines.append(f"link set {name} allmulticast on {'up' if child.up else 'down'}")
        with self._space:
            checked(["ip", "-batch", "-"], "\n".join(lines))
            self._index = [socket.if_nametoindex(child_name(i)) for i in range(len(self._children))]


def _own(name: str, observer: Observer) -> tuple[Seen, ...]:
    """What went up on the device itself.

    A socket of the lower device is also shown what was passed to a child, as that child's
    (net/core/dev.c:__netif_receive_skb_core asks the handlers of orig_dev, too).
    """
    return tuple(s.seen for s in observer.take_stamped() if s.device == name)


def _settings(index: int, kind: int, layout: str, value: int) -> Order:
    data = pack_attribute(kind, struct.pack(layout, value))
    info = pack_attribute(_INFO_KIND, b"macvlan\0") + pack_attribute(_INFO_DATA, data)
    body = _IFINFOMSG.pack(0, 0, index, 0, 0) + pack_attribute(_IFLA_LINKINFO, info)
    return Order(RTM_NEWLINK, body, f"setting {kind} of macvlan {index}")
