"""What a router tells by ICMP against the running kernel, byte for byte."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest

from hopback.datapath.effects import Place, Tell
from hopback.datapath.path import step
from hopback.frames import ethernet, udp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.build import dev
from tests.fidelity.areas.icmp import AREA, comparable, tables_model
from tests.fidelity.report import told
from tests.fidelity.run import run
from tests.kernel.icmp_rig import GATEWAY, MACS, Setup, Teller
from tests.kernel.rig import wait_until
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 30


def test_random_packets_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules


_DATAGRAM = Udp(7, 9, Raw(bytes(40)))
_V4 = Ipv4(IPv4Address("10.0.0.9"), IPv4Address("10.1.0.9"), udp.PROTOCOL, _DATAGRAM)
_V6 = Ipv6(IPv6Address("2001:db8::9"), IPv6Address("2001:db8:1::9"), udp.PROTOCOL, _DATAGRAM)
_HASTY = tuple(
    (f"ipv{version}.neigh.e1.{name}", value)
    for version in (4, 6)
    for name, value in (("mcast_solicit", 1), ("retrans_time_ms", 20))
)
_ROUTER = Setup(
    lines=(
        "addr add 10.0.0.1/24 dev e0",
        "addr add 10.1.0.1/24 dev e1",
        "addr add 2001:db8::1/64 dev e0 nodad",
        "addr add 2001:db8:1::1/64 dev e1 nodad",
    ),
    settings=(("ipv4.ip_forward", 1), ("ipv6.conf.all.forwarding", 1), *_HASTY),
    neighbours=(("e0", str(_V4.src)), ("e0", str(_V6.src))),
)


@pytest.mark.parametrize("packet", [_V4, _V6], ids=["IPv4", "IPv6"])
def test_of_a_neighbour_that_does_not_answer_the_sender_hears_in_the_end(
    packet: Ipv4 | Ipv6,
) -> None:
    kind = ethernet.IPV4 if isinstance(packet, Ipv4) else ethernet.IPV6
    frame = Frame(MACS["e0"], GATEWAY, (), kind, packet)
    heard: list[bytes] = []

    def is_told() -> bool:
        heard.extend(filter(None, map(comparable, teller.heard("e0"))))
        return bool(heard)

    with Teller(_ROUTER) as teller:
        teller.play([("e0", encode(frame))])
        wait_until(is_told, "an answer")
        given = tables_model(_ROUTER, teller.listed())
    effects = step(given, {}, Place(dev("e0"), "in"), frame)
    (found,) = (effect for effect in effects if isinstance(effect, Tell))
    assert [comparable(encode(found.frame))] == heard
