"""Failed duplicate detection, put together from all that tells of it.

IPv6: net/ipv6/ndisc.c:ndisc_recv_ns and ndisc_recv_na call addrconf_dad_failure for a tentative
address, whatever the source MAC. Only an equal nonce (RFC 7527, 4.10) keeps a solicitation from
doing so, and nothing keeps an advertisement. IPv4 (RFC 5227) is left to programs, and those ignore
probes with their own MAC. ``tentative`` alone is no failure: the detection may just be going on.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.datapath.kernel import behaviour_of
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.identifiers import canonical, mac_in
from hopback.network.model import Station
from hopback.snapshot.rows import Sysctl


class Failure(NamedTuple):
    """Duplicate detection of ``address`` (None: not told) on a station's ``device`` failed.

    ``used_by`` are the MACs that the log names as its other user.
    """

    device: DevId
    address: str | None
    used_by: tuple[Mac, ...]
    refs: tuple[Ref, ...]

    @property
    def ipv4(self) -> bool:
        """Whether it is about an IPv4 address."""
        return self.address is not None and ":" not in self.address


def failures(case: Case) -> Iterator[Failure]:
    """One for each device and address; a message without an address counts if it stands alone."""
    for snapshot in case.network.snapshots.values():
        host = snapshot.host
        found: dict[tuple[DevId, str | None], list[tuple[Ref, Mac | None]]] = {}
        listed: dict[tuple[str, str | None], DevId] = {}
        for row in snapshot.addresses.rows:
            if "dadfailed" in row.flags:
                key = (DevId(host, row.netns, row.dev), canonical(row.address))
                found.setdefault(key, []).append((Ref(host, row.cite), None))
                listed[row.dev, key[1]] = key[0]
        for event in snapshot.dad_events.rows:
            address = canonical(event.address) if event.address else None
            device = DevId(host, event.netns, event.dev)
            # the kernel has one log for all its namespaces, and names devices without theirs
            home = listed.get((event.dev, address), device)
            found.setdefault((home, address), []).append((Ref(host, event.cite), event.used_by))
        told = {device.name for device, address in found if address is not None}
        for (device, address), said in found.items():
            if address is not None or device.name not in told:
                macs = dict.fromkeys(mac for _, mac in said if mac is not None)
                failure = Failure(device, address, tuple(macs), tuple(ref for ref, _ in said))
                yield _answered(case, failure)


def _answered(case: Case, failure: Failure) -> Failure:
    """With the others that a capture on the device shows to answer for the address."""
    own = own_macs(case, failure)
    snapshot = case.network.snapshots[failure.device.host]
    heard = {
        row.mac: Ref(snapshot.host, row.cite)
        for row in snapshot.neighbour_messages.rows
        if own and row.dev == failure.device.name and row.mac is not None and row.mac not in own
        if row.kind in ("na", "arp-reply")
        if canonical(row.address) == failure.address
    }
    return failure._replace(
        used_by=(*dict.fromkeys((*failure.used_by, *heard)),),
        refs=merge_refs(failure.refs, heard.values()),
    )


def own_macs(case: Case, failure: Failure) -> dict[Mac, tuple[Ref, ...]]:
    """The MACs that are the failing device's own, with the rows that say so."""
    own: dict[Mac, tuple[Ref, ...]] = {}
    device = case.network.devices.get(failure.device)
    if device is not None and device.mac is not None:
        own[device.mac.value] = device.mac.refs
    inside = mac_in(failure.address)
    if inside is not None:
        own.setdefault(inside, ())
    station = next((s for s in case.network.stations if _is(s, failure.device)), None)
    if station is not None and not own:
        own[station.mac] = station.refs
    return own


def own_refs(case: Case, failure: Failure) -> tuple[Ref, ...]:
    """The rows that tell whether the other user that is named is the station itself."""
    return merge_refs(*own_macs(case, failure).values()) if failure.used_by else ()


def _is(station: Station, device: DevId) -> bool:
    """Whether the station is that device, or the guest by whose name the log came."""
    return device in (station.device, device._replace(host=station.name))


def station_of(case: Case, failure: Failure) -> Station | None:
    """The failing device as a station behind a bridge port that we see."""
    own = own_macs(case, failure)
    stations = case.network.stations
    found = next((s for s in stations if _is(s, failure.device)), None)
    return found or next((s for s in stations if s.mac in own), None)


def strangers(case: Case, failure: Failure) -> tuple[Mac, ...]:
    """The MACs named as the address's other user that are known not to be the station's own."""
    own = own_macs(case, failure)
    return tuple(mac for mac in failure.used_by if own and mac not in own)


def enhanced_dad(case: Case, device: DevId) -> Fact[bool] | None:
    """Whether the station knows its own solicitation by a nonce; None if nothing tells.

    net/ipv6/ndisc.c:ndisc_recv_ns: it does unless ``enhanced_dad`` is 0 for ``all`` and for the
    interface too; kernels before 4.10 never do.
    """
    key = device.name.replace(".", "/")
    both = {
        name: setting(case, device, f"net.ipv6.conf.{name}.enhanced_dad") for name in ("all", key)
    }
    refs = {name: (Ref(device.host, row.cite),) for name, row in both.items() if row}
    for name, row in both.items():
        if row is not None and row.value != "0":
            return Fact(True, refs[name])
    if len(refs) == len(both):
        return Fact(False, merge_refs(*refs.values()))
    if refs:
        return None
    rows = case.network.snapshots[device.host].kernels.rows
    if not rows:
        return None
    active = behaviour_of(rows[-1].release).enhanced_dad
    return Fact(active, (Ref(device.host, rows[-1].cite),))


def setting(case: Case, device: DevId, key: str) -> Sysctl | None:
    """The setting of that key in the device's namespace, as told last."""
    rows = case.network.snapshots[device.host].sysctls.rows
    return next((r for r in reversed(rows) if (r.netns, r.key) == (device.netns, key)), None)


def accounted(case: Case, failure: Failure) -> bool:
    """Whether a fault found earlier explains the failure: another real user, or a proxy."""
    doubled = {f.subject for f in case.of("duplicate-mac")}
    if doubled & set(map(format_mac, own_macs(case, failure))):
        return True
    return any(
        f.subject == failure.address
        for name in ("duplicate-address", "dad-proxied", "weak-host-arp")
        for f in case.of(name)
        if "dad-failed" in f.explains
    )
