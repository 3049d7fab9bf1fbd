"""What a real server does with ARP and ND for the virtual address, and with packets for it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.clients import CLIENT, arriving, stranger
from hopback.checks.real_servers import RealServer
from hopback.checks.words import named
from hopback.datapath.effects import Drop, Send
from hopback.datapath.nd.arp import ArpInterface, asks_as, receive
from hopback.datapath.nd.tables import arp_interface_of
from hopback.datapath.netfilter.packet import Seen
from hopback.datapath.rules import RULES
from hopback.engines.roles import is_wire
from hopback.engines.trace import Trace
from hopback.findings import Confidence
from hopback.frames.build import arp_request
from hopback.network.facts import Ref, merge_refs
from hopback.network.identifiers import canonical
from hopback.snapshot.rows import Address

Kind = Literal["answers", "announces", "not-accepted"]


class Leak(NamedTuple):
    """What is wrong at a real server: ``dev`` answers or asks, or ``rule`` ends the packet."""

    kind: Kind
    dev: str
    text: str
    refs: tuple[Ref, ...]
    confidence: Confidence
    ignore: int | None = None
    announce: int | None = None
    rule: str | None = None


def leak_of(case: Case, real: RealServer) -> Leak | None:
    """What draws clients to the real server; None also where it is master, and has to answer."""
    held = list(_held(case, real))
    seats = case.directors.seats
    as_master = {seat.dev._replace(name=row.dev) for seat in seats for row in seat.held}
    if not held or any(real.where._replace(name=row.dev) in as_master for row, _ in held):
        return None
    if isinstance(real.asked.address, IPv4Address):
        return next(_of_arp(case, real, real.asked.address, held), None)
    return next(_of_nd(case, real, held), None)


def _held(case: Case, real: RealServer) -> Iterator[tuple[Address, Ref]]:
    snapshot = case.network.snapshots[real.where.host]
    for row in snapshot.addresses.rows:
        if row.netns == real.where.netns and canonical(row.address) == str(real.asked.address):
            yield row, Ref(snapshot.host, row.cite)


def _of_nd(case: Case, real: RealServer, held: list[tuple[Address, Ref]]) -> Iterator[Leak]:
    """ndisc_recv_ns answers for what is on the device itself."""
    for row, ref in held:
        if is_wire(row.dev):
            text = (
                f"{named(real.where.host)} is a real server, has {real.asked.address} on {row.dev}"
                " and answers neighbour solicitations for it: clients reach it past the director."
            )
            yield Leak("answers", row.dev, text, (ref,), "likely")


def _of_arp(
    case: Case, real: RealServer, address: IPv4Address, held: list[tuple[Address, Ref]]
) -> Iterator[Leak]:
    snapshot = case.network.snapshots[real.where.host]
    stations = []
    for name, subnet in case.directors.subnets(real.where, 4).items():
        client = stranger(case.directors, subnet.network)
        dev = real.where._replace(name=name)
        if is_wire(name) and dev in case.network.devices and isinstance(client, IPv4Address):
            refs = (*(ref for _, ref in held), subnet.ref)
            stations.append((arp_interface_of(snapshot, dev), client, refs))
    for station, client, refs in stations:
        if _answers(case, station, address, client):
            yield _answering(real, station, refs)
    for station, client, refs in stations:
        if asks_as(station, client, address) == address:
            yield _announcing(real, station, refs)


def _answers(case: Case, station: ArpInterface, address: IPv4Address, client: IPv4Address) -> bool:
    """Whether a client that asks hears the real server; arptables may keep the question from it."""
    question = arp_request(CLIENT, client, address)
    filters = case.model.netfilter.get(station.dev[:2])
    if filters is not None:
        seen = Seen("arp", "input", question, indev=station.dev.name, packet_type="broadcast")
        if isinstance(filters.call({}, seen), Drop):
            return False
    return any(isinstance(effect, Send) for effect in receive(station, question, "broadcast"))


def _answering(real: RealServer, station: ArpInterface, refs: tuple[Ref, ...]) -> Leak:
    told = station.settings.why("ignore")
    ignore = station.settings.ignore
    shown = f"arp_ignore is {ignore}" if told else "unless arp_ignore, which was not shown, is set"
    return Leak(
        "answers",
        station.dev.name,
        f"{named(real.where.host)} is a real server and answers ARP for {real.asked.address} on"
        f" {station.dev.name} ({shown}): clients reach it past the director.",
        merge_refs(refs, told),
        "certain" if told else "possible",
        ignore=ignore if told else None,
    )


def _announcing(real: RealServer, station: ArpInterface, refs: tuple[Ref, ...]) -> Leak:
    told, ignored = station.settings.why("announce"), station.settings.why("ignore")
    announce = station.settings.announce
    shown = (
        f"arp_announce is {announce}" if told else "unless arp_announce, which was not shown, is 2"
    )
    return Leak(
        "announces",
        station.dev.name,
        f"{named(real.where.host)} is a real server and asks by ARP with {real.asked.address} as"
        f" sender on {station.dev.name} ({shown}): who hears it takes it for the director.",
        merge_refs(refs, ignored, told),
        "likely" if told else "possible",
        ignore=station.settings.ignore if ignored else None,
        announce=announce if told else None,
    )


def refusal_of(case: Case, real: RealServer) -> Leak | None:
    """Why the real server does not take what the director sends it with the virtual address."""
    host = case.model.hosts.get(real.where[:2])
    version = real.asked.address.version
    if real.server.method != "route" or host is None or version not in host.families:
        return None
    traces = list(arriving(case, real.where, real.asked, real.by))
    if not traces or any(_is_taken(real, journey) for journey in traces):
        return None
    journey = traces[0]
    end = journey.ends[0]
    way = (hop.why.refs for hop in journey.path(end.hop) if hop.why)
    rule = journey.hops[1].why.rule if len(journey.hops) > 1 and journey.hops[1].why else None
    rule = rule or end.why.rule
    return Leak(
        "not-accepted",
        journey.hops[0].place.dev.name,
        f"{named(real.where.host)} is a real server for {real.asked.address} and does not take what"
        f" is sent there: {RULES[rule].text}.",
        merge_refs(*way, end.why.refs),
        "likely" if journey.world else "certain",
        rule=rule,
    )


def _is_taken(real: RealServer, journey: Trace) -> bool:
    """Whether it came to the host itself, or its IPVS; unknown is no reason to accuse anybody."""
    if any(end.fate in ("delivered", "blind", "budget") for end in journey.ends):
        return True
    here = (hop for hop in journey.hops if hop.place.dev[:2] == real.where[:2] and hop.why)
    return any(hop.why and RULES[hop.why.rule].area == "ipvs" for hop in here) or any(
        RULES[end.why.rule].area == "ipvs" for end in journey.ends
    )
