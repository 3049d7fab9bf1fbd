"""One director: what IPVS makes of packets, and of the answers of its servers.

Which server a scheduler takes is a question that the model asks. Here the kernel answers it: of the
worlds that the model allows, the one is followed in which the very packets leave that left. Where
there is none, the model is wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from random import Random

from msgspec.structs import replace

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Place,
    Question,
    Send,
    Tell,
    World,
)
from hopback.datapath.ipvs.choose import is_choice, schedule, service_of, template_of
from hopback.datapath.ipvs.packet import ends_of
from hopback.datapath.ipvs.state import Chosen, Director, Known, Service
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.rules import RULES
from hopback.datapath.skb import Balanced
from hopback.frames import icmp, tcp, udp
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.tunnel import Inner
from hopback.frames.udp import Udp
from tests.build import dev, listing, model
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.ipvs_cases import (
    IpvsCase,
    lasting_case,
    loopback_case,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.kernel.ipvs_orders import DaemonState
from tests.kernel.ipvs_rig import MARKED, TAPS, IpvsRig, Outcome, Setup, ipvs_refusal

OWN = ("kvm1", "")
_HOPS_MAX = 8
_THREAD = "does a synchronisation thread of a backup run?"
"""Where none runs its listing is empty, and an empty listing tells nothing."""

_CONNECTIONS = ("IPVS connection entries", "pro expire state       source  virtual  destination")
_MADE = frozenset((icmp.PROTOCOL, icmp.PROTOCOL_V6, 4, 41))
"""Protocols of packets that the director makes: errors, and tunnels."""

_MODELS_MAX = 8
_LASTING = (0, 6)
"""Seeds of cases that need a director of their own each, which takes seconds."""
_SENT_ON = frozenset(
    f"ipvs-{end}"
    for end in (
        *("local", "route", "tunnel", "nat"),
        *("ttl", "too-big", "narrow", "no-route", "boundary"),
    )
)
"""Rules by which a packet goes to a server, or would have gone: the connection is made."""


class IpvsArea:
    """One namespace for all cases; what is unlike in them is services, settings and packets."""

    name = "ipvs"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "ipvs")
    enumerated: Sequence[IpvsCase] = (
        *(lasting_case(Random(seed)) for seed in _LASTING),
        loopback_case(Random("loopback")),
    )
    not_covered = (
        "which server a scheduler takes: any that the model allows will do",
        "SCTP, fragments, IP options, application helpers (FTP)",
        "connections that are synchronised from another director, and those that end",
    )

    def __init__(self) -> None:
        self._listed = ""
        self._asked: tuple[IpvsCase, Sequence[Outcome]] | None = None

    def refusal(self) -> str | None:
        return ipvs_refusal()

    def generate(self, chance: Random) -> IpvsCase:
        return random_case(chance)

    def smaller(self, case: IpvsCase) -> Iterator[IpvsCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[IpvsCase], Result]]:
        with ExitStack() as undo:
            rigs: dict[DaemonState | None, IpvsRig] = {}

            def run(case: IpvsCase) -> Result:
                if case.lasts:
                    with IpvsRig(case.daemon) as rig:
                        outcomes = self._played(rig, case)
                else:
                    if case.daemon not in rigs:
                        rigs[case.daemon] = undo.enter_context(IpvsRig(case.daemon))
                    outcomes = self._played(rigs[case.daemon], case)
                self._asked = case, outcomes
                return _result(outcomes)

            yield run

    def _played(self, rig: IpvsRig, case: IpvsCase) -> Sequence[Outcome]:
        self._listed = self._listed or rig.listed()  # the same of all
        rig.set(case.setup)
        first = rig.play(case.frames[: case.left])
        if case.left < len(case.frames):
            rig.leave(case.setup)
        return [_plain(outcome) for outcome in (*first, *rig.play(case.frames[case.left :]))]

    def model(self, case: IpvsCase, mutation: Mutation) -> Prediction:
        assert self._asked is not None
        assert self._asked[0] == case, "the kernel is asked first"
        given = _model(self._listed, case.setup, case.daemon)
        playback = _Playback(given, mutation, backup=case.daemon == "backup")
        outcomes = []
        for number, ((name, raw), seen) in enumerate(zip(case.frames, self._asked[1], strict=True)):
            if number == case.left:
                playback.leave()
            outcomes.append(playback.take(name, raw, seen))
        return Prediction(_result(outcomes), frozenset(playback.fired))


AREA = IpvsArea()


def _result(outcomes: Sequence[Outcome]) -> Result:
    """What each frame, by its number, led to."""
    left: dict[str, tuple[bytes, ...]] = {}
    taken: dict[str, tuple[Received, ...]] = {}
    for number, outcome in enumerate(outcomes):
        for name in dict(outcome.left):
            left[f"{number} {name}"] = tuple(raw for out, raw in outcome.left if out == name)
        if outcome.taken:
            taken[str(number)] = tuple(Received("host", raw) for raw in outcome.taken)
    return Result(left, taken)


def _plain(outcome: Outcome) -> Outcome:
    """Without what the host says by itself, or to packets that it took; and what is random."""
    left = [] if outcome.taken else [each for each in outcome.left if not each[1][0] & 1]
    return Outcome(tuple((name, _unnumbered(raw)) for name, raw in left), outcome.taken)


def _unnumbered(raw: bytes) -> bytes:
    """A packet that the host made itself without the number or the flow label that it got.

    ip_select_ident, ip6_make_flowlabel
    """
    frame = decode(raw)
    packet = frame.payload
    if isinstance(packet, Ipv4) and packet.protocol in _MADE:
        return encode(replace(frame, payload=replace(packet, ident=0, checksum=None)))
    if isinstance(packet, Ipv6) and packet.protocol in _MADE:
        return encode(replace(frame, payload=replace(packet, flow_label=0)))
    return raw


@lru_cache(maxsize=8)
def _model(listed: str, setup: Setup, daemon: DaemonState | None) -> Model:
    settings = [f"net.{key} = {value}" for key, value in setup.all_settings.items()]
    lines = [line for service in setup.services for line in service.lines()]
    threads = [f"{daemon} sync daemon (mcast=eth0, syncid=0)"] if daemon else []
    return model(
        listed
        + listing("sysctl", settings)
        + listing("ipvsadm -Sn", lines)
        + listing("ipvsadm -L --daemon", threads)
        + listing("ipvsadm -Lnc", _CONNECTIONS)
    )


class _Open(Exception):
    """The model asks what no table tells."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.text)
        self.question = question


class _Playback:
    """The director between two frames: as many models as the frames before leave possible."""

    def __init__(self, model: Model, mutation: Mutation, *, backup: bool) -> None:
        self._models = [model]
        self._mutation = mutation
        self._backup = "yes" if backup else "no"
        self.fired: set[str] = set()

    def take(self, name: str, raw: bytes, seen: Outcome) -> Outcome:
        """What a frame leads to, in the world in which it leads to what was ``seen`` if any."""
        ends = [(at, *end) for at in self._models for end in self._worlds(at, name, raw)]
        fitting = [end for end in ends if end[2] == seen] or ends[:1]
        self.fired |= fitting[0][3]
        self._models = [
            _after(at, world, decode(raw)) if fired & _SENT_ON else at
            for at, world, _, fired in fitting[:_MODELS_MAX]
        ]
        return fitting[0][2]

    def leave(self) -> None:
        """All servers are taken out; the connections stay, unless they expire with them."""
        self._models = [_without_servers(at) for at in self._models]

    def _worlds(
        self, model: Model, name: str, raw: bytes
    ) -> Iterator[tuple[World, Outcome, set[str]]]:
        todo: list[World] = [{}]
        while todo:
            world = todo.pop()
            way = _Way(model, world, self._mutation)
            try:
                way.go(Place(dev(name), "in"), decode(raw), _HOPS_MAX)
            except _Open as asked:
                question = asked.question
                answers = [self._backup] if question.text == _THREAD else question.answers
                todo += [{**world, question: answer} for answer in reversed(answers)]
            else:
                yield world, _plain(Outcome(tuple(way.left), tuple(way.taken))), way.fired


class _Way:
    """One frame's way in one world."""

    def __init__(self, model: Model, world: World, mutation: Mutation) -> None:
        self._model, self._world, self._mutation = model, world, mutation
        self.left: list[tuple[str, bytes]] = []
        self.taken: list[bytes] = []
        self.fired: set[str] = set()

    def go(self, place: Place, frame: Frame, hops: int) -> None:
        assert hops, f"the model goes round in circles at {place.dev.name}"
        if place.way == "out" and place.dev.name in TAPS:
            self.left.append((place.dev.name, encode(frame)))
            return
        effects = step(self._model, self._world, place, frame)
        self.fired.update(filter(None, map(rule_of, effects)))
        for effect in self._mutation(effects, Spot(place.dev, None, frame)):
            self._follow(effect, hops - 1)

    def _follow(self, effect: Effect, hops: int) -> None:
        match effect:
            case Send(dev=out, frame=frame) | Tell(dev=out, frame=frame):
                self.go(Place(out, "out"), frame, hops)
            case Cross(dev=far, frame=frame):
                self.go(Place(far, "in"), frame, hops)
            case Deliver(frame=frame) if _is_heard(frame):
                self.taken.append(_payload(frame))
            case Deliver():
                pass
            case Drop():
                pass
            case Ask(question=question) if is_choice(question) or question.text == _THREAD:
                raise _Open(question)
            case Ask() | Blind():
                raise AssertionError(f"the model leaves it open: {effect}")


def _is_heard(frame: Frame) -> bool:
    """Whether the rig listens to such packets."""
    packet = frame.payload
    return isinstance(packet, Ipv4 | Ipv6) and packet.protocol in (tcp.PROTOCOL, udp.PROTOCOL)


def _payload(frame: Frame) -> bytes:
    packet = frame.payload
    header = 40 if isinstance(packet, Ipv6) else 20
    return encode(frame)[14 + header :]


def _after(model: Model, world: World, frame: Frame) -> Model:
    """The model with the connection that this packet has begun."""
    director = _knowing(model.directors[OWN], world, frame)
    return replace(model, directors={**model.directors, OWN: director})


def _without_servers(model: Model) -> Model:
    director = model.directors[OWN]
    services = {key: replace(service, servers=()) for key, service in director.by_virtual.items()}
    director = replace(director, by_virtual=services, behind={})
    if director.setting("expire_nodest_conn").value:
        director = replace(director, connections={}, answers={}, templates={})
    return replace(model, directors={**model.directors, OWN: director})


def _knowing(director: Director, world: World, frame: Frame) -> Director:
    packet = frame.payload
    if isinstance(packet, Ipv4) and isinstance(packet.payload, Inner):
        packet = packet.payload.packet
    assert isinstance(packet, Ipv4 | Ipv6)
    at = ends_of(packet)
    if at is None or at in director.connections:
        return director
    mark = MARKED.get(at.target_port, 0) if isinstance(packet.payload, Udp) else 0
    service = service_of(director, world, at, mark)
    chosen = schedule(director, world, service, at) if isinstance(service, Service) else None
    if not isinstance(service, Service) or not isinstance(chosen, Chosen):
        return director
    if service.client is not None:
        known = Known(chosen.address, chosen.port)
        templates = {**director.templates, template_of(service, at): known}
        director = replace(director, templates=templates)
    if "ops" in service.flags and isinstance(packet.payload, Udp):
        return director  # one packet, and the connection is over
    translated = chosen.method == "masq"
    return director.knowing(Balanced(at, chosen.address, chosen.port, translated))
