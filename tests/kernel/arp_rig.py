"""A host of the running kernel with three interfaces, to be asked whom it answers ARP for.

Writing to a tap runs ``arp_process`` before ``write`` returns, and an answer waits for nothing.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from hopback.frames import arp, ethernet
from hopback.frames.arp import Arp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, ZERO, Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.opened import Opened
from tests.kernel.rig import checked
from tests.kernel.tap import drain, open_tap

TAPS = ("la0", "la1", "la2")
ADDRESSES = (
    ("la0", "10.0.0.1", 24, "global"),
    ("la0", "10.0.0.9", 24, "global"),
    ("la1", "10.0.1.1", 24, "global"),
    ("la1", "10.0.0.77", 32, "global"),
    ("la1", "169.254.7.7", 16, "link"),
    ("lo", "192.0.2.9", 32, "global"),
    ("lo", "192.0.2.8", 32, "host"),
)
ROUTES = (
    ("198.51.100.0/24", "la1", "via 10.0.1.254"),
    ("203.0.113.0/24", "la2", ""),
    ("203.0.113.128/25", "la0", "via 10.0.0.254"),
)
PROXIED = (("la0", "198.51.100.7"), ("la0", "10.0.0.200"), ("la2", "10.0.0.200"))
SENDERS = {name: Mac(0x0200_0000_0780 + index) for index, name in enumerate(TAPS)}

Settings = tuple[tuple[str, int], ...]

EVERYBODY: Mapping[str, int] = {
    "arp_ignore": 0,
    "arp_filter": 0,
    "proxy_arp": 0,
    "proxy_arp_pvlan": 0,
    "rp_filter": 0,
    "accept_local": 0,
    "drop_gratuitous_arp": 0,
    "route_localnet": 0,
}
OWN: Mapping[str, int] = {**EVERYBODY, "medium_id": 0, "forwarding": 0}


@dataclass(frozen=True)
class Question:
    """An ARP message for one of the taps; ``to`` everybody or the tap's own MAC."""

    tap: str = "la0"
    sender: str = "10.0.0.50"
    target: str = "10.0.0.1"
    op: int = arp.REQUEST
    to: Literal["everybody", "tap", "stranger"] = "everybody"


def tap_mac(name: str) -> Mac:
    return Mac(0x0200_0000_0700 + TAPS.index(name))


def frame_of(question: Question) -> Frame:
    mac = SENDERS[question.tap]
    targets = {"everybody": BROADCAST, "tap": tap_mac(question.tap), "stranger": Mac(mac + 1)}
    sender, target = IPv4Address(question.sender), IPv4Address(question.target)
    message = Arp(question.op, mac, sender, ZERO, target)
    return Frame(targets[question.to], mac, (), ethernet.ARP, message)


class KernelArpHost(Opened):
    """Its taps have ``ADDRESSES``, ``ROUTES`` and ``PROXIED`` entries; gone when left."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name) for name in TAPS}
        with self._space:
            checked(["ip", "-batch", "-"], "\n".join(_lines()))
            for name in TAPS:
                delay = Path(f"/proc/sys/net/ipv4/neigh/{name}/proxy_delay")
                delay.write_text("0")

    def play(
        self, everybody: Settings, own: Settings, questions: Sequence[Question]
    ) -> Mapping[str, tuple[bytes, ...]]:
        """Other settings (``own`` on every tap), then the questions; what each tap sent."""
        with self._space:
            self._configure({**EVERYBODY, **dict(everybody)}, ("all",))
            self._configure({**OWN, **dict(own)}, TAPS)
        for tap in self._taps.values():
            drain(tap)
        for question in questions:
            os.write(self._taps[question.tap], encode(frame_of(question)))
        answers = {name: drain(tap) for name, tap in self._taps.items()}
        return {name: tuple(map(_arp_alone, sent)) for name, sent in answers.items() if sent}

    def _configure(self, values: Mapping[str, int], names: Sequence[str]) -> None:
        for name in names:
            for key, value in values.items():
                path = f"/proc/sys/net/ipv4/conf/{name}/{key}"
                if self._written.get(path) != value:
                    Path(path).write_text(str(value))
                    self._written[path] = value


def _arp_alone(raw: bytes) -> bytes:
    assert int.from_bytes(raw[12:14]) == socket.htons(0) or raw[12:14] == b"\x08\x06", raw.hex()
    return raw


def _lines() -> list[str]:
    lines = ["link set lo up"]
    lines += [f"link set {n} address {format_mac(tap_mac(n))} up" for n in TAPS]
    lines += [f"address add {a}/{size} dev {dev} scope {s}" for dev, a, size, s in ADDRESSES]
    lines += [f"route add {network} {via} dev {dev}" for network, dev, via in ROUTES]
    lines += [f"neigh add proxy {address} dev {dev}" for dev, address in PROXIED]
    return lines
