"""What a remedy is for: the port that gives a station its own frames back."""

import re

from msgspec import Struct

from hopback.findings import Finding
from hopback.frames.mac import Mac, parse_mac
from hopback.network.facts import DevId
from hopback.network.identifiers import mac_in
from hopback.network.model import Network
from hopback.snapshot.rows import GuestNic

CHECKS = ("hairpin-reflection", "dad-reflection")
"""What may blame a port; where both do, the remedies stand with the first."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,15}")
"""A device's name that means nothing to nft or a shell; the kernel would take almost any."""


_BRIDGED = re.compile(r"/sys/class/net/([A-Za-z0-9_.:-]{1,15})/brif/[^/]+/hairpin_mode")


class Target(Struct, frozen=True):
    """``port`` of ``bridge`` and the station behind it; ``mac`` None: a switch is behind it.

    ``nic`` is the guest's interface, where libvirt or Proxmox defines it.
    """

    port: DevId
    bridge: DevId
    mac: Mac | None = None
    nic: GuestNic | None = None

    @property
    def host(self) -> str:
        """The label of the host to work on."""
        return self.port.host

    @property
    def inside(self) -> str:
        """What a command needs before it to work in the port's namespace."""
        return f"ip netns exec {self.port.netns} " if self.port.netns else ""


def target_of(network: Network, finding: Finding) -> Target | None:
    """The port that ``finding`` blames, if it is one of a bridge with hairpin on."""
    port, mac = _blamed(network, finding)
    bridge = network.bridge_of(port) if port else None
    if port is None or bridge is None or not _PLAIN.fullmatch(port.name):
        return None
    hairpin = bridge.ports[port].flags.get("hairpin")
    if hairpin is None or not hairpin.value:
        return None
    return behind(network, port, bridge.id, mac)


def told_target(network: Network, finding: Finding) -> Target | None:
    """The port that only the text's advice names: no table shows it, so nothing can be tried."""
    details = finding.details
    if finding.check != "dad-reflection" or details["why"] != "advised":
        return None
    port = DevId(details["port_host"], details["port_netns"], details["port"])
    named = _BRIDGED.fullmatch(details["hairpin_file"] or "")
    if named is None or network.bridge_of(port) is not None or not _PLAIN.fullmatch(port.name):
        return None
    macs = (mac_in(address) for address in details["addresses"])
    mac = next((mac for mac in macs if mac is not None), None)
    return Target(port, port._replace(name=named[1]), mac)


def behind(network: Network, port: DevId, bridge: DevId, mac: Mac | None) -> Target:
    """The port and the station behind it, as far as it is defined."""
    nics = network.snapshots[port.host].guest_nics.rows
    its = [n for n in nics if (n.netns, n.target) == port[1:]]
    nic = max(its, key=lambda n: n.filter is not None, default=None)  # the whole definition
    return Target(port, bridge, mac, nic)


def _blamed(network: Network, finding: Finding) -> tuple[DevId | None, Mac | None]:
    details = finding.details
    if finding.check == "hairpin-reflection" and details["harm"]:
        station = details.get("station")
        port = DevId(finding.host, details["netns"], finding.subject)
        return port, parse_mac(station) if station else None
    if finding.check == "dad-reflection" and details["port"]:
        port = DevId(details["port_host"], details["port_netns"], details["port"])
        there = [s.mac for s in network.stations if s.port == port]
        used_by = [parse_mac(mac) for mac in details["used_by"]]
        return port, next((mac for mac in (*used_by, *there) if mac in there), None)
    return None, None
