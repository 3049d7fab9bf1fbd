"""The hosts of a ring as steps: a namespace each, one segment, their addresses, services, settings.

Neighbours are entered as known: who answers whom by ARP is another question (``ipvs-arp-leak``).
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from msgspec import Struct

from hopback.checks.case import Case
from hopback.frames.mac import Mac, format_mac
from hopback.lab.steps import Refused, Spot, Step
from hopback.network.facts import DevId
from hopback.remedies.ipvs_ring import add_service
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Address

CLIENT, WIRE = "client", "wire"
_BRIDGE = "segment"
_NIC = "eth0"
_TOLD = re.compile(
    r"net\.(ipv4\.(ip_forward|vs\.(backup_only|cache_bypass|conn_reuse_mode|conntrack|"
    r"expire_nodest_conn|ignore_tunneled|pmtu_disc|schedule_icmp|snat_reroute)"
    r"|conf\.(?P<dev4>[^.]+)\."
    r"(rp_filter|arp_ignore|arp_announce|accept_local|forwarding|send_redirects))"
    r"|ipv6\.conf\.(?P<dev6>[^.]+)\.forwarding)"
)


class Host(Struct, frozen=True):
    """A host of the ring by the device ``nic`` on the segment; ``space`` is its namespace there."""

    nic: DevId
    space: str
    mac: Mac
    snapshot: Snapshot

    @property
    def spot(self) -> Spot:
        """Where its frames are seen."""
        return Spot(f"{self.space} {self.nic.name}", self.space, self.nic.name)


CLIENT_SPOT = Spot(CLIENT, CLIENT, _NIC)


def hosts_of(case: Case, nics: Sequence[DevId]) -> tuple[Host, ...]:
    """The hosts with these devices. Raises Refused for one that is not a plain device."""
    found: list[Host] = []
    for number, nic in enumerate(dict.fromkeys(nics)):
        device = case.network.devices.get(nic)
        if device is None or device.mac is None:
            raise Refused(f"no listing shows the MAC of {nic.name} on {nic.host}")
        if nic in case.network.bridges or nic in case.model.vlans.by_id or nic in case.model.bonds:
            raise Refused(f"{nic.name} on {nic.host} is no plain device: the ring is not rebuilt")
        space = re.sub(r"[^A-Za-z0-9-]", "-", nic.host or "host")[:20] or "host"
        taken = {host.space for host in found} | {CLIENT, WIRE}
        space = space if space not in taken else f"{space[:16]}-{number}"
        found.append(Host(nic, space, Mac(device.mac.value), case.network.snapshots[nic.host]))
    return tuple(found)


def building(case: Case, hosts: Sequence[Host], client: tuple[str, Mac]) -> Iterator[Step]:
    """All steps that make the segment and what is on it; ``client`` by its address and MAC."""
    yield Step(WIRE, "ip", f"link add {_BRIDGE} type bridge mcast_snooping 0", "the segment")
    yield Step(WIRE, "ip", f"link set {_BRIDGE} up")
    ends = [(CLIENT, _NIC, client[1]), *((h.space, h.nic.name, h.mac) for h in hosts)]
    for number, (space, nic, mac) in enumerate(ends):
        peer = f"peer name {nic} address {format_mac(mac)} netns {space}"
        yield Step(WIRE, "ip", f"link add w{number} type veth {peer}")
        yield Step(WIRE, "ip", f"link set w{number} master {_BRIDGE} up")
    yield from _known(hosts)
    yield Step(CLIENT, "ip", f"link set {_NIC} up")
    for host in hosts:
        yield from _stack(hosts, host, client)
        yield from _services(case, host)
        yield from _settings(host)


def cutting(hosts: Sequence[Host]) -> Iterator[Step]:
    """Every host off the segment and on it again: what goes round has nowhere to go."""
    for ends in ("nomaster", f"master {_BRIDGE}"):
        for number in range(1, len(hosts) + 1):
            yield Step(WIRE, "ip", f"link set w{number} {ends}", "the storm is cut")
    yield from _known(hosts)


def _known(hosts: Sequence[Host]) -> Iterator[Step]:
    """The segment floods nothing that it should not."""
    for number, host in enumerate(hosts, 1):
        entry = f"fdb replace {format_mac(host.mac)} dev w{number} master static"
        yield Step(WIRE, "bridge", entry)


def _stack(hosts: Sequence[Host], host: Host, client: tuple[str, Mac]) -> Iterator[Step]:
    space, nic = host.space, host.nic.name
    yield Step(space, "ip", "link set lo up")
    yield Step(space, "ip", f"link set {nic} addrgenmode none up")
    if any(":" in row.address for row in _own(host)):
        for dev in (nic, "lo"):
            yield Step(space, "sysctl", f"net/ipv6/conf/{dev}/disable_ipv6=0")
    for row in _own(host):
        dev = nic if row.dev == nic else "lo"
        quiet = " nodad" if ":" in row.address else ""
        why = "" if row.dev in (nic, "lo") else f"recorded on {row.dev}"
        yield Step(space, "ip", f"addr add {row.address}/{row.prefix_len} dev {dev}{quiet}", why)
    known = {client[0]: client[1]}
    for other in hosts:
        if other != host:
            known |= {row.address: other.mac for row in _own(other) if row.dev == other.nic.name}
    mine = {row.address for row in _own(host)}
    for address, mac in known.items():
        if address not in mine:
            entry = f"neigh replace {address} lladdr {format_mac(mac)} dev {nic} nud permanent"
            yield Step(space, "ip", entry)


def _own(host: Host) -> list[Address]:
    """Its addresses that packets may be for, once each."""
    rows = {
        row.address: row
        for row in host.snapshot.addresses.rows
        if row.netns == host.nic.netns
        and not ip_address(row.address).is_loopback
        and not ip_address(row.address).is_link_local
    }
    return list(rows.values())


def _services(case: Case, host: Host) -> Iterator[Step]:
    where = host.nic._replace(name="")
    for service in case.directors.at(where):
        for words in add_service(service):
            yield Step(host.space, "ipvsadm", words)
    for row in host.snapshot.ipvs_daemons.rows:
        if row.netns == host.nic.netns:
            words = f"--start-daemon {row.state} --mcast-interface {host.nic.name}"
            yield Step(host.space, "ipvsadm", words)


def _settings(host: Host) -> Iterator[Step]:
    """What was recorded of the segment's device and of all; IPVS has settings once it is loaded."""
    told: dict[str, int] = {}
    for row in host.snapshot.sysctls.rows:
        match = _TOLD.fullmatch(row.key)
        if row.netns != host.nic.netns or match is None or not row.value.isdecimal():
            continue
        if (match["dev4"] or match["dev6"] or "all") in ("all", host.nic.name):
            told[row.key] = int(row.value)
    for key, value in sorted(told.items(), key=lambda item: "conf" in item[0]):
        yield Step(host.space, "sysctl", f"{key.replace('.', '/')}={value}")
