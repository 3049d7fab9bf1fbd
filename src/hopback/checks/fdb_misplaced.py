"""fdb-misplaced: a bridge believes that a station is somewhere else.

A station's own port is known (libvirt, its tap's FE address, its veth), and the forwarding table
has its MAC on another one. What is sent to the station then leaves by that other port: the reply
that never arrives (net/bridge/br_fdb.c:br_fdb_update, the last frame seen wins).
"""

from collections.abc import Iterator

from hopback.checks.case import Case, path_steps, title
from hopback.datapath.rules import RULES
from hopback.findings import Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import Ref, merge_refs
from hopback.network.lookups import looked_up
from hopback.network.model import BridgeView, Entry, Port, Station
from hopback.network.roles import role_of

NAME = "fdb-misplaced"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each station and wrong port, citing the latest entry that says so."""
    for bridge in case.network.bridges.values():
        stations = _single(case.network.stations_on(bridge.id))
        if not stations:
            continue
        wrong: dict[tuple[Mac, str], Entry] = {}
        for listing in bridge.listings:
            for entry in looked_up(bridge, listing):
                station = stations.get(entry.row.mac)
                if station is not None and _elsewhere(bridge, station, entry):
                    assert entry.port is not None  # noqa: S101  (_elsewhere holds only with one)
                    wrong[station.mac, entry.port.name] = entry
        for (mac, _), entry in wrong.items():
            yield _finding(case, bridge, stations[mac], entry)


def _single(stations: tuple[Station, ...]) -> dict[Mac, Station]:
    """Stations with one own port: a MAC that lives behind two of them is duplicate-mac."""
    ports: dict[Mac, list[Station]] = {}
    for station in stations:
        ports.setdefault(station.mac, []).append(station)
    return {mac: found[0] for mac, found in ports.items() if len(found) == 1}


def _elsewhere(bridge: BridgeView, station: Station, entry: Entry) -> bool:
    """Whether ``entry`` is certainly not on the station's own port.

    A port that is known by its number alone can be told from the station's only if that has one.
    """
    if entry.row.local or entry.port is None or entry.port == station.port:
        return False
    own = bridge.ports[station.port]
    actual = bridge.ports[entry.port]
    known = actual.number is None or actual.number.strength == "certain"
    if own.named and actual.named and known:
        return True
    if own.number is None:
        return entry.row.port is None
    return actual.number is None or actual.number.value != own.number.value


def _finding(case: Case, bridge: BridgeView, station: Station, entry: Entry) -> Finding:
    own = bridge.ports[station.port]
    assert entry.port is not None  # noqa: S101  (checked by _elsewhere)
    actual = bridge.ports[entry.port]
    mac = format_mac(station.mac)
    numbers = merge_refs(*(p.number.refs for p in (own, actual) if p.number))
    return Finding(
        check=NAME,
        group="symptom",
        severity="error",
        evidence="reported",
        confidence="certain",
        host=bridge.id.host,
        subject=mac,
        summary=(
            f"{bridge.id.name} has {mac} on {title(actual)}, but that station is behind"
            f" {title(own)}: frames for it leave by the wrong port."
        ),
        because=(
            *case.evidence("br_fdb_update", (entry.ref,)),
            *case.evidence("own-port", station.refs),
            *case.evidence("port-number", numbers),
            *case.evidence("port-role", _role_refs(case, actual)),
            *case.evidence("vlan-filtering", _filtering_refs(bridge, entry)),
        ),
        path=path_steps(
            (
                (
                    bridge.id,
                    "in",
                    f"any frame to {mac}",
                    f"the table has {mac} on {actual.id.name}",
                ),
                (actual.id, "out", f"any frame to {mac}", RULES["fdb-hit"].text),
            )
        ),
        details={
            "bridge": bridge.id.name,
            "netns": bridge.id.netns,
            "vlan": entry.row.vlan,
            "actual_port": actual.id.name,
            "actual_port_number": _number(actual, entry),
            "actual_port_role": actual.role,
            "actual_port_known": actual.number.strength if actual.number else "certain",
            "actual_port_how": actual.number.how if actual.number else None,
            "expected_port": own.id.name,
            "expected_port_number": own.number.value if own.number else None,
            "age_seconds": None if entry.row.age is None else entry.row.age / 1e9,
            "known_by": list(station.how),
            "learned": not entry.row.extern_learn,
        },
        alternatives=(
            "the station was migrated away and its tap left behind",
            "a clone of it uses the same MAC beyond that port",
            *(("a control plane put the entry there",) if entry.row.extern_learn else ()),
        ),
    )


def _number(port: Port, entry: Entry) -> int | None:
    return port.number.value if port.number else entry.row.port


def _role_refs(case: Case, port: Port) -> tuple[Ref, ...]:
    """What tells where the port leads, if its name does not."""
    device = case.network.devices.get(port.id)
    if device is None or device.kind is None or role_of(port.id.name, None) == port.role:
        return ()
    return device.kind.refs


def _filtering_refs(bridge: BridgeView, entry: Entry) -> tuple[Ref, ...]:
    """What tells that an entry of a VLAN is looked up."""
    fact = bridge.settings.get("vlan_filtering")
    return fact.refs if fact and entry.row.vlan else ()
