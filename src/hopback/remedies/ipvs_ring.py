"""What a remedy for a ring of IPVS directors is about, and how ipvsadm and sysctl say it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.directors import Server, Service
from hopback.checks.handovers import Handover
from hopback.checks.ring_roles import RoleCases
from hopback.checks.ring_trace import Cycle, follow
from hopback.checks.words import joined, named
from hopback.frames.mac import Mac
from hopback.network.directing import key_of
from hopback.network.facts import DevId
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit, Remove, Replace
from hopback.snapshot.rows import IpvsCount, IpvsServer, IpvsService, Sysctl
from hopback.snapshot.table import Cite

_OPTIONS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service", "fwmark": "-f"}
_METHODS = {"route": "-g", "tunnel": "-i", "masq": "-m", "local": "-g"}


class Directed(NamedTuple):
    """A ring of hand-overs, and the packet that goes round in it where one could be followed.

    ``back`` is the hand-over that is cut: that of a director which is not master, or the last.
    """

    network: Network
    ring: tuple[Handover, ...]
    back: Handover
    cycle: Cycle | None = None

    @property
    def where(self) -> DevId:
        """The namespace of the director that hands back."""
        return self.back.service.where

    @property
    def names(self) -> str:
        """The directors, for people."""
        return joined(named(h.service.where.host) for h in self.ring)

    def peers(self) -> tuple[Mac, ...]:
        """The MACs of the directors that send to the one that hands back."""
        senders = {h.service.where[:2] for h in self.ring if h.to == self.where}
        devices = self.network.devices.items()
        macs = (d.mac.value for id_, d in devices if id_[:2] in senders and d.mac and d.mac.value)
        return tuple(dict.fromkeys(map(Mac, macs)))


def directed(
    case: Case, service: Service, rings: Iterable[tuple[Handover, ...]]
) -> Directed | None:
    """The ring of which a finding for ``service`` told; None if there is none any more."""
    roles = RoleCases(case)
    followed = follow(case, service)
    cycle = followed.cycle if followed else None
    if cycle is None and followed is not None and (other := roles.first(service)) is not None:
        cycle = other.cycle
    if cycle is not None:
        ring = cycle.ring
    else:
        ring = next((r for r in rings if any(h.service.id == service.id for h in r)), ())
    if not ring:
        return None
    idle = [h for h in reversed(ring) if h.service.where.host not in roles.recorded]
    return Directed(case.network, ring, idle[0] if idle else ring[-1], cycle)


def inside(where: DevId) -> str:
    """What stands before a command for a namespace."""
    return f"ip netns exec {where.netns} " if where.netns else ""


def service_words(row: IpvsService | IpvsServer) -> str:
    """``-u 10.0.0.100:5000``, as ipvsadm(8) names a service."""
    option = _OPTIONS[row.protocol]
    if row.protocol == "fwmark":
        return f"{option} {row.mark}" + (" -6" if row.family == 6 else "")
    return f"{option} {_end(row.address, row.port)}"


def add_service(service: Service) -> Iterator[str]:
    """The words that make a service and its servers anew."""
    row = service.row
    words = f"-A {service_words(row)} -s {row.scheduler or 'wlc'}"
    if row.persistent:
        words += f" -p {row.persistent}"
    elif is_of_unknown_time(row):
        words += " -p"
    if row.netmask not in (None, "255.255.255.255", "128"):
        words += f" -M {row.netmask}"
    of_scheduler = ",".join(flag for flag in row.flags if "-" in flag)
    words += f" -b {of_scheduler}" if of_scheduler else ""
    yield words + (" -o" if "ops" in row.flags else "")
    yield from (add_server(server.row) for server in service.servers)


def is_of_unknown_time(row: IpvsService) -> bool:
    """Whether clients keep their server for a time that no listing tells (/proc/net/ip_vs)."""
    return row.persistent is None and "persistent" in row.flags


def forgotten(service: Service) -> str:
    """What a service that is entered anew may have had otherwise, as a sentence; "" for nothing."""
    if not is_of_unknown_time(service.row):
        return ""
    return (
        " For how long clients keep their server no listing told: without a number after -p ipvsadm"
        " enters its own 360 seconds. `ipvsadm -Sn` shows what it is now."
    )


def add_server(row: IpvsServer) -> str:
    """The words that make one server anew."""
    weight = 1 if row.weight is None else row.weight
    tunnel = f" --tun-type {row.tunnel}" if row.method == "tunnel" and row.tunnel else ""
    port = f" --tun-port {row.tunnel_port}" if tunnel and row.tunnel_port else ""
    most = f" -x {row.upper}" if row.upper else ""
    return (
        f"-a {server_words(row)} {_METHODS.get(row.method, '-g')} -w {weight}{most}{tunnel}{port}"
    )


def server_words(row: IpvsServer) -> str:
    """A server as ipvsadm(8) names it."""
    return f"{service_words(row)} -r {_end(row.server, row.server_port)}"


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def own_of(ring: Directed) -> Server | None:
    """The server by which the one that hands back is known to whoever sends to it."""
    return next((h.server for h in ring.ring if h.to == ring.where), None)


def without(snapshot: Snapshot, service: Service) -> Iterator[Edit]:
    """The tables without the service; the kernel takes its servers and counters with it."""
    for row in dict.fromkeys(_rows(snapshot)):
        if _is_of(row, service):
            yield Remove(row)


def without_server(snapshot: Snapshot, service: Service, address: str) -> Iterator[Edit]:
    """The tables without one server of it, however often it was listed."""
    for row in dict.fromkeys(_rows(snapshot)):
        server = "" if isinstance(row, IpvsService) else row.server
        if _is_of(row, service) and server and canonical(server) == address:
            yield Remove(row)


_Row = IpvsService | IpvsServer | IpvsCount


def _rows(snapshot: Snapshot) -> Iterator[_Row]:
    yield from snapshot.ipvs_services.rows
    yield from snapshot.ipvs_servers.rows
    yield from snapshot.ipvs_counts.rows


def _is_of(row: _Row, service: Service) -> bool:
    return row.netns == service.where.netns and key_of(row) == service.key


def sysctl(snapshot: Snapshot, netns: str, key: str, value: int) -> Iterator[Edit]:
    """The setting as it is then, whether or not anybody read it before."""
    rows = [r for r in snapshot.sysctls.rows if (r.netns, r.key) == (netns, key)]
    new = Sysctl(cite=Cite(len(snapshot.sources), 1), netns=netns, key=key, value=str(value))
    if rows:
        yield from (Replace(row, replace(new, cite=row.cite)) for row in dict.fromkeys(rows))
    else:
        yield Add(new)


def value_of(snapshot: Snapshot, netns: str, key: str) -> int | None:
    """What the setting was when it was read."""
    values = (r.value for r in snapshot.sysctls.rows if (r.netns, r.key) == (netns, key))
    return next((int(value) for value in values if value.isdecimal()), None)
