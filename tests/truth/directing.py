"""Two directors that may be each other's real server: what is set up on them, and what is expected.

What is expected was once seen and understood; it is not what the model says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from hopback.frames import ethernet, tcp, udp
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp
from tests.kernel.directors_rig import NIC, VIP, VIP6, address, address6, mac

PEERS: Mapping[str, str] = {"a": "b", "b": "a"}
PORT = 5000
HOPS = 64

_ERRORS = {
    (4, 3, 3): "port unreachable",
    (4, 5, 1): "redirect",
    (4, 11, 0): "time exceeded",
    (6, 1, 4): "port unreachable",
    (6, 3, 0): "time exceeded",
    (6, 137, 0): "redirect",
}
_MARK = ("*mangle", f"-A PREROUTING -p udp --dport {PORT} -j MARK --set-mark 7", "COMMIT")


@dataclass(frozen=True)
class Outcome:
    """How often the packet was on the wire (None: without end), and what became of it.

    ``taken``: by the host itself, on which director. ``told``: each kind of ICMP error, and from
    whom; what a host answers to a packet that it took is not counted.
    """

    frames: int | None
    taken: str = ""
    told: tuple[str, ...] = ()


def told(errors: Iterable[Frame]) -> tuple[str, ...]:
    """The ICMP errors of an outcome: each kind, and from whom."""
    return tuple(sorted({_told(error) for error in errors}))


def _told(error: Frame) -> str:
    packet = error.payload
    assert isinstance(packet, Ipv4 | Ipv6)
    assert isinstance(packet.payload, Icmp | Icmpv6)
    key = packet.src.version, packet.payload.kind, packet.payload.code
    return f"{_ERRORS.get(key, key)} from {packet.src}"


def _exceeded(source: str, frames: int = HOPS) -> Outcome:
    return Outcome(frames, told=(f"time exceeded from {source}",))


_LOOP, _LOOP6 = _exceeded(VIP), _exceeded(VIP6)


@dataclass(frozen=True)
class Scene:
    """A set-up of both directors, and one packet of the client's to the virtual address.

    ``services`` are lines of ``ipvsadm -R`` for each of them, with {vip}, {own} and {peer} for
    addresses. ``holders``: who has the virtual address, and on which device. ``deprecated``: it is
    no source for packets of their own. ``daemon``: b has a backup's thread. ``mangle`` is a table
    of iptables. ``old``: a kernel from before IPVS counted hops, which the kernel only plays.
    """

    name: str
    expected: Outcome
    services: tuple[str, ...]
    family: int = 4
    protocol: str = "udp"
    holders: Mapping[str, str] = field(default_factory=lambda: {"a": "lo", "b": "lo"})
    deprecated: bool = False
    settings: Mapping[str, int] = field(default_factory=dict)
    daemon: bool = False
    tunnel: str = ""
    mangle: tuple[str, ...] = ()
    old: bool = False

    def lines(self, role: str) -> list[str]:
        """The services of a director."""
        names = {"own": role, "peer": PEERS[role]}
        if self.family == 6:
            known = {word: f"[{address6(host)}]" for word, host in names.items()}
            return [line.format(vip=f"[{VIP6}]", **known) for line in self.services]
        known = {word: address(host) for word, host in names.items()}
        return [line.format(vip=VIP, **known) for line in self.services]

    @property
    def packet(self) -> Frame:
        """The client's packet, in a frame to director a."""
        inner = Tcp(40000, PORT) if self.protocol == "tcp" else Udp(40000, PORT, Raw(b"x"))
        number = tcp.PROTOCOL if self.protocol == "tcp" else udp.PROTOCOL
        ends = mac("a"), mac("client"), ()
        if self.family == 6:
            client6, vip6 = IPv6Address(address6("client")), IPv6Address(VIP6)
            return Frame(*ends, ethernet.IPV6, Ipv6(client6, vip6, number, inner, HOPS))
        client, vip = IPv4Address(address("client")), IPv4Address(VIP)
        return Frame(*ends, ethernet.IPV4, Ipv4(client, vip, number, inner, HOPS))


def _service(method: str, letter: str = "u", weight: int = 1) -> tuple[str, ...]:
    name = f"-{letter} {{vip}}:{PORT}"
    return f"-A {name} -s rr", f"-a {name} -r {{peer}}:{PORT} -{method} -w {weight}"


_ROUTE, _TUNNEL, _MASQ = _service("g"), _service("i"), _service("m")
_OF_MARK = ("-A -f 7 -s rr", "-a -f 7 -r {peer} -m -w 1")
_OF_OWN_ADDRESS = (
    f"-A -u {{own}}:{PORT} -s rr",
    f"-a -u {{own}}:{PORT} -r {{peer}}:{PORT} -m -w 1",
)

SCENES: tuple[Scene, ...] = (
    Scene("DR, UDP", _LOOP, _ROUTE),
    Scene("DR, TCP", _LOOP, _service("g", "t"), protocol="tcp"),
    Scene("DR, IPv6", _LOOP6, _ROUTE, family=6),
    Scene("TUN", _LOOP, _TUNNEL, tunnel="ipip"),
    Scene("TUN, IPv6", _LOOP6, _TUNNEL, family=6, tunnel="ip6tnl"),
    # There it is nearer to the peer's address than the NIC's own is (RFC 6724, rule 8), and so the
    # source of the tunnel's packets; the peer takes none from itself (ip6_tnl_rcv_ctl).
    Scene(
        "TUN, IPv6, the virtual address on the NIC",
        Outcome(2),
        _TUNNEL,
        family=6,
        tunnel="ip6tnl",
        holders={"a": NIC, "b": "lo"},
    ),
    Scene(
        "TUN, IPv6, on the NIC and deprecated",
        _LOOP6,
        _TUNNEL,
        family=6,
        tunnel="ip6tnl",
        holders={"a": NIC, "b": "lo"},
        deprecated=True,
    ),
    Scene("NAT", Outcome(2, taken="b"), _MASQ),
    Scene(
        "NAT by mark",
        _exceeded(address("b")),
        ("-A -f 7 -s rr", "-a -f 7 -r {peer} -m -w 1"),
        mangle=_MARK,
    ),
    Scene("NAT, each other's address a service", _exceeded(address("b")), _MASQ + _OF_OWN_ADDRESS),
    Scene("backup_only, no thread", _LOOP, _ROUTE, settings={"vs__backup_only": 1}),
    Scene(
        "backup_only, a backup's thread",
        Outcome(2, taken="b"),
        _ROUTE,
        settings={"vs__backup_only": 1},
        daemon=True,
    ),
    Scene("a backup's thread alone", _LOOP, _ROUTE, daemon=True),
    Scene(
        "one holds the address, ip_forward 1",
        Outcome(HOPS, told=(f"redirect from {address('b')}", f"time exceeded from {address('b')}")),
        _ROUTE,
        holders={"a": NIC},
    ),
    Scene(
        "one holds the address, ip_forward 0",
        Outcome(2),
        _ROUTE,
        holders={"a": NIC},
        settings={"ip_forward": 0},
    ),
    Scene(
        "weight 0",
        Outcome(1, told=(f"port unreachable from {VIP}",)),
        _service("g", weight=0),
    ),
    Scene("DR, a kernel before 4.10", Outcome(None), _ROUTE, old=True),
)
