"""Directors for the tests: a host's addresses and routes as listings, its IPVS table as rows."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Drop, Effect, Place, Send, Tell, World
from hopback.datapath.model import Model, model_of
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.frames import ethernet, tcp, udp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from hopback.frames.tcp import SYN, Tcp
from hopback.frames.udp import Udp
from hopback.network.build import build
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import (
    IpvsConnection,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    Row,
    Sysctl,
)
from hopback.snapshot.table import Cite, Extent, Rows
from tests.build import dev, link, links, listing, pasted

VIP, VIP6 = "10.0.0.100", "fd00::100"
CLIENT, CLIENT6 = "10.0.0.99", "fd00::99"
CLIENT_MAC = "02:00:00:00:00:99"
MACS = {"a": "02:00:00:00:00:11", "b": "02:00:00:00:00:12"}
OWN = {"a": "10.0.0.11", "b": "10.0.0.12"}
OWN6 = {"a": "fd00::11", "b": "fd00::12"}
_TABLES = {
    IpvsService: "ipvs_services",
    IpvsServer: "ipvs_servers",
    IpvsConnection: "ipvs_connections",
    IpvsDaemon: "ipvs_daemons",
    Sysctl: "sysctls",
}
_HERE = 1000  # the source that rows are given by, and their lines


def host(name: str = "a", *, mtu: int = 1500, more: str = "", opens: str = "") -> str:
    """A host with one device, eth0, which has its own addresses and the virtual ones.

    ``opens``: devices for tunnels beside it, as ``ip -d link`` shows them.
    """
    nic = link(2, "eth0", MACS[name]).replace("mtu 1500", f"mtu {mtu}")
    addresses = [
        "1: lo: <LOOPBACK,UP> mtu 65536",
        "    inet 127.0.0.1/8 scope host lo",
        f"2: eth0: <BROADCAST,UP,LOWER_UP> mtu {mtu} state UP",
        f"    inet {OWN[name]}/24 scope global eth0",
        f"    inet {VIP}/32 scope global eth0",
        f"    inet6 {OWN6[name]}/64 scope global",
        f"    inet6 {VIP6}/128 scope global",
    ]
    clients = (CLIENT, CLIENT6)
    neighbours = [f"{client} dev eth0 lladdr {CLIENT_MAC} REACHABLE" for client in clients]
    for other, mac in MACS.items():
        if other != name:
            neighbours.append(f"{OWN[other]} dev eth0 lladdr {mac} REACHABLE")
            neighbours.append(f"{OWN6[other]} dev eth0 lladdr {mac} REACHABLE")
    return (
        links(nic, opens, host=name)
        + listing("ip addr show", addresses, name)
        + listing("ip route show", ["10.0.0.0/24 dev eth0 proto kernel scope link"], name)
        + listing("ip -6 route show", ["fd00::/64 dev eth0 proto kernel metric 256"], name)
        + listing("ip neigh show", neighbours, name)
        + more
    )


def service(
    protocol: Any = "udp",
    address: str = VIP,
    port: int = 5000,
    line: int = 1,
    **fields: Any,
) -> IpvsService:
    """A service, read at ``line``."""
    row = IpvsService(cite=Cite(_HERE, line), protocol=protocol, address=address, port=port)
    return replace(row, **{"family": _family(address), "scheduler": "rr", **fields})


def server(
    address: str,
    method: Any = "route",
    of: IpvsService | None = None,
    line: int = 2,
    **fields: Any,
) -> IpvsServer:
    """A real server of that service (by default ``service()``), on the same port."""
    of = service() if of is None else of
    row = IpvsServer(
        cite=Cite(_HERE, line),
        protocol=of.protocol,
        family=of.family,
        address=of.address,
        port=of.port,
        mark=of.mark,
        server=address,
        server_port=of.port,
        method=method,
        weight=1,
    )
    return replace(row, **fields)


def marked(mark: int, **fields: Any) -> IpvsService:
    """The service of a mark of the firewall."""
    return service("fwmark", "", 0, **{"mark": mark, "family": 4, **fields})


def _family(address: str) -> Literal[4, 6]:
    return 6 if ":" in address else 4


def setting(name: str, value: int, line: int = 900) -> Sysctl:
    """A setting of IPVS."""
    return Sysctl(cite=Cite(_HERE, line), key=f"net.ipv4.vs.{name}", value=str(value))


def given(text: str, rows: Mapping[str, tuple[Row, ...]], *, complete: bool = True) -> Model:
    """The hosts of the text with these rows of IPVS, by host."""
    hosts = [_with(snapshot, rows.get(snapshot.host, ()), complete) for snapshot in pasted(text)]
    return model_of(build(tuple(hosts)))


def _with(snapshot: Snapshot, rows: tuple[Row, ...], complete: bool) -> Snapshot:
    for kind, table in _TABLES.items():
        own = tuple(row for row in rows if isinstance(row, kind))
        before = getattr(snapshot, table)
        if kind is Sysctl:
            own = (*before.rows, *own)
        elif not rows:
            continue
        whole = complete and kind is not Sysctl
        table_rows = Rows(own, (*before.extents, Extent(_HERE, complete=whole)))
        snapshot = replace(snapshot, **{table: table_rows})
    return snapshot


def director(*rows: Row, text: str | None = None, complete: bool = True) -> Model:
    """The host ``a`` as a director."""
    return given(host() if text is None else text, {"a": rows}, complete=complete)


def datagram(
    target: str = VIP, port: int = 5000, ttl: int = 64, *, size: int = 8, own: int = 7
) -> Frame:
    """What the client sends to ``a``."""
    message = Udp(own, port, Raw(bytes(size)))
    macs = parse_mac(MACS["a"]), parse_mac(CLIENT_MAC)
    if _family(target) == 4:
        v4 = Ipv4(IPv4Address(CLIENT), IPv4Address(target), udp.PROTOCOL, message, ttl)
        return Frame(*macs, (), ethernet.IPV4, v4)
    v6 = Ipv6(IPv6Address(CLIENT6), IPv6Address(target), udp.PROTOCOL, message, ttl)
    return Frame(*macs, (), ethernet.IPV6, v6)


def segment(flags: int = SYN, port: int = 80, own: int = 40000) -> Frame:
    """A TCP segment of the client for the virtual address."""
    message = Tcp(own, port, seq=1, flags=flags)
    packet = Ipv4(IPv4Address(CLIENT), IPv4Address(VIP), tcp.PROTOCOL, message)
    return Frame(parse_mac(MACS["a"]), parse_mac(CLIENT_MAC), (), ethernet.IPV4, packet)


def at(
    model: Model, frame: Frame, world: World | None = None, skb: Skb = FRESH, name: str = "a"
) -> tuple[Effect, ...]:
    """What becomes of a frame that comes in by eth0, beside what its sender is told."""
    effects = step(model, world or {}, Place(dev("eth0", name), "in"), frame, skb)
    return tuple(effect for effect in effects if not isinstance(effect, Tell))


def sent(effects: tuple[Effect, ...]) -> Send:
    """The one frame that leaves."""
    (effect,) = effects
    assert isinstance(effect, Send), effect
    return effect


def dropped(effects: tuple[Effect, ...]) -> str:
    """The rule by which it is dropped."""
    drop = effects[-1]
    assert isinstance(drop, Drop), drop
    return drop.why.rule


def asked(effects: tuple[Effect, ...]) -> Ask:
    """The question that stands in the way."""
    (effect,) = effects
    assert isinstance(effect, Ask), effect
    return effect
