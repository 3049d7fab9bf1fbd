"""Stations of the running kernel: taps in one namespace, whose addresses come, fail and answer.

Writing to a tap runs ``ndisc_rcv`` before ``write`` returns. What follows (a probe, a failure) is
the kernel's work queue's: it works in order, so whatever was due before an address was put on the
marker device is done when that address is usable. Timers are either too long to end or waited for.
"""

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from msgspec.structs import replace

from hopback.frames import icmp, nd
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac
from hopback.frames.nd import Na, NdOption, Ns
from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import Address
from hopback.sources.live import addresses as live_addresses
from hopback.sources.live.netlink import Netlink, pack_attribute
from hopback.sources.live.reading import Names, Origin
from tests.kernel.dad_config import (
    EVERYBODY,
    NONCE,
    OWN,
    Settings,
    StationConfig,
    existing,
    frame_of,
    given_address,
    placed,
    station_mac,
    station_name,
)
from tests.kernel.netlink import NDMSG, NLM_F_CREATE, RTM_NEWNEIGH, Order, Orders
from tests.kernel.opened import Opened
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

COUNT = 32
_MARKER = "mk0"
_MARKER_ROUNDS = 3
_SOON_MS, _NEVER_MS = 10, 60_000
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_IFADDRMSG = struct.Struct("=BBBBI")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8
_FLAGS = {"nodad": 0x02, "optimistic": 0x04}
_FOREVER = 0xFFFF_FFFF
_NTF_PROXY, _NDA_DST = 0x08, 1
_ND = range(nd.ROUTER_SOLICITATION, nd.ADVERTISEMENT + 1)
_IPV6_NEXT, _ICMP_TYPE = 20, 54  # offsets in a frame

Listed = tuple[tuple[str, tuple[str, ...]], ...]
"""Addresses with their flags, both in alphabetical order."""


@dataclass(frozen=True)
class Told:
    """What a station sent, its nonce made ``NONCE``; and its addresses with their flags."""

    sent: tuple[bytes, ...]
    addresses: Listed


class KernelStations(Opened):
    """``COUNT`` taps and a marker; all gone when left."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}

    def _enter(self, undo: ExitStack) -> None:
        # On one CPU work is begun in the order in which it was queued.
        undo.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = [open_tap(undo, self._space, name) for name in self._names()]
        self._orders = Orders(self._space)
        undo.callback(self._orders.close)
        with self._space:
            self._prepare(undo)

    def _prepare(self, undo: ExitStack) -> None:
        lines = ["link set lo up"]
        for index in range(COUNT):
            mac = format_mac(station_mac(index))
            lines.append(f"link set {station_name(index)} address {mac} addrgenmode none up")
        lines.append(f"link set {_MARKER} addrgenmode none up")
        checked(["ip", "-batch", "-"], "\n".join(lines))
        self._index = {name: socket.if_nametoindex(name) for name in self._names()}
        self._listing = undo.enter_context(Netlink())
        shown = Names({index: name for name, index in self._index.items()})
        self._origin = Origin(0, "", shown)
        for name in self._names():
            self._write(f"conf/{name}/router_solicitation_delay", 0)
            self._write(f"neigh/{name}/proxy_delay", 0)
        self._write("idgen_delay", 0)
        self._write(f"conf/{_MARKER}/dad_transmits", 0)
        for everybody in (f"conf/{_MARKER}", "conf/all", "conf/default"):
            self._write(f"{everybody}/disable_ipv6", 0)

    def _names(self) -> tuple[str, ...]:
        return (*map(station_name, range(COUNT)), _MARKER)

    def _write(self, key: str, value: int) -> None:
        if self._written.get(key) != value:
            Path(f"/proc/sys/net/ipv6/{key}").write_text(str(value))
            self._written[key] = value

    def play(self, everybody: Settings, configs: Sequence[StationConfig]) -> tuple[Told, ...]:
        """Set up the stations anew and let each hear what it has to, all of them at once."""
        with self._space:
            self._configure(everybody, configs)
        runs = [_Run(index, config) for index, config in enumerate(configs)]
        self._settle(runs)
        finishing = [run for run in runs if run.config.finish]
        wait_until(lambda: self._are_over(finishing), "the end of duplicate detection")
        self._settle(runs)
        for run in finishing:
            with self._space:
                self._write(f"neigh/{station_name(run.index)}/retrans_time_ms", _NEVER_MS)
        for number in range(max((len(c.heard) for c in configs), default=0)):
            for run in runs:
                if number < len(run.config.heard):
                    os.write(self._taps[run.index], run.next(number))
            self._settle(runs)
        listed = self._list()
        return tuple(run.told(listed.get(station_name(run.index), ())) for run in runs)

    def _configure(self, everybody: Settings, configs: Sequence[StationConfig]) -> None:
        names = [station_name(index) for index in range(len(configs))]
        for name in names:
            self._write(f"conf/{name}/disable_ipv6", 1)
        for key, value in existing({**EVERYBODY, **dict(everybody)}).items():
            if key == "conf/all/forwarding" and self._written.get(key) != value:
                # writing it changes that of every interface
                for name in self._names():
                    self._written[f"conf/{name}/forwarding"] = value
            self._write(key, value)
        for name, config in zip(names, configs, strict=True):
            for key, value in existing({**OWN, **dict(config.settings)}).items():
                self._write(f"conf/{name}/{key}", value)
            self._write(f"conf/{name}/addr_gen_mode", config.mode)
            self._write(f"neigh/{name}/retrans_time_ms", _SOON_MS if config.finish else _NEVER_MS)
        for tap in self._taps:
            drain(tap)
        for name in names:
            self._write(f"conf/{name}/disable_ipv6", 0)
        orders = []
        for index, config in enumerate(configs):
            orders += [self._proxy(index, address) for address in config.proxied]
            if config.given is not None and config.mode == 1:
                orders.append(self._address(index, config))
        self._orders.give(orders)

    def _address(self, index: int, config: StationConfig) -> Order:
        wanted = sum(_FLAGS[flag] for flag in config.flags)
        preferred = 0 if config.deprecated else _FOREVER
        valid = 3600 if config.dynamic else _FOREVER
        times = struct.pack("=IIII", min(preferred, valid), valid, 0, 0)
        address = given_address(index, config)
        return self._added(station_name(index), address, wanted, times)

    def _added(self, name: str, address: IPv6Address, flags: int, times: bytes = b"") -> Order:
        body = _IFADDRMSG.pack(socket.AF_INET6, 64, 0, 0, self._index[name])
        body += pack_attribute(_IFA_LOCAL, address.packed)
        body += pack_attribute(_IFA_FLAGS, struct.pack("=I", flags))
        if times:
            body += pack_attribute(_IFA_CACHEINFO, times)
        return Order(_RTM_NEWADDR, body, f"{address} on {name}", NLM_F_CREATE)

    def _proxy(self, index: int, address: str) -> Order:
        device = self._index[station_name(index)]
        body = NDMSG.pack(socket.AF_INET6, device, 0, _NTF_PROXY, 0)
        body += pack_attribute(_NDA_DST, placed(index, address).packed)
        return Order(RTM_NEWNEIGH, body, f"proxy for {address}", NLM_F_CREATE)

    def _settle(self, runs: "Sequence[_Run]") -> None:
        """Wait until the work that is due has been done, and take what was sent meanwhile."""
        marker = IPv6Address("2001:db8:ffff::1")
        for _ in range(_MARKER_ROUNDS):
            self._orders.give([self._added(_MARKER, marker, 0)])
            wait_until(self._is_marked, "the marker's address")
            body = _IFADDRMSG.pack(socket.AF_INET6, 64, 0, 0, self._index[_MARKER])
            body += pack_attribute(_IFA_LOCAL, marker.packed)
            self._orders.give([Order(_RTM_DELADDR, body, "the marker's address")])
        for run in runs:
            run.take(drain(self._taps[run.index]))

    def _is_marked(self) -> bool:
        return any("tentative" not in row.flags for row in self._list().get(_MARKER, ()))

    def _are_over(self, runs: "Sequence[_Run]") -> bool:
        listed = self._list()
        return not any(
            "tentative" in row.flags and "dadfailed" not in row.flags
            for run in runs
            for row in listed.get(station_name(run.index), ())
        )

    def _list(self) -> Mapping[str, Sequence[Address]]:
        body = _IFADDRMSG.pack(socket.AF_INET6, 0, 0, 0, 0)
        found: dict[str, list[Address]] = {}
        messages = self._listing.dump(_RTM_GETADDR, body).messages
        for row in live_addresses.decode(self._origin, messages):
            found.setdefault(row.dev, []).append(row)
        return found


class _Run:
    """One station while it is played: what it has sent, and its last probe."""

    def __init__(self, index: int, config: StationConfig) -> None:
        self.index = index
        self.config = config
        self._own = given_address(index, config)
        self._nonce = NONCE
        self._sent: list[bytes] = []
        self._probed: list[IPv6Address] = []

    def take(self, frames: Sequence[bytes]) -> None:
        for raw in frames:
            if raw[_IPV6_NEXT] == icmp.PROTOCOL_V6 and raw[_ICMP_TYPE] in _ND:
                frame = decode(raw)
                if not _is_sought(frame):
                    self._sent.append(self._plain(frame))

    def _plain(self, frame: Frame) -> bytes:
        """The frame with ``NONCE`` for the kernel's, and made addresses told by their number."""
        packet = frame.payload
        assert isinstance(packet, Ipv6)
        message = packet.payload
        if isinstance(message, Ns) and packet.src == IPv6Address(0):
            self._own = message.target
            self._nonce = message.nonce or NONCE
            if message.target not in self._probed:
                self._probed.append(message.target)
        return plain(frame, self._probed if self.config.mode > 1 else None)

    def _name(self, address: IPv6Address) -> str:
        return renamed(address, self._probed) if self.config.mode > 1 else str(address)

    def next(self, number: int) -> bytes:
        return encode(frame_of(self.config.heard[number], self.index, self._own, self._nonce))

    def told(self, rows: Sequence[Address]) -> Told:
        listed = sorted(
            (self._name(IPv6Address(row.address)), tuple(sorted({*row.flags} - {"mngtmpaddr"})))
            for row in rows
        )
        return Told(tuple(self._sent), tuple(listed))


def _is_sought(frame: Frame) -> bool:
    """Whether the neighbour table asks, say for a router that an advertisement told of."""
    packet = frame.payload
    assert isinstance(packet, Ipv6)
    return isinstance(packet.payload, Ns) and packet.src != IPv6Address(0)


def renamed(address: IPv6Address, probed: Sequence[IPv6Address]) -> str:
    """An address as a comparison tells it: of one made of a secret only which probe it was in."""
    return f"made {probed.index(address)}" if address in probed else "made"


def plain(frame: Frame, probed: Sequence[IPv6Address] | None) -> bytes:
    """A frame with ``NONCE`` as its nonce; of a station whose addresses are made, what it is.

    ``probed`` are the addresses that such a station has probed for, None for any other.
    """
    packet = frame.payload
    assert isinstance(packet, Ipv6)
    message = packet.payload
    if probed is not None:
        target = renamed(message.target, probed) if isinstance(message, Ns | Na) else ""
        return f"{type(message).__name__} {target}".encode()
    if not isinstance(message, Ns) or message.nonce is None:
        return encode(frame)
    options = tuple(
        NdOption(nd.NONCE, NONCE) if option.kind == nd.NONCE else option
        for option in message.options
    )
    message = replace(message, options=options, checksum=None)
    return encode(replace(frame, payload=replace(packet, payload=message)))
