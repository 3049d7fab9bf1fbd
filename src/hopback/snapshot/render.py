"""Rows in one line each, as iproute2 (or the program they came from) would print them."""

from collections.abc import Callable, Iterable
from typing import Any

from hopback.frames.mac import format_mac
from hopback.snapshot.rows import (
    Address,
    Bridge,
    BridgePort,
    DadEvent,
    Fdb,
    FdbEvent,
    FilterChain,
    FilterRule,
    GuestNic,
    IpvsServer,
    IpvsService,
    Link,
    Neighbour,
    OwnSource,
    PortEvent,
    PortVlan,
    Route,
    Row,
    Sysctl,
    VlanDevice,
    Vxlan,
)

_MAC_FIELDS = frozenset({"mac", "perm_mac", "partner_mac", "source_mac", "target_mac", "used_by"})
_PORT_FLAGS = (
    "hairpin",
    "guard",
    "root_block",
    "learning",
    "flood",
    "mcast_flood",
    "bcast_flood",
    "mcast_to_unicast",
    "neigh_suppress",
    "vlan_tunnel",
    "isolated",
    "locked",
    "mab",
    "proxyarp",
    "proxyarp_wifi",
)


def render(row: Row) -> str:
    """The row in one line; what it does not say is left out."""
    words = _RENDERERS.get(type(row), _fields)(row)
    return " ".join(" ".join(words).split())  # one line, whatever the names hold


def _opt(name: str, value: object) -> str:
    return f"{name} {value}" if value not in (None, "") else ""


def _flags(row: Any, names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if getattr(row, name))


def _fdb(row: Any) -> Iterable[str]:
    yield format_mac(row.mac)
    yield _opt("dev", row.dev) or _opt("port", row.port)
    yield _opt("dst", row.dst)
    yield _opt("vni", row.vni)
    yield _opt("vlan", row.vlan or None)
    yield _opt("master", row.bridge)
    yield "self" if row.on_device else ""
    yield "permanent" if row.local else "static" if row.static else ""
    yield from _flags(row, ("sticky", "locked", "extern_learn", "offload"))


def _bridge(row: Any) -> Iterable[str]:
    yield f"{row.name}: bridge"
    for setting in ("vlan_filtering", "stp", "mcast_snooping", "mcast_querier", "group_fwd_mask"):
        value = getattr(row, setting)
        yield "" if value is None else f"{setting} {int(value)}"
    for timer in ("forward_delay", "ageing_time"):
        value = getattr(row, timer)
        yield "" if value is None else f"{timer} {value / 1e9:g}s"


def _fdb_event(row: Any) -> Iterable[str]:
    yield "Deleted" if row.deleted else ""
    yield f"{format_mac(row.mac)} dev {row.dev}"
    yield _opt("vlan", row.vlan or None)
    yield _opt("master", row.bridge)
    yield "permanent" if row.local else ""


def _link(row: Any) -> Iterable[str]:
    lower = row.lower or (f"if{row.lower_index}" if row.lower_index else "")
    yield f"{row.index}:" if row.index is not None else ""
    yield f"{row.name}@{lower}:" if lower else f"{row.name}:"
    flags = [("UP", row.up), ("LOWER_UP", row.carrier), ("PROMISC", row.promisc)]
    shown = ",".join(name for name, on in flags if on)
    yield f"<{shown}>" if shown else ""
    yield _opt("mtu", row.mtu)
    yield _opt("master", row.master)
    yield _opt("link/ether", row.mac if row.mac is None else format_mac(row.mac))
    yield row.kind or ""
    yield _opt("mode", row.macvlan_mode)


def _port(row: Any) -> Iterable[str]:
    yield f"{row.name}:"
    yield _opt("master", row.bridge)
    yield _opt("state", row.state)
    for name in _PORT_FLAGS:
        value = getattr(row, name)
        yield "" if value is None else f"{name} {'on' if value else 'off'}"


def _address(row: Any) -> Iterable[str]:
    yield "inet6" if ":" in row.address else "inet"
    yield f"{row.address}/{row.prefix_len}"
    yield _opt("scope", row.scope)
    yield from row.flags
    yield _opt("dev", row.dev)


def _neighbour(row: Any) -> Iterable[str]:
    yield f"{row.address} dev {row.dev}"
    yield _opt("lladdr", row.mac if row.mac is None else format_mac(row.mac))
    yield from _flags(row, ("router", "proxy"))
    yield row.state or ""


def _route(row: Any) -> Iterable[str]:
    yield row.kind if row.kind != "unicast" else ""
    yield row.destination
    for hop in row.hops:
        yield "nexthop" if len(row.hops) > 1 else ""
        yield _opt("via", hop.via)
        yield _opt("dev", hop.dev)
    yield _opt("table", row.table if row.table != "main" else None)
    yield _opt("proto", row.protocol)
    yield _opt("scope", row.scope)
    yield _opt("src", row.source)
    yield _opt("metric", row.metric)
    yield from _flags(row, ("onlink",))


def _port_vlan(row: Any) -> Iterable[str]:
    yield f"{row.dev} {row.vid}"
    yield "PVID" if row.pvid else ""
    yield "Egress Untagged" if row.untagged else ""


def _vlan_device(row: Any) -> Iterable[str]:
    yield f"{row.name}@{row.lower}:" if row.lower else f"{row.name}:"
    yield f"vlan protocol {row.protocol or '802.1Q'} id {row.vid}"


def _vxlan(row: Any) -> Iterable[str]:
    yield f"{row.name}: vxlan"
    yield "external" if row.collect_metadata else ""
    yield _opt("id", row.vni)
    for name in ("group", "remote", "local"):
        yield _opt(name, getattr(row, name))
    yield _opt("dev", row.lower)
    yield _opt("dstport", row.port)
    yield "nolearning" if row.learning is False else ""
    yield "proxy" if row.proxy else ""


def _guest_nic(row: Any) -> Iterable[str]:
    yield _opt("guest", row.guest)
    yield _opt("target", row.target)
    yield _opt(row.source_kind or "source", row.source)
    yield _opt("mode", row.source_mode)
    yield row.model or ""
    yield _opt("mac", row.mac if row.mac is None else format_mac(row.mac))
    yield _opt("filter", row.filter)


def _own_source(row: Any) -> Iterable[str]:
    yield f"{row.bridge}:" if row.bridge else ""
    yield f"received packet on {row.dev} with own address as source address"
    if row.mac is not None:
        vlan = "" if row.vlan is None else f", vlan:{row.vlan}"
        yield f"(addr:{format_mac(row.mac)}{vlan})"


def _port_event(row: Any) -> Iterable[str]:
    yield f"{row.bridge}: port {row.number}({row.dev}) entered {row.state} state"


def _dad_event(row: Any) -> Iterable[str]:
    yield f"{row.dev}: IPv6 duplicate address"
    yield row.address or ""
    yield _opt("used by", row.used_by if row.used_by is None else format_mac(row.used_by))
    yield "detected!"


def _sysctl(row: Any) -> Iterable[str]:
    yield f"{row.key} = {row.value}"


def _fields(row: Any) -> Iterable[str]:
    """Any other row: the fields that it sets, by name."""
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in ("cite", "netns") or value is None or value in ("", ()):
            continue
        yield f"{name} {format_mac(value) if name in _MAC_FIELDS else value}"


def _filter_chain(row: Any) -> Iterable[str]:
    yield f"chain {row.family} {row.table} {row.name}"
    yield _opt("hook", row.hook)
    yield _opt("priority", row.priority)
    yield _opt("policy", row.policy if row.hook else None)


def _filter_rule(row: Any) -> Iterable[str]:
    yield f"rule {row.place} of {row.family} {row.table} {row.chain}:"
    yield row.text


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _service(row: Any) -> str:
    """The options of ipvsadm that name a service."""
    if row.protocol == "fwmark":
        return f"-f {row.mark}{' -6' if row.family == 6 else ''}"
    option = {"tcp": "-t", "udp": "-u"}.get(row.protocol, "--sctp-service")
    return f"{option} {_endpoint(row.address, row.port)}"


def _ipvs_service(row: Any) -> Iterable[str]:
    yield f"-A {_service(row)}"
    yield _opt("-s", row.scheduler)
    yield _opt("-p", row.persistent or None)
    yield _opt("-M", row.netmask)
    yield from ("-o" for flag in row.flags if flag == "ops")
    yield _opt("-b", ",".join(flag for flag in row.flags if "-" in flag))


def _ipvs_server(row: Any) -> Iterable[str]:
    yield f"-a {_service(row)} -r {_endpoint(row.server, row.server_port)}"
    yield {"tunnel": "-i", "masq": "-m", "route": "-g"}.get(row.method, f"({row.method})")
    yield _opt("-w", row.weight)
    yield _opt("-x", row.upper or None)
    yield _opt("--tun-type", row.tunnel)
    yield _opt("--tun-port", row.tunnel_port)


_RENDERERS: dict[type[Row], Callable[[Any], Iterable[str]]] = {
    Bridge: _bridge,
    FilterChain: _filter_chain,
    FilterRule: _filter_rule,
    Fdb: _fdb,
    FdbEvent: _fdb_event,
    Link: _link,
    BridgePort: _port,
    Address: _address,
    Neighbour: _neighbour,
    Route: _route,
    PortVlan: _port_vlan,
    VlanDevice: _vlan_device,
    Vxlan: _vxlan,
    GuestNic: _guest_nic,
    OwnSource: _own_source,
    PortEvent: _port_event,
    DadEvent: _dad_event,
    IpvsService: _ipvs_service,
    IpvsServer: _ipvs_server,
    Sysctl: _sysctl,
}
