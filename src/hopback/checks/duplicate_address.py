"""duplicate-address: two real stations use one IP address.

Neither needs to have noticed: duplicate detection asks once, and a switch or bridge that suppresses
or snoops neighbour messages may keep the question from the other (so two of them may pass it).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import combinations
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.claims import Claim, claims
from hopback.checks.dad import Failure, failures
from hopback.checks.shared_macs import is_shared
from hopback.checks.words import joined, named
from hopback.findings import Confidence, Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import canonical, mac_in
from hopback.snapshot.rows import Address, Sandbox

NAME = "duplicate-address"

# What every host may have for itself: bridges of container tools and hypervisors, service devices.
_PRIVATE = re.compile(
    r"(?:lo|dummy|docker|br-|virbr|vmnet|vboxnet|lxc|lxdbr|incusbr|cni|podman|flannel|cali|kube|"
    r"nodelocaldns|tun|tap|wg|tailscale|cilium|weave|vnet|veth|vmbr|ipvs)[\w.-]*"
)
_PRIVATE_KINDS = frozenset({"bridge", "dummy", "tun", "vxlan", "wireguard", "ipvlan", "macvlan"})
_PLACES_MAX = 16
_TOLD_BY = ("dad-proxied", "weak-host-arp", "ipvs-split-brain")
_NAT_DEFAULT = "10.0.2.15"  # what VirtualBox' and QEMU's NAT gives to every guest


class _Use(NamedTuple):
    """Who has the address, with the rows that say so."""

    name: str
    mac: Mac | None
    refs: tuple[Ref, ...]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each address with two users."""
    told = {f.subject for name in _TOLD_BY for f in case.of(name)}
    for source in (_refused, _configured, _advertised, _answered, _sandboxes):
        for address, uses, sure, refs in source(case):
            if address not in told:
                told.add(address)
                yield _finding(case, address, uses, sure, refs)


_Found = Iterator[tuple[str, Sequence[_Use], Confidence, tuple[Ref, ...]]]


def _configured(case: Case) -> _Found:
    """Two machines list it as theirs: several sources are several hosts of one network."""
    users: dict[str, dict[tuple[str, str], _Use]] = defaultdict(dict)
    bridges = {s.device: s.bridge for s in case.network.stations if s.device is not None}
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.addresses.rows:
            device = DevId(host, row.netns, row.dev)
            if row.netns and device not in bridges:
                continue  # which segment a namespace is on, nothing tells
            if not _of_one_host(case, device, row):
                known = case.network.devices.get(device)
                mac = known.mac if known else None
                refs = merge_refs((Ref(host, row.cite),), mac.refs if mac else ())
                use = _Use(_named(device), mac.value if mac else None, refs)
                users[canonical(row.address)].setdefault((host, row.netns), use)
    for address, uses in users.items():
        if len(uses) > 1:
            yield address, list(uses.values()), "likely", ()


def _of_one_host(case: Case, device: DevId, row: Address) -> bool:
    """Whether other hosts may have the same address without any conflict."""
    try:
        address = ip_address(row.address)
    except ValueError:
        return True
    whole = row.prefix_len in (None, 32 if address.version == 4 else 128)
    known = case.network.devices.get(device)
    shared = known is not None and known.mac is not None and is_shared(known.mac.value)
    own = address.is_loopback or address.is_link_local or str(address) == _NAT_DEFAULT
    return own or whole or shared or _is_private(case, device)


def _is_private(case: Case, device: DevId) -> bool:
    """Whether the device leads to no network outside: not so a bridge that has a way out."""
    bridge = case.network.bridges.get(device)
    if bridge is not None and any(port.role == "uplink" for port in bridge.ports.values()):
        return False
    known = case.network.devices.get(device)
    kind = known.kind.value if known and known.kind else ""
    return kind in _PRIVATE_KINDS or _PRIVATE.fullmatch(device.name) is not None


def _named(device: DevId) -> str:
    where = named(device.host)
    return (
        f"{device.name} of {device.netns} on {where}"
        if device.netns
        else f"{device.name} of {where}"
    )


def _refused(case: Case) -> _Found:
    """Duplicate detection named another MAC as the user."""
    for failure in failures(case):
        foreign = failure.strangers
        if not foreign or failure.address is None:
            continue
        mine = _Use(_named(failure.device), next(iter(failure.own)), failure.own_refs)
        theirs, listed = _holder(case, foreign[0], failure.address)
        yield failure.address, (mine, theirs), "certain" if listed else "likely", failure.refs


def _holder(case: Case, mac: Mac, address: str) -> tuple[_Use, bool]:
    """Whose MAC it is, and whether the address is listed there."""
    for device in case.network.devices.values():
        if device.mac is None or device.mac.value != mac:
            continue
        host, netns, name = device.id
        rows = case.network.snapshots[host].addresses.rows
        here = (r for r in rows if (r.netns, r.dev) == (netns, name))
        row = next((r for r in here if canonical(r.address) == address), None)
        refs = (*device.mac.refs, *((Ref(host, row.cite),) if row else ()))
        return _Use(_named(device.id), mac, refs), row is not None
    return _Use("another station", mac, ()), False


def _advertised(case: Case) -> _Found:
    """Somebody answers for an address that the host has on the very device that hears it."""
    held: dict[tuple[DevId, str], Ref] = {}
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.addresses.rows:
            key = (DevId(host, row.netns, row.dev), canonical(row.address))
            held[key] = Ref(host, row.cite)
    for claim in claims(case):
        ref = held.get((claim.seen_on, claim.address))
        device = case.network.devices.get(claim.seen_on)
        if not claim.heard or ref is None or device is None or device.mac is None:
            continue
        if claim.mac != device.mac.value:
            mine = _Use(_named(claim.seen_on), device.mac.value, device.mac.refs)
            yield (
                claim.address,
                (mine, _Use("another station", claim.mac, ())),
                "likely",
                (ref, claim.ref),
            )


def _answered(case: Case) -> _Found:
    """Two MACs answered for it, on one segment: where it was seen, another address is the same."""
    by_address: dict[str, dict[Mac, Claim]] = defaultdict(dict)
    pairs: dict[tuple[str, Mac], set[DevId]] = defaultdict(set)
    many: dict[tuple[DevId, Mac], set[str]] = defaultdict(set)
    for claim in claims(case):
        by_address[claim.address].setdefault(claim.mac, claim)
        pairs[claim.address, claim.mac].add(claim.seen_on)
        if claim.heard:
            many[claim.seen_on, claim.mac].add(claim.address)
    joined = {
        frozenset(two)
        for places in pairs.values()
        for two in combinations(sorted(places)[:_PLACES_MAX], 2)
    }
    for address, found in by_address.items():
        if len(found) < 2 or _is_local(address):
            continue
        one, other = list(found.values())[:2]
        if any(len(many[c.seen_on, c.mac]) > 1 for c in (one, other)):
            continue  # it answers for others too: a proxy
        here = frozenset((one.seen_on, other.seen_on))
        if here in joined or (len(here) == 1 and one.heard and other.heard):
            uses = [
                _Use("one station", one.mac, (one.ref,)),
                _Use("another", other.mac, (other.ref,)),
            ]
            yield address, uses, "likely", ()


def _is_local(address: str) -> bool:
    """Whether it means another station on each segment."""
    return address.startswith(("fe80:", "169.254."))


def _sandboxes(case: Case) -> _Found:
    """A pod's fixed address failed while its others passed, and an old sandbox of it still runs."""
    ready: dict[tuple[str, str, str | None], list[tuple[str, Sandbox]]] = defaultdict(list)
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.sandboxes.rows:
            if row.ready:
                ready[host, row.name, row.namespace].append((host, row))
    twice = next((found for found in ready.values() if len(found) > 1), None)
    for failure in failures(case) if twice else ():
        passed = _passed(case, failure)
        if twice and passed and mac_in(failure.address) is None and failure.address:
            uses = [
                _Use(f"sandbox {row.id} of {row.name}", None, (Ref(host, row.cite),))
                for host, row in twice[:2]
            ]
            yield failure.address, uses, "likely", (*failure.refs, *passed)


def _passed(case: Case, failure: Failure) -> tuple[Ref, ...]:
    """The address of the same device, made of its MAC, whose detection did not fail."""
    host, netns, name = failure.device
    for row in case.network.snapshots[host].addresses.rows:
        same = (row.netns, row.dev) == (netns, name) and mac_in(row.address) is not None
        if same and not {"dadfailed", "tentative"} & set(row.flags):
            return (Ref(host, row.cite),)
    return ()


def _finding(
    case: Case,
    address: str,
    uses: Sequence[_Use],
    confidence: Confidence,
    refs: tuple[Ref, ...],
) -> Finding:
    first = merge_refs(refs, *(u.refs for u in uses))
    holders = [f"{u.name} ({format_mac(u.mac)})" if u.mac else u.name for u in uses]
    return Finding(
        check=NAME,
        group="other-fault",
        severity="error",
        evidence="reported",
        confidence=confidence,
        host=first[0].host,
        subject=address,
        summary=f"{address} is used twice: {joined(holders[:3])}.",
        because=case.evidence("one-address", first),
        details={"holders": holders, "macs": [format_mac(u.mac) for u in uses if u.mac]},
        explains=("dad-failed",),
        alternatives=("a neighbour proxy answers for it",)
        if refs and confidence != "certain"
        else (),
    )
