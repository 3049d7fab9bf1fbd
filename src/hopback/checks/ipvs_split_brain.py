"""ipvs-split-brain: two directors are master of one virtual address at once.

Each VRRP backup that hears no advert for three intervals becomes master (RFC 9568 6.4.2). Where it
is the adverts that are lost, and not the master, both have the address on a device and answer for
it. A real server that has it on ``lo`` is no master.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from hopback.checks.case import Case
from hopback.checks.mastership import Both, shared_masters
from hopback.checks.words import joined
from hopback.datapath.effects import Place
from hopback.datapath.rules import RULES
from hopback.engines.trace import trace
from hopback.findings import Finding
from hopback.frames import ethernet
from hopback.frames.build import multicast_mac
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.raw import Raw
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import family

NAME = "ipvs-split-brain"

_GROUP = IPv4Address("224.0.0.18")
_VRRP, _TTL = 112, 255
_ADVERT = bytes.fromhex("2133640100000000")  # version 2, an advert; nobody here looks inside
_ALTERNATIVES = {
    "addresses": ("the tables were read at different times, with a fail-over between",),
    "log": (),
    "capture": ("two pairs of directors that use one virtual router id",),
}


def check(case: Case) -> Iterator[Finding]:
    """One for each address that had several masters, by the first that tells of it."""
    told: set[str] = set()
    for both in shared_masters(case):
        if both.address not in told:
            told.add(both.address)
            yield _finding(case, both)


def _finding(case: Case, both: Both) -> Finding:
    lost, lost_refs = _lost_adverts(case, both)
    why = f" Adverts do not arrive: {lost}." if lost else ""
    return Finding(
        check=NAME,
        group="other-fault",
        severity="error" if both.now else "warning",
        evidence="observed" if both.told == "capture" else "reported",
        confidence="likely",
        host=both.refs[-1].host if both.told == "addresses" else both.refs[0].host,
        subject=both.address,
        summary=(
            f"{joined(both.masters)} {'are' if both.now else 'were'} master of {both.address} at"
            f" the same time: each takes what clients send there.{why}"
        ),
        because=(
            *case.evidence("vrrp-masters", both.refs),
            *case.evidence("advert-lost", lost_refs),
        ),
        details={
            "address": both.address,
            "router_id": both.router_id,
            "masters": list(both.masters),
            "told_by": both.told,
            "now": both.now,
            "lost_by": lost,
        },
        alternatives=_ALTERNATIVES[both.told],
    )


def _lost_adverts(case: Case, both: Both) -> tuple[str | None, tuple[Ref, ...]]:
    """What drops an advert on its way between two of the masters, as far as the tables tell."""
    for sender in both.devices:
        frame = _advert(case, sender)
        for journey in trace(case.model, Place(sender, "out"), frame)[:1] if frame else ():
            for end in journey.ends:
                there = journey.hops[end.hop].place.dev
                if end.fate == "lost" and there.host in both.masters and there.host != sender.host:
                    text = f"{there.host} drops them ({RULES[end.why.rule].text})"
                    way = (hop.why.refs for hop in journey.path(end.hop) if hop.why)
                    return text, merge_refs(*way, end.why.refs)
    return None, ()


def _advert(case: Case, dev: DevId) -> Frame | None:
    """An advert as the master sends it by ``dev``, to the group of VRRP."""
    device = case.network.devices.get(dev)
    rows = case.network.snapshots[dev.host].addresses.rows
    own = [r.address for r in rows if (r.netns, r.dev) == dev[1:] and r.prefix_len < 32]
    source = next((a for a in own if family(a) == 4), None)
    if device is None or device.mac is None or source is None:
        return None
    packet = Ipv4(IPv4Address(source), _GROUP, _VRRP, Raw(_ADVERT), ttl=_TTL)
    return Frame(multicast_mac(_GROUP), device.mac.value, (), ethernet.IPV4, packet)
