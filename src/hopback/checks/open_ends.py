"""What keeps a diagnosis open: tables that were filtered, not read, or not understood.

Each is a gap. A gap that could hide a return turns ``clear`` into ``undecided``.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.ring_trace import MAX_FOLLOWED, unfollowed
from hopback.checks.round_signs import is_in, is_limited, is_reached, traces
from hopback.checks.tunnel_chain import unrouted
from hopback.checks.unclear import unclear_of
from hopback.checks.words import joined, named
from hopback.engines.roles import MAX_SEATS
from hopback.findings import Finding, Gap
from hopback.network.facts import DevId
from hopback.network.model import BridgeView, Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import PingSignKind
from hopback.snapshot.table import Missing

_WATCHED = ("fdb", "ports")
_ROUND = ("routing-loop", "ipvs-loop")
_AS_IT_CAME = ("route", "tunnel")  # for the virtual address still, which a director balances
_NOT_GIVEN = "not in what was given"


def gaps_of(network: Network, findings: tuple[Finding, ...]) -> tuple[Gap, ...]:
    """Everything that was not seen, not whole, or not understood, and that could matter."""
    return tuple(
        dict.fromkeys(
            gap
            for snapshot in network.snapshots.values()
            for gap in (
                *_filtered(snapshot),
                *_refused(snapshot),
                *_nobodys(network, snapshot),
                *_filters(network, snapshot),
                *_not_understood(snapshot),
                *_signs(snapshot, findings),
                *_expiries(snapshot, findings),
                *_traces(snapshot, findings),
                *_bridges(network, snapshot),
            )
        )
    )


def untried(case: Case) -> Iterator[Gap]:
    """Routes between the given hosts that were too many to follow, or that lead out of sight."""
    for candidate, what in case.circles.unfollowed:
        way = " → ".join(named(host) for host, _ in candidate.ring)
        reason = f"packets for {candidate.prefix} may go round ({way}): {what} is not evaluated"
        yield Gap(candidate.ring[0][0], "routes", reason)
    if case.circles.cut:
        host = next(iter(case.network.snapshots), "")
        yield Gap(host, "routes", "not all prefixes that lead from host to host were tried")


def unfollowed_services(case: Case) -> Iterator[Gap]:
    """Services of directors whose packets were not followed to the end, and roles not tried."""
    for service, what in unfollowed(case):
        reason = f"what becomes of packets for {service.title}: {what}"
        yield Gap(service.where.host, "ipvs_services", reason)
    sending = case.directors.joined
    if len(sending) > MAX_FOLLOWED:
        reason = f"of {len(sending)} services that send to given hosts {MAX_FOLLOWED} were followed"
        yield Gap(sending[0].where.host, "ipvs_services", reason)
    if sending and len(case.directors.seats) > MAX_SEATS:
        reason = "there are more instances of VRRP than combinations of roles were tried"
        yield Gap(sending[0].where.host, "vrrp_instances", reason)


def unseen_servers(case: Case, findings: tuple[Finding, ...]) -> Iterator[Gap]:
    """Real servers of which nothing was given, of services that no finding is about."""
    told = {f.subject for f in findings}
    unseen: dict[str, list[str]] = {}
    for service in case.directors.services:
        if service.title in told:
            continue
        addresses = unseen.setdefault(service.where.host, [])
        for handover in case.directors.handovers(service):
            weighs = handover.server.row.weight != 0
            if handover.to is None and weighs and handover.server.method in _AS_IT_CAME:
                addresses.append(handover.server.address)
    for host, addresses in unseen.items():
        if addresses:
            way = f"what {named(host)} sends to {joined(addresses)}"
            reason = f"{way} comes back if a director is there too"
            yield Gap(host, "ipvs_servers", reason)


def unrouted_tunnels(case: Case) -> Iterator[Gap]:
    """Tunnels whose outer packets may lead anywhere, into the tunnel too."""
    for outer in unrouted(case.model) if case.wraps else ():
        reason = f"nothing shows where {outer.dev.name} sends its packets for {outer.remote}"
        yield Gap(outer.dev.host, "routes", reason)


def _filtered(snapshot: Snapshot) -> Iterator[Gap]:
    for name, table in snapshot.tables():
        if name not in _WATCHED:
            continue
        for extent in table.extents:
            if not table.complete(extent.netns, extent.dev):
                source = snapshot.sources[extent.source].name
                yield Gap(snapshot.host, name, f"“{source}” does not show the whole table")
                break


def _refused(snapshot: Snapshot) -> Iterator[Gap]:
    """What could not be read; several tables come from one log and are missed for one reason."""
    told: set[Missing] = set()
    for name, table in snapshot.tables():
        if isinstance(table, Missing) and table.reason != _NOT_GIVEN and table not in told:
            told.add(table)
            yield Gap(snapshot.host, name, f"{table.reason} ({table.command})")


def _nobodys(network: Network, snapshot: Snapshot) -> Iterator[Gap]:
    """Entries that could not be given to a bridge are not looked at."""
    views = [b for b in network.bridges.values() if b.id.host == snapshot.host]
    placed = sum(len(look.entries) for view in views for look in view.listings)
    if placed < sum(not row.on_device for row in snapshot.fdb.rows):
        reason = "a forwarding table is shown, and nothing tells which bridge's it is"
        yield Gap(snapshot.host, "fdb", reason)


def _filters(network: Network, snapshot: Snapshot) -> Iterator[Gap]:
    for _, found in unclear_of(network, snapshot):
        yield Gap(snapshot.host, "filters", f"{found.what} is not evaluated")


def _not_understood(snapshot: Snapshot) -> Iterator[Gap]:
    for row in snapshot.unread.rows:
        yield Gap(snapshot.host, "unread", f"{row.what} is not evaluated")


_SIGNS: dict[PingSignKind, str] = {
    "duplicate": "ping got a reply more than once (DUP!)",
    "ttl-exceeded": "a packet's time to live ran out on the way",
    "unreachable": "ping was told that the target is unreachable",
    "no-reply": "ping got no reply",
}


def _signs(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Iterator[Gap]:
    """What ping showed and no finding accounts for.

    A router that redirects, and nobody at the other end, are no return.
    """
    explained = {f.details.get("sign") for f in findings if f.check == "expected-duplicate"}
    unanswered = {f.details["asked"] for f in findings if f.check == "hairpin-missing"} - {None}
    redirected = any(row.kind == "redirect" for row in snapshot.ping_signs.rows)
    for row in snapshot.ping_signs.rows:
        if row.kind in explained or (row.kind == "unreachable" and redirected):
            continue
        if row.kind == "no-reply" and row.target in unanswered:
            continue
        if _circles(findings, row.target) or (row.kind == "ttl-exceeded" and is_limited(row)):
            continue
        who = f" ({row.peer or row.target})" if row.peer or row.target else ""
        yield Gap(snapshot.host, "ping_signs", f"{_SIGNS[row.kind]}{who}: not explained")


def _circles(findings: tuple[Finding, ...], target: str | None) -> bool:
    """Whether a finding says that packets for the target go round."""
    rings = [f for f in findings if f.check in _ROUND]
    return any(
        f.subject == (target or "") or is_in(target, f.details.get("prefixes", ())) for f in rings
    )


def _expiries(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Iterator[Gap]:
    """Time exceeded in a capture, where no trace and no ping with a small TTL asks for it."""
    signs = (row for row in snapshot.ping_signs.rows if row.kind == "ttl-exceeded")
    asked = snapshot.trace_hops.rows or any(map(is_limited, signs))
    if asked or any(f.check in _ROUND for f in findings):
        return
    for row in snapshot.sightings.rows:
        if "time exceeded in-transit" in row.key:
            who = f" ({row.source})" if row.source else ""
            reason = f"a router says that a packet's time to live ran out{who}: not explained"
            yield Gap(snapshot.host, "sightings", reason)
            return


def _traces(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Iterator[Gap]:
    """Traces that do not come to what they trace."""
    for hops in traces(snapshot):
        last = hops[-1]
        if is_reached(hops) or _circles(findings, last.target):
            continue
        refused = f", which refused the packet ({last.sign})" if last.sign else ""
        what = f" to {last.target}" if last.target else ""
        reason = f"the trace{what} ends at {last.address}{refused}: not explained"
        yield Gap(snapshot.host, "trace_hops", reason)


def _bridges(network: Network, snapshot: Snapshot) -> Iterator[Gap]:
    for bridge in network.bridges.values():
        if bridge.id.host != snapshot.host:
            continue
        if _is_on(bridge, "mcast_querier") and not snapshot.mdb.complete(bridge.id.netns):
            reason = f"{bridge.id.name} has a querier, and nobody listed its multicast groups"
            yield Gap(snapshot.host, "mdb", reason)
        if _is_on(bridge, "vlan_filtering") and not snapshot.port_vlans.complete(bridge.id.netns):
            reason = f"{bridge.id.name} filters VLANs, and nobody listed which ports are in which"
            yield Gap(snapshot.host, "port_vlans", reason)
        yield from _unplaced(network, bridge)


def _is_on(bridge: BridgeView, setting: str) -> bool:
    fact = bridge.settings.get(setting)
    return fact is not None and bool(fact.value)


def _unplaced(network: Network, bridge: BridgeView) -> Iterator[Gap]:
    """Stations whose own port cannot be told from the ports that the table numbers."""
    numbered = any(e.row.port is not None for listing in bridge.listings for e in listing.entries)
    for station in network.stations_on(bridge.id):
        port = bridge.ports[station.port]
        named = DevId(*station.port).name
        if numbered and port.named and port.number is None:
            reason = f"the table numbers its ports, and the number of {named} is not known"
            yield Gap(bridge.id.host, "fdb", reason)
