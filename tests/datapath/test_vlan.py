"""VLAN filtering, rule by rule: the readable form of what br_vlan.c does."""

from collections.abc import Sequence
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.state import BridgeState, FdbEntry, PortConfig, VlanGroup
from hopback.datapath.effects import Deliver, Drop, Effect, Learn, Send
from hopback.frames.ethernet import DOT1AD, Frame, Vlan
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.raw import Raw
from hopback.network.facts import DevId

HOST = DevId("", "", "br0")
TRUNK, ACCESS, OTHER = (DevId("", "", name) for name in ("trunk", "access", "other"))
ANN, BOB = Mac(0x0200_0000_00A1), Mac(0x0200_0000_00B0)


def group(*vids: int, untagged: Sequence[int] = (), pvid: int = 0) -> VlanGroup:
    return VlanGroup(MappingProxyType(dict.fromkeys(vids, "forwarding")), frozenset(untagged), pvid)


BRIDGE = BridgeState(
    HOST,
    {
        TRUNK: PortConfig(TRUNK, vlans=group(10, 20)),
        ACCESS: PortConfig(ACCESS, vlans=group(10, untagged=[10], pvid=10)),
        OTHER: PortConfig(OTHER, vlans=group(20, untagged=[20], pvid=20)),
    },
    {},
    mcast_snooping=False,
    vlan_filtering=True,
    vlans=group(10, untagged=[10], pvid=10),
)


def frame(*tags: Vlan, dst: Mac = BROADCAST, src: Mac = ANN) -> Frame:
    return Frame(dst, src, tags, 0x88B5, Raw(bytes(46)))


def sent(effects: Sequence[Effect]) -> dict[str, tuple[Vlan, ...]]:
    return {e.dev.name: e.frame.tags for e in effects if isinstance(e, Send)}


def dropped(effects: Sequence[Effect]) -> set[tuple[str, str | None]]:
    return {(e.why.rule, e.dev.name if e.dev else None) for e in effects if isinstance(e, Drop)}


def test_an_untagged_frame_is_of_the_pvid_and_leaves_a_trunk_with_its_tag() -> None:
    effects = receive(BRIDGE, {}, ACCESS, frame())
    assert sent(effects) == {"trunk": (Vlan(10),)}
    assert ("vlan-egress", "other") in dropped(effects)
    assert [e.vlan for e in effects if isinstance(e, Learn)] == [10]


def test_a_tag_comes_off_where_its_vlan_is_untagged() -> None:
    effects = receive(BRIDGE, {}, TRUNK, frame(Vlan(20)))
    assert sent(effects) == {"other": ()}
    assert ("vlan-local", "br0") in dropped(effects), "the host is in VLAN 10 alone"


def test_a_priority_tag_takes_the_pvid_and_keeps_its_priority() -> None:
    effects = receive(BRIDGE, {}, ACCESS, frame(Vlan(0, pcp=5)))
    assert sent(effects) == {"trunk": (Vlan(10, pcp=5),)}


@pytest.mark.parametrize(("port", "tags"), [(ACCESS, (Vlan(20),)), (TRUNK, ())])
def test_a_vlan_that_is_not_the_ports_stays_out(port: DevId, tags: tuple[Vlan, ...]) -> None:
    effects = receive(BRIDGE, {}, port, frame(*tags))
    assert dropped(effects) == {("vlan-ingress", None)}
    assert not sent(effects)


def test_a_tag_of_another_protocol_is_payload() -> None:
    effects = receive(BRIDGE, {}, ACCESS, frame(Vlan(20, tpid=DOT1AD)))
    assert sent(effects) == {"trunk": (Vlan(10), Vlan(20, tpid=DOT1AD))}


def test_the_table_is_kept_by_vlan() -> None:
    known = replace(BRIDGE, fdb={(BOB, 20): FdbEntry(OTHER)})
    assert sent(receive(known, {}, TRUNK, frame(Vlan(20), dst=BOB))) == {"other": ()}
    assert sent(receive(known, {}, TRUNK, frame(Vlan(10), dst=BOB))) == {"access": ()}


def test_the_host_sends_in_the_vlans_of_the_bridge_device() -> None:
    assert sent(transmit(BRIDGE, {}, frame())) == {"trunk": (Vlan(10),), "access": ()}
    assert dropped(transmit(BRIDGE, {}, frame(Vlan(20)))) == {("vlan-ingress", None)}


def test_the_host_gets_its_own_vlan_untagged() -> None:
    effects = receive(BRIDGE, {}, TRUNK, frame(Vlan(10)))
    assert [e.frame.tags for e in effects if isinstance(e, Deliver)] == [()]


@pytest.mark.parametrize(
    ("state", "rule"), [("learning", "learning-drop"), ("blocking", "vlan-ingress")]
)
def test_a_vlan_has_a_state_of_its_own(state: str, rule: str) -> None:
    waiting = replace(group(10, untagged=[10], pvid=10), vlans={10: state})
    ports = {**BRIDGE.ports, ACCESS: replace(BRIDGE.ports[ACCESS], vlans=waiting)}
    bridge = replace(BRIDGE, ports=ports)
    effects = receive(bridge, {}, ACCESS, frame())
    assert rule in {name for name, _ in dropped(effects)}
    assert any(isinstance(e, Learn) for e in effects) == (state == "learning")
    assert ("vlan-egress", "access") in dropped(receive(bridge, {}, TRUNK, frame(Vlan(10))))


@pytest.mark.parametrize(
    ("last", "forwarded"),
    [(0x00, True), (0x02, False), (0x08, False), (0x0B, True), (0x0E, False), (0x0F, True)],
)
def test_a_provider_bridge_forwards_what_its_customers_say_to_each_other(
    last: int, forwarded: bool
) -> None:
    """The groups of BR_GROUPFWD_8021AD, whatever group_fwd_mask says (br_input.c)."""
    provider = replace(BRIDGE, vlan_protocol=DOT1AD, stp=True)
    to_group = frame(dst=Mac(0x0180_C200_0000 + last))
    assert bool(sent(receive(provider, {}, ACCESS, to_group))) == forwarded
    plain = replace(provider, vlan_filtering=False)
    assert not sent(receive(plain, {}, ACCESS, to_group)), "it has to filter VLANs"
