"""From directors that pass a packet round to the plan of a lab, and what the model expects."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.ring_trace import Cycle
from hopback.checks.words import named
from hopback.datapath.effects import Tell
from hopback.datapath.kernel import behaviour_of
from hopback.engines.rounds import rounds
from hopback.engines.trace import trace
from hopback.findings import Fix
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp
from hopback.lab.neighbours import SHAPER
from hopback.lab.ring.hosts import CLIENT, CLIENT_SPOT, WIRE, Host, building, cutting, hosts_of
from hopback.lab.steps import Facility, Plan, Refused, Scene, Send, Step
from hopback.remedies.ipvs_ring import Directed

RECORDED, FIXED = "recorded", "fixed"
COPIES_MAX = 400
"""By then a packet has passed a device more often than its hops allow."""

_SETTLE, _STORM_SECONDS = 1.0, 3.0


class Expected(NamedTuple):
    """What the model says of a packet: frames in all (None: without end), and who tells of it."""

    frames: int | None
    told_by: str | None


class RingDesign(Struct, frozen=True):
    """A plan, and what is needed to judge what comes of it.

    ``message`` is what the packet is called, ``told`` what the ICMP about it is.
    """

    plan: Plan
    ring: Directed
    hosts: tuple[Host, ...]
    message: str
    recorded: Expected
    fix: Fix | None = None
    fixed: Expected | None = None
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


def ring_design(
    case: Case,
    ring: Directed,
    *,
    fix: tuple[Fix, Case] | None = None,
    capable: Collection[Facility] = (),
) -> RingDesign:
    """The lab of a ring; ``fix`` is a remedy and the case after it. Raises Refused."""
    cycle = ring.cycle
    if cycle is None:
        raise Refused("the ring is told by IPVS tables alone: addresses and routes were not given")
    if "ip_vs" not in capable:
        raise Refused(
            "the lab needs IPVS, which the running kernel lacks: use --in uml", denied=True
        )
    if any(handover.service.row.protocol == "fwmark" for handover in ring.ring):
        raise Refused("the ring goes by marks: the lab has no packet filter that would set them")
    elsewhere = _elsewhere(case, ring)
    if elsewhere is not None:
        raise Refused(f"{elsewhere} is behind a router: the lab has one segment, and no routes")
    nics = [hop.place.dev for hop in cycle.way if hop.place.way == "in"]
    hosts = hosts_of(case, nics)
    first = cycle.journey.hops[0].frame
    packet = first.payload
    if not isinstance(packet, Ipv4 | Ipv6):
        raise Refused("the packet of the ring is none of IP")
    message = cycle.service.title
    old = [h for h in hosts if not _takes_hops(case, h)]
    expected = _expected(case, cycle, first)
    scenes = [_scene(RECORDED, message, first, expected, hosts)]
    fixed = None
    if fix is not None:
        again = _other(first)
        fixed = _expected(fix[1], cycle, again)
        steps = tuple(_steps(fix[0], hosts))
        scenes.append(_scene(FIXED, message, again, fixed, hosts, steps))
    spots = (CLIENT_SPOT, *(host.spot for host in hosts))
    client = str(packet.src), first.src
    plan = Plan(
        spaces=(WIRE, CLIENT, *(host.space for host in hosts)),
        steps=tuple(building(case, hosts, client)),
        spots=spots,
        scenes=tuple(scenes),
        bridges=(),
        late=tuple(_old_ttl(old, ring)),
        copies=COPIES_MAX,
    )
    return RingDesign(
        plan=plan,
        ring=ring,
        hosts=hosts,
        message=message,
        recorded=expected[0],
        fix=fix[0] if fix else None,
        fixed=fixed[0] if fixed else None,
        notes=tuple(_notes(case, hosts, old)),
        gaps=tuple(_gaps(hosts)),
    )


def _elsewhere(case: Case, ring: Directed) -> str | None:
    """A server of the ring that whoever sends the packet back is not."""
    for handover in ring.ring:
        owner = case.directors.owner(handover.server.address)
        if owner is None or owner[0] != handover.to:
            return handover.server.address
    return None


def _takes_hops(case: Case, host: Host) -> bool:
    """Whether the host's own kernel takes a hop in IPVS."""
    return behaviour_of(case.network.release(host.nic.host)).ipvs_ttl


def _expected(case: Case, cycle: Cycle, frame: Frame) -> tuple[Expected, Tell | None]:
    """What the model says of ``frame`` where the cycle begins, in the world of the finding."""
    place = cycle.journey.hops[0].place
    (journey, *_) = trace(case.model, place, frame, world=cycle.journey.world)
    end = journey.end("cycle")
    if end is not None:
        found = rounds(case.model, journey, end)
        told = found.told
        return Expected(None if found.endless else found.frames, _teller(told)), told
    came_in = [hop for hop in journey.hops if hop.place.way == "in"]
    said = next((t.message for t in journey.told), None)
    return Expected(len(came_in), _teller(said)), said


def _teller(told: Tell | None) -> str | None:
    packet = told.frame.payload if told else None
    return str(packet.src) if isinstance(packet, Ipv4 | Ipv6) else None


def _scene(
    name: str,
    message: str,
    frame: Frame,
    expected: tuple[Expected, Tell | None],
    hosts: Sequence[Host],
    before: tuple[Step, ...] = (),
) -> Scene:
    says, told = expected
    also = ((f"{message} told", encode(told.frame)),) if told else ()
    send = Send(message, CLIENT, encode(frame))
    return Scene(
        name,
        (send,),
        before=before,
        afterwards=tuple(cutting(hosts)),
        settle=_SETTLE if says.frames is not None else _STORM_SECONDS,
        routed=True,
        also=also,
    )


def _other(frame: Frame) -> Frame:
    """Another connection: IPVS keeps what it has decided for the first one.

    It carries something else too, so that what is left of the first is not taken for it.
    """
    packet = frame.payload
    if not isinstance(packet, Ipv4 | Ipv6):
        return frame
    match packet.payload:
        case Udp() as datagram:
            message: Udp | Tcp = replace(
                datagram,
                sport=datagram.sport + 1,
                payload=Raw(b"again"),
                length=None,
                checksum=None,
            )
        case Tcp() as segment:
            message = replace(segment, sport=segment.sport + 1, seq=segment.seq + 1, checksum=None)
        case _:
            return frame
    plain = {"checksum": None, "length": None} if isinstance(packet, Ipv4) else {"length": None}
    return replace(frame, payload=replace(packet, payload=message, **plain))


def _steps(fix: Fix, hosts: Sequence[Host]) -> Iterator[Step]:
    """The remedy's own commands, where its host is rebuilt."""
    host = next((h for h in hosts if h.nic.host == fix.host), None)
    if host is None:
        raise Refused(f"{fix.name} is for {named(fix.host)}, which is not of the ring")
    for command in fix.commands:
        words = shlex.split(command)
        if words[:2] == ["ip", "netns"]:
            words = words[4:]
        match words:
            case ["ipvsadm", *rest]:
                yield Step(host.space, "ipvsadm", " ".join(rest), fix.name)
            case ["sysctl", "-w", setting]:
                key, _, value = setting.partition("=")
                yield Step(host.space, "sysctl", f"{key.replace('.', '/')}={value}", fix.name)
            case _:
                raise Refused(f"{fix.name} cannot be played here: {command}")


def _old_ttl(old: Sequence[Host], ring: Directed) -> Iterator[Step]:
    """Kernels before 4.10 are not to be had: a rule puts back what IPVS now takes."""
    for host in old:
        nic = host.nic.name
        yield Step(host.space, "tc", f"qdisc add dev {nic} {SHAPER}", "the storm is slow")
        table = ring.back.service.key
        rule = f"-t mangle -A PREROUTING -i {nic} -d {table[2]} -j TTL --ttl-set 64"
        if table[1] == 4 and table[2]:
            yield Step(host.space, "iptables", rule, "IPVS before 4.10 leaves the TTL as it is")


def _notes(case: Case, hosts: Sequence[Host], old: Sequence[Host]) -> Iterator[str]:
    yield "the client and the hosts of the ring are on one segment, and know each other's MACs"
    if old:
        names = " and ".join(named(host.nic.host) for host in old)
        yield (
            f"{names}: the old kernel is not to be had. Its effect, a TTL that stays as it is, is"
            " made by a rule (iptables, TTL --ttl-set), and the links are slow"
        )
    for host in hosts:
        if case.network.release(host.nic.host) is None:
            yield f"{named(host.nic.host)}: no listing tells the kernel; today's IPVS is taken"


def _gaps(hosts: Sequence[Host]) -> Iterator[str]:
    for host in hosts:
        there = named(host.nic.host)
        if any(r.netns == host.nic.netns for r in host.snapshot.filter_rules.rows):
            yield f"{there}: packet filters"
        if any(r.netns == host.nic.netns for r in host.snapshot.tunnels.rows):
            yield f"{there}: tunnel devices"
        if any(
            r.netns == host.nic.netns
            for r in host.snapshot.rules.rows
            if r.priority not in (0, 32766, 32767)
        ):
            yield f"{there}: routing policy rules"
