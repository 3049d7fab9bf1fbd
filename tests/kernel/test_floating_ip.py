"""A guest and its own floating IP, another guest and it: what the model says, and what happens.

In every variant of bridge-nf-call-iptables, hairpin, ip_forward and SNAT of the guest to itself.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import product

import pytest

from hopback.engines.flow import Flow, FlowEnd, follow
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from tests.kernel.floating_ip import (
    BRIDGE_MAC,
    FIXED,
    FLOATING,
    GUEST_MAC,
    OTHER_MAC,
    PORT,
    FloatingIp,
    Variant,
    floating_ip,
)
from tests.kernel.router_rig import router_refusal

pytestmark = [
    pytest.mark.kernel("iptables", "iptables-save", "iptables-restore"),
    pytest.mark.skipif(router_refusal() is not None, reason=str(router_refusal())),
]

VARIANTS = [Variant(*flags) for flags in product((False, True), repeat=4)]


@pytest.fixture(scope="module")
def built() -> Iterator[FloatingIp]:
    with floating_ip() as network:
        yield network


def to_itself(variant: Variant) -> FlowEnd:
    reaches = not variant.call or variant.hairpin
    return "answered" if variant.forward and variant.snat and reaches else "request-lost"


def to_another(variant: Variant) -> FlowEnd:
    if not variant.forward:
        return "request-lost"
    return "answered" if variant.call else "another-address"


def followed(network: FloatingIp, mac: int, port: int | None = None) -> Flow:
    model = network.model()
    (station,) = [s for s in model.network.stations if s.mac == mac]
    flow = follow(model, station, IPv4Address(FLOATING), port=port)
    assert flow is not None
    assert flow.world == {}, "the tables leave nothing open"
    return flow


def alike(frame: Frame | None) -> tuple[int, int, int, str, str] | None:
    """What of the request NAT, bridging and routing decide."""
    if frame is None:
        return None
    packet = frame.payload
    assert isinstance(packet, Ipv4)
    return frame.src, frame.dst, packet.ttl, str(packet.src), str(packet.dst)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize(("role", "mac"), [("vm", GUEST_MAC), ("vm2", OTHER_MAC)])
def test_every_variant(built: FloatingIp, variant: Variant, role: str, mac: int) -> None:
    built.set(variant)
    answered, request = built.ping(role)
    flow = followed(built, mac)
    assert flow.end == (to_itself if role == "vm" else to_another)(variant)
    answers = {"answered": FLOATING, "another-address": FIXED}
    assert answered == answers.get(flow.end)
    assert str(flow.answered_by) == str(answered)
    arrived = flow.request.arrived if flow.request else None
    if arrived is not None:
        assert alike(arrived.frame) == alike(request)
    connected = followed(built, mac, PORT)
    assert built.connect(role) == (connected.end == "answered")


def test_bridged_it_comes_as_if_from_itself_and_routed_from_the_bridge(built: FloatingIp) -> None:
    for call, source, ttl in ((True, GUEST_MAC, 64), (False, BRIDGE_MAC, 63)):
        built.set(Variant(call, hairpin=True))
        _, request = built.ping("vm")
        assert alike(request) == (source, GUEST_MAC, ttl, FLOATING, FIXED)


def test_a_loss_names_its_rule(built: FloatingIp) -> None:
    rules = {
        Variant(call=True, hairpin=False): "same-port",
        Variant(call=False, hairpin=False, forward=False): "ip-forwarding-off",
        Variant(call=True, hairpin=True, snat=False): "ip-martian",
    }
    for variant, rule in rules.items():
        built.set(variant)
        lost = followed(built, GUEST_MAC).lost
        assert lost is not None
        assert lost.why.rule == rule
        assert lost.why.refs
