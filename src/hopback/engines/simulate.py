"""Lets virtual time run: stations come up, frames follow one another, bridges learn and forget.

Every frame goes the way that ``datapath.path.step`` has it go, a microsecond for each step; this is
the engine that applies what it teaches. The same model, story and seed give the same log, byte for
byte.
"""

from collections.abc import Iterator, Mapping
from random import Random

from msgspec import Struct

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Learn,
    Leave,
    Log,
    Place,
    Question,
    Send,
    Snoop,
    Why,
    World,
)
from hopback.datapath.model import Model
from hopback.datapath.nd.state import Own
from hopback.datapath.path import entrance, nic_of, outlet, step
from hopback.datapath.skb import FRESH, Skb
from hopback.engines.actors import Actors, Asked, Due, Formed, Leaving
from hopback.engines.ageing import Slot, Tables
from hopback.engines.dhcp import message_frame, server_place
from hopback.engines.lease import ANSWERS, JITTER, SECOND, Client, again, heard, message_in
from hopback.engines.timeline import Ended, Entry, Kind, Timeline
from hopback.engines.trace import MAX_QUESTIONS
from hopback.frames.build import router_advertisement
from hopback.frames.describe import describe
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac, format_mac
from hopback.frames.nd import Prefix, Rs
from hopback.network.facts import DevId
from hopback.network.model import Station

MAX_EVENTS = 20_000
UNTIL = 20 * SECOND

_HOP = 1_000  # ns from one place to the next: any number, but more than none
_THINKING = SECOND // 1000  # a server's
_RA_DELAY = SECOND // 2  # MAX_RA_DELAY_TIME (RFC 4861 6.2.6)


class Up(Struct, frozen=True):
    """The station's interface comes up, with the permanent addresses that the tables show."""

    station: Station
    at: int = 0


class Assign(Struct, frozen=True):
    """``own`` is put on the station's interface (``ip address add``)."""

    station: Station
    own: Own
    at: int = 0


class Say(Struct, frozen=True):
    """A frame enters at ``place``, whoever sent it."""

    place: Place
    frame: Frame
    at: int = 0


class Lease(Struct, frozen=True):
    """The station asks for an IPv4 address; ``server`` is where somebody answers."""

    station: Station
    at: int = 0
    server: Place | None = None


class Router(Struct, frozen=True):
    """Who advertises ``prefixes`` when asked: beyond an uplink (way in), or the host (way out)."""

    place: Place
    mac: Mac
    prefixes: tuple[Prefix, ...]


Act = Up | Assign | Say | Lease


class Story(Struct, frozen=True):
    """What is to happen by itself; the rest follows."""

    acts: tuple[Act, ...] = ()
    routers: tuple[Router, ...] = ()


class Run(Struct, frozen=True):
    """What happened in one world.

    ``addresses`` are the stations' IPv6 addresses at the end, ``entries`` those of the bridges'
    tables that are on another port than before (None: on none), ``leases`` how far each client got.
    """

    log: tuple[Entry, ...]
    ended: Ended
    addresses: Mapping[DevId, tuple[Own, ...]]
    entries: Mapping[Slot, tuple[DevId | None, DevId | None]]
    leases: Mapping[DevId, str]
    world: Mapping[Question, str]

    def text(self) -> str:
        """The log, a line for each entry."""
        return "".join(f"{entry.line()}\n" for entry in self.log)


def everybody_up(model: Model) -> Story:
    """All stations of the model come up at once."""
    return Story(tuple(Up(station) for station in model.network.stations))


def simulate(
    model: Model,
    story: Story,
    *,
    seed: int = 1,
    world: World | None = None,
    until: int = UNTIL,
    most: int = MAX_EVENTS,
) -> tuple[Run, ...]:
    """The runs of ``story`` for ``until`` ns and ``most`` events, the world of defaults first.

    A question that the tables leave open forks the run. Past MAX_QUESTIONS open questions, what
    asks is noted as blind.
    """
    return tuple(_worlds(model, story, (seed, until, most), dict(world or {}), 0))


def _worlds(
    model: Model,
    story: Story,
    bounds: tuple[int, int, int],
    world: dict[Question, str],
    asked: int,
) -> Iterator[Run]:
    run = _Simulation(model, story, bounds, world, may_ask=asked < MAX_QUESTIONS)
    try:
        found = run.go()
    except Asked as open_question:
        question = open_question.question
    else:
        yield found
        return
    others = [answer for answer in question.answers if answer != question.default]
    for answer in (question.default, *others):
        yield from _worlds(model, story, bounds, {**world, question: answer}, asked + 1)


class _Hop(Struct, frozen=True):
    place: Place
    frame: Frame
    skb: Skb = FRESH


class _Waited(Struct, frozen=True):
    """The DHCP client of that device has waited long enough, if it still waits in this round."""

    dev: DevId
    round: int


Event = _Hop | Act | Due | Formed | Leaving | Slot | _Waited


class _Simulation:
    """One world's run."""

    def __init__(
        self,
        model: Model,
        story: Story,
        bounds: tuple[int, int, int],
        world: dict[Question, str],
        *,
        may_ask: bool,
    ) -> None:
        seed, until, most = bounds
        self._story = story
        self._world = world
        self._may_ask = may_ask
        self._chance = Random(seed)
        self._time: Timeline[Event] = Timeline(until, most)
        self._tables = Tables(model)
        self._log: list[Entry] = []
        self._clients: dict[DevId, Client] = {}
        self._servers: dict[Mac, Place] = {}
        self._asking: dict[DevId, Place] = {}
        self._actors = Actors(self, model, world, self._chance)

    # What the actors need of the run

    def note(self, dev: DevId, kind: Kind, what: str, why: Why) -> None:
        """Enter something that happens now."""
        self._log.append(Entry(self._time.now, dev, kind, what, why))

    def plan(self, delay: int, event: Due | Formed | Leaving) -> None:
        """Let it happen in ``delay`` ns."""
        self._time.plan(delay, event)

    def ask(self, question: Question, dev: DevId) -> None:
        """Fork the run; past so many questions, note what cannot be told."""
        if self._may_ask:
            raise Asked(question)
        self.note(dev, "blind", question.text, Why("blind"))

    def send(self, dev: DevId, way: Place, frame: Frame, why: Why) -> None:
        """A station's frame begins its way at ``way``."""
        self.note(dev, "sent", describe(frame), why)
        self._time.plan(_HOP, _Hop(way, frame))

    # The run

    def go(self) -> Run:
        for left, slot in self._tables.old():
            self._time.plan(left, slot, idle=True)
        for act in self._story.acts:
            self._time.plan(act.at, act)
        while not isinstance(event := self._time.next(), str):
            self._happen(event)
        return Run(
            tuple(self._log),
            event,
            self._actors.addresses(),
            self._tables.changed(),
            {dev: client.state for dev, client in self._clients.items()},
            self._world,
        )

    def _happen(self, event: Event) -> None:
        match event:
            case _Hop(place=place, frame=frame, skb=skb):
                self._move(place, frame, skb)
            case Slot():
                self._age(event)
            case Up(station=station):
                self._actors.up(station)
            case Assign(station=station, own=own):
                self._actors.due(Formed(nic_of(station), own))
            case Say(place=place, frame=frame):
                self.send(place.dev, place, frame, Why("story"))
            case Lease(station=station):
                self._begin_lease(station, event.server)
            case _Waited(dev=dev, round=number):
                self._repeat(dev, number)
            case Due() | Formed() | Leaving():
                self._actors.due(event)

    def _age(self, slot: Slot) -> None:
        left = self._tables.expire(slot, self._time.now)
        if left:
            self._time.plan(left, slot, idle=True)
            return
        what = f"{format_mac(slot.key[0])} is forgotten"
        self.note(slot.bridge, "aged", what, Why("aged"))

    def _move(self, place: Place, frame: Frame, skb: Skb) -> None:
        """The one place where the datapath is asked."""
        self._tables.refresh(place, frame, self._time.now)
        for effect in step(self._tables.model, self._world, place, frame, skb):
            self._take(place, frame, effect)

    def _take(self, place: Place, frame: Frame, effect: Effect) -> None:
        match effect:
            case Send(dev=dev):
                self._time.plan(_HOP, _Hop(Place(dev, "out"), effect.frame, effect.skb))
                self.note(dev, "moved", f"out: {describe(effect.frame)}", effect.why)
            case Cross(dev=dev):
                self._time.plan(_HOP, _Hop(Place(dev, "in"), effect.frame, effect.skb))
                self.note(dev, "moved", f"in: {describe(effect.frame)}", effect.why)
            case Deliver(dev=dev):
                self._deliver(effect)
            case Leave(dev=dev, why=why):
                self.note(dev, "left", describe(frame), why)
                self._beyond(Place(dev, "in"), frame)
            case Learn():
                self._learn(effect)
            case Snoop(dev=dev, why=why):
                self._tables.snoop(effect)
                self.note(dev, "learned", f"{format_mac(effect.mac)} at {effect.remote}", why)
            case Log(text=text, why=why):
                self.note(place.dev, "log", text, why)
            case Drop(why=why, dev=dev):
                self.note(dev or place.dev, "lost", describe(frame), why)
            case Blind(what=what, refs=refs):
                self.note(place.dev, "blind", what, Why("blind", refs))
            case Ask(question=question):
                self.ask(question, place.dev)

    def _learn(self, learnt: Learn) -> None:
        slot = self._tables.learn(learnt, self._time.now)
        if slot is not None:
            self._time.plan(self._tables.ageing(slot.bridge), slot, idle=True)
        before = f", before on {learnt.before.name}" if learnt.before else ""
        what = f"{format_mac(learnt.mac)} on {learnt.port.name}{before}"
        self.note(learnt.bridge, "learned", what, learnt.why)

    def _deliver(self, effect: Deliver) -> None:
        if effect.packet_type == "otherhost":
            return
        self.note(effect.dev, "heard", describe(effect.frame), effect.why)
        self._actors.hear(effect.dev, effect.frame, effect.packet_type)
        self._hear_lease(effect.dev, effect.frame)
        self._beyond(Place(effect.dev, "out"), effect.frame)

    def _beyond(self, place: Place, frame: Frame) -> None:
        """Servers and routers hear what leaves by their uplink, or what their host gets."""
        message = message_in(frame)
        if message is not None and message[0] in ANSWERS:
            server = self._servers.get(message[1])
            if server is not None and self._is_at(server, place):
                self._answer(server, message_frame(ANSWERS[message[0]], message[1]), _THINKING)
        packet = frame.payload
        if isinstance(packet, Ipv6) and isinstance(packet.payload, Rs):
            for router in self._story.routers:
                if self._is_at(router.place, place):
                    told = router_advertisement(router.mac, router.prefixes)
                    self._answer(router.place, told, self._chance.randrange(_RA_DELAY))

    def _is_at(self, place: Place, here: Place) -> bool:
        model = self._tables.model
        return place.way == here.way and outlet(model, place.dev) == outlet(model, here.dev)

    def _answer(self, place: Place, frame: Frame, delay: int) -> None:
        if place.way == "in":
            place, frame = entrance(self._tables.model, place.dev, frame)
        self._time.plan(delay, _Hop(place, frame))
        self.note(place.dev, "sent", describe(frame), Why("story"))

    # DHCP

    def _begin_lease(self, station: Station, server: Place | None) -> None:
        nic = nic_of(station)
        self._servers[station.mac] = server or server_place(self._tables.model, station)
        self._asking[nic] = Place(station.port, "in")
        self._wait(nic, Client(station.mac))

    def _wait(self, dev: DevId, client: Client) -> None:
        """Say what the client has to say now, and wait for the answer."""
        self._clients[dev] = client
        if client.state == "bound":
            self.note(dev, "lease", "bound", Why("dhcp"))
            return
        self.send(dev, self._asking[dev], message_frame(client.asks, client.mac), Why("dhcp"))
        jitter = self._chance.randrange(2 * JITTER) - JITTER
        self._time.plan(client.wait + jitter, _Waited(dev, client.round))

    def _repeat(self, dev: DevId, number: int) -> None:
        client = self._clients[dev]
        if client.round == number and client.state != "bound":
            self._wait(dev, again(client))

    def _hear_lease(self, dev: DevId, frame: Frame) -> None:
        client, message = self._clients.get(dev), message_in(frame)
        if client is None or message is None or message[1] != client.mac:
            return
        answered = heard(client, message[0])
        if answered is not None:
            self._wait(dev, answered)
