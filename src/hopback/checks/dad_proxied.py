"""dad-proxied: a neighbour proxy answered the probe, nothing returned.

net/ipv6/ndisc.c:ndisc_recv_ns: a router with ``proxy_ndp`` answers a solicitation of duplicate
detection too, for the addresses of ``ip -6 neigh show proxy``, with its own MAC. Linux' proxy ARP
does not answer a probe (net/ipv4/arp.c:arp_process: sender 0.0.0.0 is answered for own addresses
only); other systems' does.
"""

from collections import defaultdict
from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.dad import Failure, failures
from hopback.datapath.nd.tables import lookup_in
from hopback.findings import Confidence, Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.identifiers import canonical, is_random
from hopback.snapshot.rows import Neighbour

NAME = "dad-proxied"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each address that a proxy answered for."""
    entries = _entries(case)
    failed = list(failures(case))
    answered = _answering_for_many(case, failed)
    for failure in failed:
        mac = next((m for m in failure.strangers if m in answered), None)
        proxies = [p for p in entries.get(failure.address or "", ()) if _may(case, failure, p[0])]
        if proxies:
            yield _proxy(case, failure, *proxies[0])
        elif mac is not None:
            yield _many(case, failure, mac, answered[mac])


def _entries(case: Case) -> dict[str, list[tuple[DevId, Neighbour]]]:
    found: dict[str, list[tuple[DevId, Neighbour]]] = defaultdict(list)
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.neighbours.rows:
            if row.proxy and ":" in row.address:
                found[canonical(row.address)].append((DevId(host, row.netns, row.dev), row))
    return found


def _may(case: Case, failure: Failure, proxy: DevId) -> bool:
    """Whether this proxy can have answered: another machine's, not switched off, no other's MAC."""
    if proxy[:2] == failure.device[:2]:
        return False
    told = (_told(case, proxy, "proxy_ndp"), _told(case, proxy, "forwarding"))
    if any(fact is not None and not fact.value for fact in told):
        return False
    device = case.network.devices.get(proxy)
    named = failure.strangers
    return not named or device is None or device.mac is None or device.mac.value in named


def _told(case: Case, device: DevId, name: str) -> Fact[bool] | None:
    """An IPv6 setting as ``all`` or the interface has it; None if neither shows it on, or both off.

    What is written to forwarding of ``all`` goes to every interface.
    """
    lookup = lookup_in(case.network.snapshots[device.host], device.netns)
    keys = ("all", device.name.replace(".", "/"))
    found = [t for key in keys if (t := lookup(f"net.ipv6.conf.{key}.{name}"))]
    refs = merge_refs(*(t.refs for t in found))
    if any(t.value for t in found):
        return Fact(True, refs)
    return Fact(False, refs) if len(found) == len(keys) else None


def _answering_for_many(case: Case, failed: list[Failure]) -> dict[Mac, list[Failure]]:
    """MACs that claim several of one station's addresses, a random one among them.

    No real owner has what the station has just drawn by lot.
    """
    by_mac: dict[tuple[DevId, Mac], list[Failure]] = defaultdict(list)
    for failure in failed:
        for mac in failure.strangers:
            by_mac[failure.device, mac].append(failure)
    return {
        mac: found
        for (_, mac), found in by_mac.items()
        if len(found) > 1 and any(is_random(f.address) for f in found)
    }


def _proxy(case: Case, failure: Failure, proxy: DevId, row: Neighbour) -> Finding:
    device = case.network.devices.get(proxy)
    named = device is not None and device.mac is not None and device.mac.value in failure.used_by
    on = _told(case, proxy, "proxy_ndp")
    refs = (Ref(proxy.host, row.cite), *(on.refs if on else ()))
    if named and device is not None and device.mac is not None:
        refs = (*refs, *device.mac.refs)
    where = f"{proxy.name} of {proxy.host}" if proxy.host else proxy.name
    summary = (
        f"{failure.device.name} failed duplicate detection for {failure.address}: {where} answers"
        " for that address as a neighbour proxy."
    )
    mac = format_mac(device.mac.value) if device and device.mac else None
    sure: Confidence = "certain" if named or on else "likely"
    return _finding(case, failure, summary, refs, mac, where, sure)


def _many(case: Case, failure: Failure, mac: Mac, found: list[Failure]) -> Finding:
    text = format_mac(mac)
    summary = (
        f"{failure.device.name} failed duplicate detection for {failure.address}: {text} answers"
        f" for {len(found)} of its addresses, also for such as it has just drawn at random."
    )
    refs = merge_refs(*(f.refs for f in found))
    return _finding(case, failure, summary, refs, text, None, "likely")


def _finding(
    case: Case,
    failure: Failure,
    summary: str,
    refs: tuple[Ref, ...],
    mac: str | None,
    proxy: str | None,
    confidence: Confidence,
) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="error",
        evidence="reported",
        confidence=confidence,
        host=failure.device.host,
        subject=failure.address or failure.device.name,
        summary=summary,
        because=(
            *case.evidence("dad-failed", failure.refs),
            *case.evidence("own-mac", failure.own_refs),
            *case.evidence("pneigh", (r for r in refs if r not in failure.refs)),
        ),
        details={
            "netns": failure.device.netns,
            "device": failure.device.name,
            "proxy": proxy,
            "mac": mac,
        },
        explains=("dad-failed",),
    )
