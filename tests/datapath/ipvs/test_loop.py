"""Two directors that are each other's only server, as recorded with Linux 6.1 and 6.12.

One datagram made 64 transmissions: the client's, and 63 of the directors.
"""

from typing import Any

import pytest

from hopback.datapath.effects import Cross, Drop, Effect, Leave, Place, Send
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH
from hopback.engines.trace import trace
from hopback.frames.ethernet import Frame
from hopback.snapshot.rows import IpvsService, Row
from tests.build import dev, listing
from tests.datapath.ipvs.given import (
    OWN,
    OWN6,
    VIP6,
    datagram,
    given,
    host,
    segment,
    server,
    service,
)

_LIMIT = 500


def pair(
    *services: IpvsService, more: str = "", rows: tuple[Row, ...] = (), **fields: Any
) -> Model:
    """The directors ``a`` and ``b``, each other's only server."""
    text = host("a", more=more) + host("b", more=more.replace("a#", "b#"))
    tables = {}
    for own, other in (("a", "b"), ("b", "a")):
        there = (OWN6 if services[0].family == 6 else OWN)[other]
        servers = tuple(server(there, of=of, **fields) for of in services)
        tables[own] = (*services, *servers, *rows)
    return given(text, tables)


def followed(model: Model, frame: Frame) -> tuple[int, Effect]:
    """How often the frame is on the wire, and how its journey ends."""
    place, skb, times = Place(dev("eth0", "a"), "in"), FRESH, 1
    while times < _LIMIT:
        effect = step(model, {}, place, frame, skb)[-1]
        if isinstance(effect, Send):
            place, frame, skb = Place(effect.dev, "out"), effect.frame, effect.skb
        elif isinstance(effect, Cross):
            times += effect.dev.host != place.dev.host
            place, frame, skb = Place(effect.dev, "in"), effect.frame, effect.skb
        else:
            return times, effect
    return times, effect


CASES = {
    "udp": (service(), datagram()),
    "tcp": (service("tcp", port=80), segment()),
    "udp over IPv6": (service(address=VIP6), datagram(VIP6)),
}


@pytest.mark.parametrize("case", CASES)
def test_one_packet_is_sixty_four_times_on_the_wire(case: str) -> None:
    of, frame = CASES[case]
    times, end = followed(pair(of), frame)
    assert times == 64
    assert isinstance(end, Drop)
    assert end.why.rule == "ipvs-ttl"


def test_before_4_10_it_never_ends() -> None:
    old = pair(service(), more=listing("uname -r", ["4.9.79"], "a"))
    assert followed(old, datagram())[0] == _LIMIT


def test_the_trace_sees_a_cycle() -> None:
    (found,) = trace(pair(service()), Place(dev("eth0", "a"), "in"), datagram())
    assert [end.fate for end in found.ends] == ["cycle"]


def test_by_nat_it_ends_at_the_other_directors_own_address() -> None:
    times, end = followed(pair(service(), method="masq"), datagram())
    assert times == 2
    assert not isinstance(end, Drop | Leave)
