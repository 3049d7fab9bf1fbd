"""The guest's own duplicate detection: a kernel's stack takes the guest's addresses in the lab.

What is asked of the guest is what decides whether it takes its own probe for another's: whether it
carries a nonce (RFC 7527), and how often it asks. Its timers are made short.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Place, Send
from hopback.datapath.model import Model
from hopback.datapath.nd import dad
from hopback.datapath.nd.effects import HostEffect, applied
from hopback.datapath.nd.receive import receive
from hopback.datapath.nd.state import NONE, Interface, Own, Settings
from hopback.datapath.nd.tables import interface_of
from hopback.datapath.path import nic_of
from hopback.engines.trace import Trace, trace
from hopback.frames.build import link_local
from hopback.frames.ethernet import Frame
from hopback.lab.devices import GUEST, GUEST_DEVICE
from hopback.lab.observed import AddressPhase
from hopback.lab.predict import Labels, Passing, dropped_by
from hopback.lab.steps import Detect, Scene, Step
from hopback.network.addresses import addresses_of
from hopback.network.model import Station

DETECTION = "duplicate detection"
FIXED_DETECTION = "duplicate detection, fixed"

_ADDRESSES_MAX = 4
_PROBES_MAX = 3  # any more show nothing new
_RETRANS_MS = 100
_NONCE = bytes(6)  # any will do: here nobody else has one
_SETTLE = 0.05

Nonce = Literal["on", "off"]


class Guest(Struct, frozen=True):
    """How the guest detects duplicates, and for which addresses; ``why`` it is said to do so."""

    interface: Interface
    addresses: tuple[IPv6Address, ...]
    why: str

    @property
    def nonce(self) -> bool:
        """Whether its probes carry a nonce."""
        return bool(self.interface.settings.enhanced)


class Detection(Struct, frozen=True):
    """What becomes of one address.

    ``returned``: the guest hears its own probe, which takes ``path``. ``heard``: anybody but the
    guest gets it, or there is none; if nobody does, that the address is taken as free means
    nothing. ``sure`` is False where the model is blind. ``filter`` is the rule that keeps the probe
    from the guest.
    """

    message: str
    address: IPv6Address
    phase: AddressPhase
    returned: bool
    heard: bool
    path: tuple[Passing, ...] = ()
    sure: bool = True
    filter: str = ""

    @property
    def vacuous(self) -> bool:
        """Whether the address is taken as free although nobody was asked."""
        return self.phase == "preferred" and not self.heard


def guest_of(model: Model, station: Station, nonce: Nonce | None) -> Guest:
    """The station as its host shows it; ``nonce`` says what nothing shows."""
    inside = station.device
    if inside is not None:
        interface = interface_of(model.network.snapshots[inside.host], inside)
    else:
        interface = Interface(nic_of(station), station.mac, Settings(enhanced=None))
    known = interface.settings.enhanced
    if nonce is not None:
        known, why = nonce == "on", "as you said"
    elif known is not None:
        why = "as recorded"
    else:
        known, why = False, "nothing recorded tells"
    settings = replace(
        interface.settings,
        enhanced=known,
        transmits=min(interface.settings.transmits, _PROBES_MAX),
        accept_ra=0,
        delay=0,
        gen_mode=NONE,
        notify=False,
        optimistic=False,
        disabled=False,
    )
    told = [a for a in addresses_of(model.network, station) if isinstance(a, IPv6Address)]
    local = [a for a in told if a.is_link_local] or [link_local(station.mac)]
    others = [a for a in told if not a.is_link_local]
    return Guest(
        replace(interface, mac=station.mac, settings=settings, addresses={}),
        tuple((local + others)[:_ADDRESSES_MAX]),
        why,
    )


def message_for(address: IPv6Address) -> str:
    """What the probes for an address are called."""
    return f"DAD {address}"


def foretold(model: Model, station: Station, guest: Guest, labels: Labels) -> tuple[Detection, ...]:
    """What the model says of each address."""
    return tuple(_detection(model, station, guest, a, labels) for a in guest.addresses)


def _detection(
    model: Model,
    station: Station,
    guest: Guest,
    address: IPv6Address,
    labels: Labels,
) -> Detection:
    stack = _Stack(guest.interface)
    probes = stack.take(dad.begin(guest.interface, {}, Own(address), _NONCE))
    journeys: list[Trace] = []
    for _ in range(_PROBES_MAX + 1):
        probes = stack.take(dad.work(stack.interface, address))
        for probe in probes:
            origin, nic = Place(station.port, "in"), nic_of(station)
            journey = trace(model, origin, probe.frame, sender=nic)[0]
            journeys.append(journey)
            for end in journey.ends:
                if end.fate == "returned":
                    stack.hear(journey.hops[end.hop].frame)
    back = next((j for j in journeys if j.end("returned")), None)
    return Detection(
        message=message_for(address),
        address=address,
        phase=stack.phase(address),
        returned=back is not None,
        heard=not journeys or any(j.end("delivered", "ignored", "left") for j in journeys),
        path=tuple(_path(back, labels)) if back else (),
        sure=not any(journey.end("blind") for journey in journeys),
        filter=next((r for j in journeys if (r := dropped_by(model, j, station.port))), ""),
    )


class _Stack:
    """The guest's stack, to which one thing after the other happens."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface

    def take(self, effects: tuple[HostEffect, ...]) -> list[Send]:
        """Let effects have their way; the frames that are sent."""
        for effect in effects:
            self.interface = applied(self.interface, effect)
        return [effect for effect in effects if isinstance(effect, Send)]

    def hear(self, frame: Frame) -> None:
        """A frame that came up on the guest's device."""
        self.take(receive(self.interface, {}, frame, "multicast"))

    def phase(self, address: IPv6Address) -> AddressPhase:
        own = self.interface.addresses.get(address)
        if own is None:
            return "gone"
        return "dadfailed" if own.failed else "tentative" if own.tentative else "preferred"


def _path(journey: Trace, labels: Labels) -> Iterator[Passing]:
    back = journey.end("returned")
    for hop in journey.path(back.hop if back else None):
        passing = labels.place(hop.place, hop.why)
        if passing is not None:
            yield passing
    yield Passing(labels.guest, "in", "received")


def scene(name: str, guest: Guest, at: str, before: tuple[Step, ...]) -> Scene:
    """The guest at spot ``at`` gets its addresses, one after the other, and loses them again."""
    detects = tuple(Detect(message_for(a), at, str(a)) for a in guest.addresses)
    return Scene(
        name,
        (),
        (*before, *_settings(guest.interface.settings)),
        (Step(GUEST, "sysctl", f"{_OWN}/disable_ipv6=1", "its addresses are gone"),),
        settle=_SETTLE,
        detects=detects,
    )


_OWN = f"net/ipv6/conf/{GUEST_DEVICE}"


def _settings(settings: Settings) -> Iterator[Step]:
    """Those of ``all`` do nothing by themselves, so that the device's own alone decide."""
    nonce = int(bool(settings.enhanced))
    told = {
        "net/ipv6/conf/all/accept_dad": 0,
        "net/ipv6/conf/all/enhanced_dad": nonce,
        f"{_OWN}/enhanced_dad": nonce,
        f"{_OWN}/accept_dad": settings.accept_dad,
        f"{_OWN}/dad_transmits": settings.transmits,
        f"{_OWN}/router_solicitation_delay": 0,
        f"{_OWN}/router_solicitations": 0,
        f"{_OWN}/accept_ra": 0,
        f"{_OWN}/addr_gen_mode": NONE,
        f"net/ipv6/neigh/{GUEST_DEVICE}/retrans_time_ms": _RETRANS_MS,
        f"{_OWN}/disable_ipv6": 0,
    }
    for key, value in told.items():
        yield Step(GUEST, "sysctl", f"{key}={value}", _WHY.get(key.rpartition("/")[2], ""))


_WHY = {
    "enhanced_dad": "whether its probes carry a nonce (RFC 7527)",
    "retrans_time_ms": "so that nobody waits",
    "addr_gen_mode": "it gets its addresses from us",
    "disable_ipv6": "its stack speaks from here on",
}
