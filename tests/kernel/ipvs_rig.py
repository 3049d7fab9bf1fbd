"""One IPVS director between two taps, to be asked what it does with packets.

    clients, far routers       the director            real servers
    192.0.2.254  (gateway)  eth0 192.0.2.1
    192.0.2.11  (a server)        |
                            eth1 198.51.100.1       198.51.100.11, .12, .13

Everybody it may have to find is a permanent neighbour, so that nothing waits for an answer. The
virtual addresses are on lo and on eth0.
"""

import os
import socket
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.hearing import hear, heard
from tests.kernel.ipvs_orders import DaemonState, Director, Service
from tests.kernel.opened import Opened
from tests.kernel.refusal import refusal
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

TAPS = ("eth0", "eth1")
MTUS = {"eth0": 1500, "eth1": 1300}
MACS: Mapping[str, Mac] = {name: Mac(0x0200_0000_0A00 + i) for i, name in enumerate(TAPS)}
OWN = "192.0.2.1"
ADDRESSES = {
    "lo": ("127.0.0.1/8", "203.0.113.100/32", "2001:db8:f::100/128", "::1/128"),
    "eth0": ("192.0.2.1/24", "192.0.2.100/32", "2001:db8::1/64"),
    "eth1": ("198.51.100.1/24", "2001:db8:1::1/64"),
}
GATEWAY, GATEWAY6 = "192.0.2.254", "2001:db8::fe"
STATIONS: Mapping[str, tuple[str, Mac]] = {
    GATEWAY: ("eth0", Mac(0x0200_0000_0254)),
    GATEWAY6: ("eth0", Mac(0x0200_0000_0254)),
    "192.0.2.11": ("eth0", Mac(0x0200_0000_0111)),
    "2001:db8::11": ("eth0", Mac(0x0200_0000_0111)),
    **{f"198.51.100.{n}": ("eth1", Mac(0x0200_0000_0200 + n)) for n in (11, 12, 13)},
    **{f"2001:db8:1::{n}": ("eth1", Mac(0x0200_0000_0200 + n)) for n in (11, 12, 13)},
}
"""Who has which address, behind which tap."""

ROUTES = (
    f"default via {GATEWAY}",
    f"default via {GATEWAY6}",
    "blackhole 10.9.0.0/16",
    "unreachable 10.8.0.0/16",
    "unreachable 2001:db8:8::/48",
)
MARKED = {7000: 7, 7001: 8}
"""Datagrams to these UDP ports get a mark of the firewall."""
MINE = 8
"""What has this mark is for the host itself, whatever its destination."""
TUNNEL = "in0"
"""A device that opens IPIP packets for the host's first address."""

SETTINGS: Mapping[str, int] = {
    "ipv4.ip_forward": 1,
    "ipv4.conf.all.rp_filter": 0,
    "ipv4.conf.eth0.rp_filter": 0,
    "ipv4.conf.eth1.rp_filter": 0,
    f"ipv4.conf.{TUNNEL}.rp_filter": 0,
    "ipv4.conf.all.send_redirects": 0,
    "ipv4.conf.eth0.send_redirects": 0,
    "ipv4.conf.eth1.send_redirects": 0,
    "ipv6.conf.all.forwarding": 1,
    "ipv4.vs.backup_only": 0,
    "ipv4.vs.cache_bypass": 0,
    "ipv4.vs.ignore_tunneled": 0,
    "ipv4.vs.expire_nodest_conn": 0,
    "ipv4.vs.conntrack": 0,
    "ipv4.vs.nat_icmp_send": 0,
    "ipv4.vs.schedule_icmp": 0,
    "ipv4.vs.sloppy_tcp": 0,
    "ipv4.vs.snat_reroute": 1,
    "ipv4.vs.pmtu_disc": 1,
}
"""What may differ between cases, and what it is where a case does not say."""

_LISTINGS = (
    "ip -d -j link",
    "ip -d -j addr",
    "ip -j route show table all",
    "ip -j -6 route show table all",
    "ip rule",
    "ip -6 rule",
    "ip -j neigh",
    "ip -j -6 neigh",
    "iptables-legacy-save",
    "ip6tables-legacy-save",
)
_SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh", "lblc", "fo", "ovf")
MODULES = ("tun", "af_packet", "ip_vs", *(f"ip_vs_{name}" for name in _SCHEDULERS))


@dataclass(frozen=True)
class Setup:
    """What may differ from case to case; ``settings`` are sysctls without ``net.``."""

    services: tuple[Service, ...] = ()
    settings: tuple[tuple[str, int], ...] = ()

    @property
    def all_settings(self) -> dict[str, int]:
        """Those that a case does not say, too."""
        return {**SETTINGS, **dict(self.settings)}


class Outcome(NamedTuple):
    """What a frame led to: the frames that left, by device, and what the host took for its own.

    Of the latter the packet's payload (from the UDP or TCP header on).
    """

    left: tuple[tuple[str, bytes], ...]
    taken: tuple[bytes, ...]


class IpvsRig(Opened):
    """The director, from ``__enter__`` to ``__exit__``; ``daemon``: its synchronisation thread."""

    def __init__(self, daemon: DaemonState | None = None) -> None:
        self._daemon = daemon
        self._settings: dict[str, int] = {}

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name) for name in TAPS}
        _keep(self._taps.values())
        self._build()
        self._director = Director(self._space)
        undo.callback(self._director.close)
        if self._daemon:
            self._director.start(self._daemon, TAPS[0])
        with self._space:
            self._raw = [
                hear(undo, family, protocol)
                for family in (socket.AF_INET, socket.AF_INET6)
                for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
            ]
        self._silence()

    def set(self, setup: Setup) -> None:
        """The services and settings of a case, instead of those before."""
        self._forget()
        wanted = setup.all_settings
        with self._space:
            for key, value in wanted.items():
                if self._settings.get(key) != value:
                    Path("/proc/sys/net", *key.split(".")).write_text(str(value))
        self._settings = wanted
        self._director.set(setup.services)
        self._silence()

    def _forget(self) -> None:
        """Take the services out, and with them the connections (expire_nodest_conn)."""
        self._settings["ipv4.vs.expire_nodest_conn"] = 1
        with self._space:
            Path("/proc/sys/net/ipv4/vs/expire_nodest_conn").write_text("1")
            self._director.set(())
            connections = Path("/proc/thread-self/net/ip_vs_conn")
            wait_until(lambda: connections.read_text().count("\n") == 1, "no connections")

    def play(self, frames: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        """Frames one after another, each in by a tap, and what each led to."""
        outcomes = []
        for name, frame in frames:
            os.write(self._taps[name], frame)
            left = [(out, sent) for out, tap in self._taps.items() for sent in drain(tap)]
            outcomes.append(Outcome(tuple(left), tuple(heard(self._raw))))
        return outcomes

    def leave(self, setup: Setup) -> None:
        """Take all servers out of the table; the connections stay."""
        self._director.leave(setup.services)

    def listed(self) -> str:
        """What does not differ between cases, as a paste of its listings."""
        with self._space:
            return "".join(f"kvm1# {words}\n{checked(words.split())}\n" for words in _LISTINGS)

    def _silence(self) -> None:
        """Forget what the host has said by itself."""
        for tap in self._taps.values():
            drain(tap)
        list(heard(self._raw))

    def _build(self) -> None:
        lines = [f"link set {n} address {format_mac(MACS[n])} addrgenmode none" for n in TAPS]
        lines += [f"link set {name} mtu {MTUS[name]}" for name in TAPS]
        lines.append(f"link add {TUNNEL} type ipip local {OWN}")
        lines += [f"link set {name} up" for name in (*TAPS, "lo", TUNNEL)]
        marks = [
            f"-A PREROUTING -p udp --dport {port} -j MARK --set-mark {mark}"
            for port, mark in MARKED.items()
        ]
        with self._space:
            for name in ("lo", *TAPS):
                Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0")
                Path(f"/proc/sys/net/ipv6/conf/{name}/accept_ra").write_text("0")
            for limit in ("ipv4/icmp_ratelimit", "ipv4/icmp_ratemask", "ipv6/icmp/ratelimit"):
                Path("/proc/sys/net", limit).write_text("0")
            for switch in Path("/proc/sys/net/ipv4/conf").glob("*/arp_ignore"):
                switch.write_text("8")
            checked(["ip", "-batch", "-"], "\n".join([*lines, *_addressed()]))
            for family in ("-4", "-6"):
                checked(f"ip {family} rule add fwmark {MINE} lookup 100".split())
                checked(f"ip {family} route add local default dev lo table 100".split())
            for program in ("iptables-legacy-restore", "ip6tables-legacy-restore"):
                checked([program], "\n".join(["*mangle", *marks, "COMMIT", ""]))


def _keep(taps: Collection[int]) -> None:
    """Let somebody hold the taps until the machine halts.

    A thread of synchronisation holds its device, and whoever removes that waits for ever.
    """
    subprocess.Popen(
        ["sleep", "infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=tuple(taps),
    )


def _addressed() -> Iterator[str]:
    for name, given in ADDRESSES.items():
        for each in given:
            if not each.startswith(("127.", "::1/")):
                yield f"address add {each} dev {name}{' nodad' if ':' in each else ''}"
    yield from (f"route add {route}" for route in ROUTES)
    for known, (name, mac) in STATIONS.items():
        yield f"neigh add {known} lladdr {format_mac(mac)} dev {name} nud permanent"


@cache
def ipvs_refusal() -> str | None:
    """Why this kernel is not made a director; None if it can."""
    if "User Mode Linux" not in Path("/proc/cpuinfo").read_text():
        return "IPVS is asked in user-mode Linux alone: its taps are held until the machine halts"
    return refusal()
