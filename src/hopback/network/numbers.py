"""Bridge port numbers: which device is port 6?

``brctl showmacs`` numbers ports and ``brctl show`` only names them, so the link between the two is
inferred, and the strength of the inference is kept. Certain: a listing with both (sysfs, showstp,
``bridge -d link``), or the address of the port's own device, which the table shows as local. No
more than likely: the kernel log (numbers are given again to other ports) and elimination.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from hopback.frames.mac import Mac, format_mac, tap_twin
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.members import Members
from hopback.network.model import Device, PortNumber
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Fdb

Numbers = dict[DevId, PortNumber]


def numbers_of(
    snapshot: Snapshot,
    members: Members,
    devices: Mapping[DevId, Device],
    entries: Iterable[Fdb],
) -> Numbers:
    """The numbers of the ports of one bridge, as far as they can be told.

    ``entries`` are the forwarding entries of that bridge that number their ports.
    """
    rows = list(entries)
    found = _listed(snapshot, members)
    _by_own_address(snapshot, members, devices, rows, found)
    _by_log(snapshot, members, found)
    _by_elimination(members, {r.port for r in rows if r.port is not None}, found)
    return found


def _listed(snapshot: Snapshot, members: Members) -> Numbers:
    found: Numbers = {}
    for row in snapshot.ports.rows:
        id_ = members.bridge._replace(name=row.name)
        if row.number and row.netns == id_.netns and id_ in members.ports:
            ref = Ref(snapshot.host, row.cite)
            found[id_] = PortNumber(row.number, "certain", "listed with its number", (ref,))
    return found


def _by_own_address(
    snapshot: Snapshot,
    members: Members,
    devices: Mapping[DevId, Device],
    rows: Iterable[Fdb],
    found: Numbers,
) -> None:
    """A local entry is the address of the port's device (br_fdb.c:br_fdb_add_local)."""
    owners: dict[Mac, list[tuple[DevId, tuple[Ref, ...]]]] = defaultdict(list)
    for id_ in members.ports:
        device = devices.get(id_)
        if device and device.mac:
            owners[device.mac.value].append((id_, device.mac.refs))
    for nic in snapshot.guest_nics.rows:
        id_ = members.bridge._replace(name=nic.target or "")
        if nic.mac is not None and id_ in members.ports and not owners.get(tap_twin(nic.mac)):
            owners[tap_twin(nic.mac)].append((id_, (Ref(snapshot.host, nic.cite),)))
    taken = {n.value for n in found.values()}
    for row in rows:
        holders = owners.get(row.mac, ()) if row.local else ()
        if len(holders) == 1 and row.port is not None and row.port not in taken:
            id_, refs = holders[0]
            if id_ not in found:
                taken.add(row.port)
                how = f"{format_mac(row.mac)} is its own address"
                all_refs = merge_refs((Ref(snapshot.host, row.cite),), refs)
                found[id_] = PortNumber(row.port, "certain", how, all_refs)


def _by_log(snapshot: Snapshot, members: Members, found: Numbers) -> None:
    """The last event that has a number tells whose it is: numbers are given again."""
    certain = {n.value for n in found.values()}
    for event in snapshot.port_events.rows:
        id_ = members.bridge._replace(name=event.dev)
        same = (event.netns, event.bridge) == (id_.netns, members.bridge.name)
        known = found.get(id_)
        if not same or event.number in certain:
            continue
        for other in [o for o, n in found.items() if n.value == event.number]:
            del found[other]
        if id_ in members.ports and (known is None or known.how == _LOGGED):
            ref = Ref(snapshot.host, event.cite)
            found[id_] = PortNumber(event.number, "likely", _LOGGED, (ref,))


_LOGGED = "the kernel log numbered it so"


def _by_elimination(members: Members, numbers: set[int], found: Numbers) -> None:
    """What is left over: one number and one port; or port 1 and the only way out.

    Number 1 goes to what is enslaved first, which on a hypervisor is the uplink.
    """
    open_numbers = numbers - {n.value for n in found.values()}
    open_ports = [p for id_, p in members.ports.items() if id_ not in found]
    if len(open_numbers) == 1 and len(open_ports) == 1 and members.complete:
        port = open_ports[0]
        how = "the only number and the only port left"
        found[port.id] = PortNumber(min(open_numbers), "likely", how, port.refs)
        return
    uplinks = [p for p in open_ports if p.role == "uplink"]
    if 1 in open_numbers and len(uplinks) == 1:
        how = "port 1 is what was enslaved first, and this is the only way out of the bridge"
        found[uplinks[0].id] = PortNumber(1, "likely", how, uplinks[0].refs)
