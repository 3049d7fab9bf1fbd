"""weak-host-arp: a host answers ARP for an address that another of its interfaces has.

net/ipv4/arp.c:arp_process answers for every address of the host (RFC 1122's weak host) unless
``arp_ignore`` of the interface or of ``all``, whichever is larger, says otherwise. Also a probe
(RFC 5227) is answered, so that another machine refuses an address it could have. IPv6 does not do
that (net/ipv6/ndisc.c:ndisc_recv_ns looks on the interface).
"""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Address

from hopback.checks.case import Case
from hopback.checks.claims import Claim, claims
from hopback.datapath.effects import Send
from hopback.datapath.nd.arp import ArpInterface, receive
from hopback.datapath.nd.tables import arp_interface_of
from hopback.findings import Finding
from hopback.frames.build import arp_probe
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import canonical, family
from hopback.network.model import Device

NAME = "weak-host-arp"

_ANYBODY = Mac(0x0000_5E00_5301)  # documentation range, RFC 7042


def check(case: Case) -> Iterator[Finding]:
    """One finding for each address, and interface that answered for it."""
    holders: dict[tuple[str, str, str], list[tuple[DevId, Ref]]] = defaultdict(list)
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.addresses.rows:
            key = (host, row.netns, canonical(row.address))
            holders[key].append((DevId(host, row.netns, row.dev), Ref(host, row.cite)))
    devices: dict[Mac, list[Device]] = defaultdict(list)
    for device in case.network.devices.values():
        if device.mac is not None:
            devices[device.mac.value].append(device)
    told: set[tuple[str, DevId]] = set()
    for claim in claims(case):
        for device in devices[claim.mac] if family(claim.address) == 4 else ():
            having = holders[device.id.host, device.id.netns, claim.address]
            if (claim.address, device.id) in told or not _elsewhere(case, device, having):
                continue
            told.add((claim.address, device.id))
            yield from _finding(case, claim, device, having)


def _elsewhere(case: Case, device: Device, having: list[tuple[DevId, Ref]]) -> bool:
    """Whether the address is on other interfaces only, which do not bear the MAC that answered."""
    macs = [
        d.mac.value if d and d.mac else None
        for d in (case.network.devices.get(h) for h, _ in having)
    ]
    return bool(having) and all(device.mac is None or mac != device.mac.value for mac in macs)


def _answers(station: ArpInterface, address: str) -> bool:
    """Whether the interface answers a probe for that address, as its settings are told."""
    probe = arp_probe(_ANYBODY, IPv4Address(address))
    return any(isinstance(effect, Send) for effect in receive(station, probe, "broadcast"))


def _finding(
    case: Case, claim: Claim, device: Device, having: list[tuple[DevId, Ref]]
) -> Iterator[Finding]:
    station = arp_interface_of(case.network.snapshots[device.id.host], device.id)
    if not _answers(station, claim.address):
        return
    holder, ref = having[0]
    told = station.settings.why("ignore")
    devices = (device, case.network.devices.get(holder))
    macs = merge_refs(*(d.mac.refs for d in devices if d and d.mac))
    yield Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="observed" if claim.heard else "reported",
        confidence="certain",
        host=device.id.host,
        subject=claim.address,
        summary=(
            f"{device.id.name} ({format_mac(claim.mac)}) answers ARP for {claim.address}, which is"
            f" on {holder.name} of the same host."
        ),
        because=case.evidence("arp-answered", merge_refs((claim.ref, ref), macs, told)),
        details={
            "netns": device.id.netns,
            "answered_by": device.id.name,
            "holder": holder.name,
            "mac": format_mac(claim.mac),
            "arp_ignore": station.settings.ignore if told else None,
        },
        explains=("dad-failed",),
    )
