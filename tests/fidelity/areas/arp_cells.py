"""The cells of ARP: every setting, who asks, for whose address; and the model's answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from random import Random
from typing import cast

from hopback.datapath.effects import Deliver, Effect, Learn, Send
from hopback.datapath.nd.arp import ArpInterface, Local, Scope, Way, receive
from hopback.datapath.nd.settings import Told, arp_settings_of
from hopback.datapath.skb import PacketType
from hopback.frames import arp
from hopback.frames.codec import encode
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Result
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.arp_rig import (
    ADDRESSES,
    EVERYBODY,
    OWN,
    PROXIED,
    ROUTES,
    TAPS,
    Question,
    Settings,
    frame_of,
    tap_mac,
)

_FRAMES = 60
_SENDERS = (
    *("0.0.0.0", "10.0.0.50", "10.0.1.50", "10.0.0.1", "10.0.1.1", "192.0.2.9", "192.0.2.77"),
    *("198.51.100.7", "203.0.113.5", "224.0.0.1", "127.0.0.1", "0.0.0.7", "255.255.255.255"),
)
_TARGETS = (
    *("10.0.0.1", "10.0.0.9", "10.0.1.1", "10.0.0.77", "169.254.7.7", "192.0.2.9", "192.0.2.8"),
    *("10.0.0.60", "10.0.1.60", "198.51.100.7", "198.51.100.8", "203.0.113.5", "203.0.113.200"),
    *("10.0.0.200", "10.0.0.255", "192.0.2.77", "224.0.0.1", "127.0.0.1", "255.255.255.255"),
)


@dataclass(frozen=True)
class ArpCase:
    """Settings of ``all`` and of every tap, and questions."""

    everybody: Settings = ()
    own: Settings = ()
    questions: tuple[Question, ...] = ()

    @property
    def frames(self) -> tuple[Question, ...]:
        return self.questions


def every_cell() -> Iterator[ArpCase]:
    """Each arp_ignore and arp_filter, each proxy: any sender asks any tap for any address."""
    questions = [
        Question(tap, sender, target)
        for tap, sender, target in product(TAPS, _SENDERS[:9], _TARGETS[:16])
    ]
    settings = (
        *((("arp_ignore", i), ("arp_filter", f)) for i, f in product((0, 1, 2, 3, 4, 8), (0, 1))),
        *(
            (("forwarding", f), ("proxy_arp", p), ("proxy_arp_pvlan", v))
            for f, p, v in product((0, 1), repeat=3)
        ),
        *((("rp_filter", value),) for value in (1, 2)),
    )
    for own in settings:
        yield ArpCase((), own, tuple(questions))


RARE = tuple(
    ArpCase((), own, tuple(Question("la0", sender, target) for sender, target in asked))
    for own, asked in (
        ((("arp_filter", 1),), [("10.0.1.50", "10.0.0.1")]),
        ((("forwarding", 1), ("proxy_arp", 1)), [("10.0.0.50", "198.51.100.8")]),
        ((("forwarding", 1), ("proxy_arp_pvlan", 1)), [("10.0.0.50", "10.0.0.60")]),
        ((("forwarding", 1),), [("10.0.0.50", "198.51.100.7")]),
        ((("rp_filter", 1),), [("10.0.1.50", "10.0.0.1")]),
    )
)
"""What chance takes long to find."""

_RANDOM = {
    "arp_ignore": (0, 0, 1, 2, 3, 8),
    "arp_filter": (0, 0, 1),
    "proxy_arp": (0, 1),
    "proxy_arp_pvlan": (0, 1),
    "rp_filter": (0, 0, 1, 2),
    "accept_local": (0, 0, 1),
    "drop_gratuitous_arp": (0, 0, 1),
    "medium_id": (0, 0, 0, -1, 7),
    "forwarding": (0, 1),
}


def random_case(chance: Random) -> ArpCase:
    own = tuple((key, chance.choice(values)) for key, values in _RANDOM.items())
    # Its own address as the asker's: the way back is then the loopback device's.
    alone = dict(own)["accept_local"] == 0
    everybody = tuple(
        (key, chance.choice(_RANDOM[key]) if chance.random() < 0.3 else 0)
        for key in EVERYBODY
        if key in _RANDOM and (alone or key not in ("rp_filter", "arp_filter"))
    )
    if not alone:
        own = tuple((k, v) for k, v in own if k not in ("rp_filter", "arp_filter"))
    if dict(everybody).get("accept_local"):
        everybody = tuple((k, 0 if k in ("rp_filter", "arp_filter") else v) for k, v in everybody)
        own = tuple((k, v) for k, v in own if k not in ("rp_filter", "arp_filter"))
    return ArpCase(everybody, own, tuple(_question(chance) for _ in range(_FRAMES)))


def _question(chance: Random) -> Question:
    target = chance.choice(_TARGETS)
    return Question(
        chance.choice(TAPS),
        target if chance.random() < 0.1 else chance.choice(_SENDERS),
        target,
        chance.choice((arp.REQUEST,) * 8 + (arp.REPLY, 3)),
        chance.choice(("everybody", "everybody", "everybody", "tap", "stranger")),
    )


def smaller_case(case: ArpCase) -> Iterator[ArpCase]:
    for questions in fewer(case.questions):
        yield replace(case, questions=questions)
    for settings in fewer(case.everybody):
        yield replace(case, everybody=settings)
    for settings in fewer(case.own):
        yield replace(case, own=settings)
    for index, question in enumerate(case.questions):
        for plain in plainer(question):
            yield replace(case, questions=changed_at(case.questions, index, plain))


def predicted(case: ArpCase, mutation: Mutation) -> Prediction:
    """What the model makes of a case."""
    stations = {name: _interface(name, case) for name in TAPS}
    sent: dict[str, list[bytes]] = {}
    fired: set[str] = set()
    for question in case.questions:
        station, frame = stations[question.tap], frame_of(question)
        types: dict[str, PacketType] = {
            "everybody": "broadcast",
            "tap": "host",
            "stranger": "otherhost",
        }
        effects = cast("tuple[Effect, ...]", receive(station, frame, types[question.to]))
        fired.update(filter(None, map(rule_of, effects)))
        for effect in mutation(effects, Spot(station.dev, station.dev, frame)):
            if isinstance(effect, Send):
                sent.setdefault(effect.dev.name, []).append(encode(effect.frame))
            elif isinstance(effect, Deliver | Learn):
                sent.setdefault(question.tap, []).append(b"a mutant's answer")
    return Prediction(Result({n: tuple(f) for n, f in sent.items()}), frozenset(fired))


def _interface(name: str, case: ArpCase) -> ArpInterface:
    values = {f"all.{k}": v for k, v in {**EVERYBODY, **dict(case.everybody)}.items()}
    values |= {f"{name}.{k}": v for k, v in {**OWN, **dict(case.own)}.items()}
    told = {f"net.ipv4.conf.{key}": Told(value) for key, value in values.items()}
    told[f"net.ipv4.neigh.{name}.proxy_delay"] = Told(0)
    dev = DevId("", "", name)
    local = tuple(
        Local(IPv4Address(a), size, dev._replace(name=where), cast("Scope", scope))
        for where, a, size, scope in ADDRESSES
    )
    routes = [Way(IPv4Network(network), dev._replace(name=out)) for network, out, _ in ROUTES]
    onlink = [Way(mine.network, mine.dev) for mine in local if mine.prefix_len < 32]
    media = dict(case.own).get("medium_id", 0)
    return ArpInterface(
        dev,
        tap_mac(name),
        arp_settings_of(name, told.get),
        local,
        (*routes, *onlink),
        {IPv4Address(address): () for out, address in PROXIED if out == name},
        {dev._replace(name=other): media for other in TAPS},
    )
