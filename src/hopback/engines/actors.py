"""The stations of a simulation: their interfaces, and what they do when time has come."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from random import Random
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Log, Place, Question, Send, Why, World
from hopback.datapath.model import Model
from hopback.datapath.nd import arp, dad
from hopback.datapath.nd.arp import ArpInterface
from hopback.datapath.nd.effects import (
    Alter,
    Arm,
    Disable,
    Form,
    HostEffect,
    Later,
    applied,
)
from hopback.datapath.nd.receive import receive
from hopback.datapath.nd.state import Interface, Own, Settings
from hopback.datapath.nd.tables import arp_interface_of, interface_of
from hopback.datapath.path import nic_of
from hopback.datapath.skb import PacketType
from hopback.engines.timeline import Kind
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId
from hopback.network.model import Station

_INDIFFERENT = ("nd-not-heard", "nd-not-mine", "arp-not-mine", "arp-refused")
"""What every station on the segment does with what is not for it."""

_NONCE_BITS, _IDENTIFIER_BITS = 48, 64


class Asked(Exception):
    """The run cannot go on without an answer to ``question``."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.text)
        self.question = question


class Due(Struct, frozen=True):
    """A step of an address's duplicate detection; an old one finds another ``number``."""

    dev: DevId
    address: IPv6Address
    number: int


class Formed(Struct, frozen=True):
    """A station gets another address."""

    dev: DevId
    own: Own


class Leaving(Struct, frozen=True):
    """A frame that had to wait leaves the station."""

    dev: DevId
    frame: Frame
    why: Why


class Stage(Protocol):
    """What the stations need of the run that they are in."""

    def note(self, dev: DevId, kind: Kind, what: str, why: Why) -> None: ...

    def plan(self, delay: int, event: Due | Formed | Leaving) -> None: ...

    def ask(self, question: Question, dev: DevId) -> None: ...

    def send(self, dev: DevId, way: Place, frame: Frame, why: Why) -> None: ...


class Actors:
    """Stations behind bridge ports, and interfaces of the hosts whose addresses are listed.

    Of a station that no table shows from the inside nothing is known but its MAC: it is taken to
    be Linux, with the settings of a new interface, and asked about where its kernel matters.
    """

    def __init__(self, stage: Stage, model: Model, world: World, chance: Random) -> None:
        self._stage = stage
        self._world = world
        self._chance = chance
        self._ways: dict[DevId, Place] = {}
        self._interfaces: dict[DevId, Interface] = {}
        self._arps: dict[DevId, ArpInterface] = {}
        self._identifiers: dict[tuple[DevId, IPv6Address, int], int] = {}
        self._numbers: dict[tuple[DevId, IPv6Address], int] = {}
        for dev in _listed(model):
            snapshot = model.network.snapshots[dev.host]
            self._interfaces[dev] = interface_of(snapshot, dev)
            self._arps[dev] = arp_interface_of(snapshot, dev)
            self._ways[dev] = Place(dev, "out")
        for station in model.network.stations:
            nic, way = nic_of(station), Place(station.port, "in")
            if self._ways.setdefault(nic, way) not in (way, Place(nic, "out")):
                what = "two stations have this MAC: they are taken for one"
                stage.note(nic, "blind", what, Why("blind", station.refs))
            self._ways[nic] = way
            if nic not in self._interfaces:
                self._interfaces[nic] = _inside(model, station)

    def addresses(self) -> Mapping[DevId, tuple[Own, ...]]:
        """Every interface's addresses as they are now."""
        return {dev: tuple(i.addresses.values()) for dev, i in self._interfaces.items()}

    def up(self, station: Station) -> None:
        """Its permanent addresses begin anew; without a link-local one it forms its own."""
        nic = nic_of(station)
        interface = self._interfaces[nic]
        kept = [own for own in interface.addresses.values() if own.permanent]
        # From now on it has what it is given here, whatever a listing lacks.
        interface = replace(interface, addresses={}, known={}, listed=True)
        self._interfaces[nic] = interface
        if not any(own.address.is_link_local for own in kept):
            self._take(nic, dad.formed_at_up(interface))
        for own in kept:
            fresh = replace(own, failed=False, optimistic=False, retries=0)
            self._begin(nic, fresh)

    def hear(self, dev: DevId, frame: Frame, packet_type: PacketType) -> None:
        """A frame came up on the interface."""
        interface = self._interfaces.get(dev)
        if interface is not None:
            self._take(dev, receive(interface, self._world, frame, packet_type))
        answering = self._arps.get(dev)
        if answering is not None:
            self._take(dev, arp.receive(answering, frame, packet_type))

    def due(self, event: Due | Formed | Leaving) -> None:
        """Something that was planned happens now."""
        match event:
            case Due(dev=dev, address=address, number=number):
                if self._numbers[dev, address] == number:
                    self._take(dev, dad.work(self._interfaces[dev], address))
            case Formed(dev=dev, own=own):
                self._begin(dev, self._with_identifier(dev, own) if own.stable else own)
            case Leaving(dev=dev, frame=frame, why=why):
                self._stage.send(dev, self._ways[dev], frame, why)

    def _with_identifier(self, dev: DevId, own: Own) -> Own:
        """A stable address: what the kernel makes of its secret is as good as drawn, but once.

        The same prefix gives the same address again (``ipv6_generate_stable_address``).
        """
        key = (dev, own.network.network_address, own.retries)
        if key not in self._identifiers:
            self._identifiers[key] = self._chance.getrandbits(_IDENTIFIER_BITS) or 1
        return replace(own, address=own.network.network_address + self._identifiers[key])

    def _begin(self, dev: DevId, own: Own) -> None:
        interface = self._interfaces[dev]
        if own.address in interface.addresses:
            return
        nonce = (self._chance.getrandbits(_NONCE_BITS) or 1).to_bytes(_NONCE_BITS // 8, "big")
        self._take(dev, dad.begin(interface, self._world, own, nonce))

    def _take(self, dev: DevId, effects: Iterable[HostEffect]) -> None:
        for effect in effects:
            self._interfaces[dev] = applied(self._interfaces[dev], effect)
            self._do(dev, effect)

    def _do(self, dev: DevId, effect: HostEffect) -> None:
        match effect:
            case Send(frame=frame, why=why):
                self._stage.send(dev, self._ways[dev], frame, why)
            case Later(frame=frame, most=most, why=why):
                self._stage.plan(self._chance.randint(0, most), Leaving(dev, frame, why))
            case Arm(address=address, least=least, most=most):
                due = Due(dev, address, self._number(dev, address))
                self._stage.plan(self._chance.randint(least, most), due)
            case Form(own=own, delay=delay):
                self._stage.plan(delay, Formed(dev, own))
            case Alter(why=why):
                self._stage.note(dev, "address", _change(effect), why)
            case Disable(why=why):
                self._stage.note(dev, "address", "IPv6 is switched off", why)
            case Log(text=text, why=why):
                self._stage.note(dev, "log", text, why)
            case Ask(question=question):
                self._stage.ask(question, dev)
            case Blind(what=what, refs=refs):
                self._stage.note(dev, "blind", what, Why("blind", refs))
            case Drop(why=why) if why.rule not in _INDIFFERENT:
                self._stage.note(dev, "lost", "ignored", why)

    def _number(self, dev: DevId, address: IPv6Address) -> int:
        number = self._numbers.get((dev, address), 0) + 1
        self._numbers[dev, address] = number
        return number


def _inside(model: Model, station: Station) -> Interface:
    """A station without listed addresses; its settings, where a table shows its device."""
    if station.device is None:
        return Interface(nic_of(station), station.mac, Settings(enhanced=None))
    shown = interface_of(model.network.snapshots[station.device.host], station.device)
    return replace(shown, mac=station.mac)


def _change(effect: Alter) -> str:
    before = effect.before.phase if effect.before else "new"
    after = effect.after.phase if effect.after else "gone"
    if before == after:
        return f"{effect.address} is {after}, {effect.after.probes if effect.after else 0} to send"
    return f"{effect.address} is {after}, before {before}"


def _listed(model: Model) -> Iterable[DevId]:
    """The interfaces whose addresses some table lists and that IP runs on."""
    found: dict[DevId, None] = {}
    for host, snapshot in model.network.snapshots.items():
        for row in snapshot.addresses.rows:
            dev = DevId(host, row.netns, row.dev)
            if dev in model.network.devices and dev not in model.bridge_of and row.dev != "lo":
                found[dev] = None
    return found
