"""Each rule of a bridge in its simplest case: what the model says, for people to read.

That the kernel agrees is the matter of tests/kernel/test_bridge_model.py.
"""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import BridgeState, FdbEntry, PortConfig
from hopback.datapath.effects import Deliver, Drop, Effect, Learn, Log, Send
from hopback.datapath.rules import RULES
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, ZERO, Mac, parse_mac
from hopback.frames.raw import Raw
from hopback.network.facts import DevId

HOST = DevId("", "", "br0")
P1, P2, P3 = (DevId("", "", f"p{i}") for i in (1, 2, 3))
ANN, BOB, EVE = Mac(0x0200_0000_00A1), Mac(0x0200_0000_00B0), Mac(0x0200_0000_00EE)
PORT_MAC = Mac(0x0200_0000_0F01)
BRIDGE_MAC = Mac(0x0200_0000_0FBB)
GROUP = parse_mac("01:00:5e:00:00:05")
LLDP, LACP, PAUSE, STP_GROUP = (
    parse_mac(f"01:80:c2:00:00:{last}") for last in ("0e", "02", "01", "00")
)


def bridge(*, p1: Any = None, p2: Any = None, p3: Any = None, **settings: Any) -> BridgeState:
    """Three ports; ANN is known on p1 and BOB on p2."""
    ports = {
        id_: PortConfig(id_, mac=PORT_MAC if id_ == P1 else None, **(flags or {}))
        for id_, flags in ((P1, p1), (P2, p2), (P3, p3))
    }
    fdb = {
        (ANN, 0): FdbEntry(P1),
        (BOB, 0): FdbEntry(P2),
        (PORT_MAC, 0): FdbEntry(P1, local=True),
        (BRIDGE_MAC, 0): FdbEntry(None, local=True),
    }
    usual = {"mac": BRIDGE_MAC, "mcast_snooping": False}
    return BridgeState(HOST, ports, fdb, **{**usual, **settings})


def frame(dst: Mac, src: Mac = ANN) -> Frame:
    return Frame(dst, src, (), 0x88B5, Raw(bytes(46)))


def told(effects: tuple[Effect, ...]) -> list[tuple[str, ...]]:
    """Each effect in a word, where, and by which rule."""
    found: list[tuple[str, ...]] = []
    for effect in effects:
        where = getattr(effect, "dev", None) or getattr(effect, "port", None)
        name = where.name if where else ""
        assert isinstance(effect, Send | Deliver | Drop | Learn | Log)
        found.append((type(effect).__name__.lower(), name, effect.why.rule))
    return found


def at_p1(state: BridgeState, dst: Mac, src: Mac = ANN) -> list[tuple[str, ...]]:
    return told(receive(state, {}, P1, frame(dst, src)))


def from_host(state: BridgeState, dst: Mac) -> list[tuple[str, ...]]:
    return told(transmit(state, {}, frame(dst, BRIDGE_MAC)))


FLOODED = [("send", "p3", "flood"), ("send", "p2", "flood")]


def test_every_rule_of_the_bridge_is_told_here() -> None:
    told_here = Path(__file__).read_text()
    rules = [name for name, rule in RULES.items() if rule.area == "bridge"]
    assert [name for name in rules if f'"{name}"' not in told_here] == []


# --- before anything is learned ------------------------------------------------------------------


@pytest.mark.parametrize("source", [BROADCAST, GROUP, ZERO])
def test_a_source_that_no_station_can_have(source: Mac) -> None:
    assert at_p1(bridge(), BOB, source) == [("drop", "", "source-invalid")]


def test_pause_frames_end_here() -> None:
    assert at_p1(bridge(), PAUSE) == [("drop", "", "pause-dropped")]
    assert at_p1(bridge(group_fwd_mask=0xFFFF), PAUSE) == [("drop", "", "pause-dropped")]


def test_link_local_groups_go_to_the_port_s_own_device() -> None:
    assert at_p1(bridge(), LLDP) == [("deliver", "p1", "link-local-up")]


def test_link_local_groups_teach_the_table_all_the_same() -> None:
    assert at_p1(bridge(), LLDP, EVE) == [
        ("learn", "p1", "learn-new"),
        ("deliver", "p1", "link-local-up"),
    ]


def test_a_mask_lets_lldp_pass_where_the_kernel_knows_how() -> None:
    passes = bridge(group_fwd_mask=1 << 14)
    assert at_p1(passes, LLDP)[:2] == FLOODED
    old = replace(passes, kernel=replace(passes.kernel, lldp_forwardable=False))
    assert at_p1(old, LLDP) == [("deliver", "p1", "link-local-up")]


def test_only_a_port_s_own_mask_lets_lacp_pass() -> None:
    assert at_p1(bridge(group_fwd_mask=1 << 2), LACP) == [("deliver", "p1", "link-local-up")]
    passes = bridge(p1={"group_fwd_mask": 1 << 2})
    assert at_p1(passes, LACP)[:2] == FLOODED
    old = replace(passes, kernel=replace(passes.kernel, port_group_fwd_mask=False))
    assert at_p1(old, LACP) == [("deliver", "p1", "link-local-up")]


def test_bpdus_pass_a_bridge_without_spanning_tree() -> None:
    assert at_p1(bridge(), STP_GROUP)[:2] == FLOODED
    assert at_p1(bridge(stp=True), STP_GROUP) == [("deliver", "p1", "link-local-up")]


@pytest.mark.parametrize("state", ["disabled", "listening", "blocking"])
def test_a_port_that_neither_learns_nor_forwards(state: str) -> None:
    assert at_p1(bridge(p1={"state": state}), BOB, EVE) == [("drop", "", "state-drop")]


def test_a_learning_port_learns_and_drops() -> None:
    assert at_p1(bridge(p1={"state": "learning"}), BOB, EVE) == [
        ("learn", "p1", "learn-new"),
        ("drop", "", "learning-drop"),
    ]


def test_a_locked_port_lets_in_only_whom_its_table_has_there() -> None:
    locked = bridge(p1={"locked": True})
    assert at_p1(locked, BOB) == [("send", "p2", "fdb-hit")]
    assert at_p1(locked, BOB, EVE) == [("drop", "", "locked-drop")]
    assert at_p1(locked, ANN, BOB) == [("drop", "", "locked-drop")]
    old = replace(locked, kernel=replace(locked.kernel, locked=False))
    assert ("learn", "p1", "learn-new") in at_p1(old, BOB, EVE)


# --- learning ------------------------------------------------------------------------------------


def test_an_unknown_source_is_learned() -> None:
    assert ("learn", "p1", "learn-new") in at_p1(bridge(), BOB, EVE)


def test_the_last_frame_wins() -> None:
    learnt = receive(bridge(), {}, P1, frame(EVE, BOB))[0]
    assert isinstance(learnt, Learn)
    assert (learnt.why.rule, learnt.before, learnt.port) == ("learn-move", P2, P1)
    assert applied(bridge(), learnt).fdb[BOB, 0].port == P1


def test_a_source_where_it_was_teaches_nothing() -> None:
    assert at_p1(bridge(), BOB) == [("send", "p2", "fdb-hit")]


def test_a_sticky_entry_stays_in_silence() -> None:
    pinned = replace(bridge(), fdb={(BOB, 0): FdbEntry(P2, sticky=True)})
    assert at_p1(pinned, EVE, BOB) == FLOODED
    old = replace(pinned, kernel=replace(pinned.kernel, sticky=False))
    assert ("learn", "p1", "learn-move") in at_p1(old, EVE, BOB)


def test_one_s_own_address_is_logged_and_the_frame_goes_on() -> None:
    state = bridge()
    assert at_p1(state, EVE, BRIDGE_MAC) == [("log", "", "learn-own"), *FLOODED]
    log = receive(state, {}, P1, frame(EVE, BRIDGE_MAC))[0]
    assert isinstance(log, Log)
    assert log.text == (
        "br0: received packet on p1 with own address as source address"
        " (addr:02:00:00:00:0f:bb, vlan:0)"
    )


@pytest.mark.parametrize("how", [{"p1": {"learning": False}}, {"learns": False}])
def test_without_learning_the_table_stays_as_it_is(how: dict[str, Any]) -> None:
    """The port's flag is off, or the bridge's ageing time is 0."""
    assert at_p1(bridge(**how), BOB, EVE) == [("send", "p2", "fdb-hit")]


def test_the_lookup_sees_what_the_frame_itself_has_taught() -> None:
    assert at_p1(bridge(), EVE, EVE) == [("learn", "p1", "learn-new"), ("drop", "p1", "same-port")]


# --- forwarding ----------------------------------------------------------------------------------


def test_a_known_destination_gets_it_alone() -> None:
    assert at_p1(bridge(), BOB) == [("send", "p2", "fdb-hit")]


def test_a_known_destination_gets_it_whatever_the_flood_flags() -> None:
    assert at_p1(bridge(p2={"flood": False}), BOB) == [("send", "p2", "fdb-hit")]


def test_a_destination_on_the_port_it_came_by() -> None:
    state = replace(bridge(), fdb={(ANN, 0): FdbEntry(P1), (BOB, 0): FdbEntry(P1)})
    assert at_p1(state, BOB) == [("drop", "p1", "same-port")]
    on = replace(bridge(p1={"hairpin": True}), fdb=state.fdb)
    assert at_p1(on, BOB) == [("send", "p1", "hairpin")]


def test_an_unknown_destination_goes_everywhere_newest_port_first() -> None:
    assert at_p1(bridge(), EVE) == FLOODED


def test_hairpin_floods_back_to_the_sender() -> None:
    assert at_p1(bridge(p1={"hairpin": True}), EVE) == [*FLOODED, ("send", "p1", "hairpin")]


@pytest.mark.parametrize(
    ("flag", "destination"),
    [("flood", EVE), ("mcast_flood", GROUP), ("bcast_flood", BROADCAST)],
)
def test_a_port_that_does_not_flood_this_kind(flag: str, destination: Mac) -> None:
    assert ("drop", "p2", "flood-off") in at_p1(bridge(p2={flag: False}), destination)


def test_before_its_own_flag_broadcast_went_by_that_of_multicast() -> None:
    state = bridge(p2={"mcast_flood": False})
    old = replace(state, kernel=replace(state.kernel, bcast_flood=False))
    assert ("send", "p2", "flood") in at_p1(state, BROADCAST)
    assert ("drop", "p2", "flood-off") in at_p1(old, BROADCAST)


def test_a_proxy_arp_port_is_never_flooded_to() -> None:
    assert ("drop", "p2", "flood-off") in at_p1(bridge(p2={"proxyarp": True}), BROADCAST)


@pytest.mark.parametrize("state", ["disabled", "listening", "learning", "blocking"])
def test_nothing_leaves_by_a_port_that_does_not_forward(state: str) -> None:
    cut = bridge(p2={"state": state})
    assert at_p1(cut, BOB) == [("drop", "p2", "egress-state")]
    assert ("drop", "p2", "egress-state") in at_p1(cut, BROADCAST)


def test_isolated_ports_do_not_hear_each_other() -> None:
    both = bridge(p1={"isolated": True}, p2={"isolated": True})
    assert at_p1(both, BOB) == [("drop", "p2", "isolated")]
    assert ("send", "p3", "flood") in at_p1(both, BROADCAST)
    assert at_p1(bridge(p1={"isolated": True}), BOB) == [("send", "p2", "fdb-hit")]
    old = replace(both, kernel=replace(both.kernel, isolated=False))
    assert at_p1(old, BOB) == [("send", "p2", "fdb-hit")]


def test_an_isolated_port_does_not_hear_itself_either() -> None:
    alone = bridge(p1={"isolated": True, "hairpin": True})
    assert ("drop", "p1", "isolated") in at_p1(alone, BROADCAST)


def test_no_port_is_left_for_an_unknown_destination() -> None:
    off = {"flood": False}
    assert at_p1(bridge(p2=off, p3=off), EVE)[-1] == ("drop", "", "no-port")


# --- the host ------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [BRIDGE_MAC, PORT_MAC])
def test_own_addresses_go_up_and_nowhere_else(own: Mac) -> None:
    assert at_p1(bridge(), own) == [("deliver", "br0", "local-unicast")]


def packet_type(state: BridgeState, at: DevId, dst: Mac) -> str:
    (delivered,) = (e for e in receive(state, {}, at, frame(dst, EVE)) if isinstance(e, Deliver))
    return delivered.packet_type


def test_the_packet_type_is_the_ingress_port_s_view() -> None:
    state = bridge()
    assert packet_type(state, P1, BRIDGE_MAC) == "host"
    assert packet_type(state, P1, PORT_MAC) == "host"
    assert packet_type(state, P2, PORT_MAC) == "otherhost", "IP drops it: another port's address"
    assert packet_type(state, P2, BROADCAST) == "broadcast"
    assert packet_type(state, P2, GROUP) == "multicast"


def test_groups_go_up_as_the_last_copy() -> None:
    assert at_p1(bridge(), BROADCAST) == [*FLOODED, ("deliver", "br0", "local-group")]


def test_the_host_s_own_frames_teach_nothing_and_come_from_no_port() -> None:
    assert from_host(bridge(), BOB) == [("send", "p2", "fdb-hit")]
    assert from_host(bridge(), BROADCAST) == [*FLOODED, ("send", "p1", "flood")]


def test_the_host_is_never_isolated() -> None:
    state = bridge(p1={"isolated": True}, p2={"isolated": True})
    assert from_host(state, BOB) == [("send", "p2", "fdb-hit")]


def test_the_host_s_groups_go_out_whatever_the_flags_its_unknown_unicast_does_not() -> None:
    off = bridge(p2={"flood": False, "mcast_flood": False, "bcast_flood": False})
    assert ("send", "p2", "flood") in from_host(off, BROADCAST)
    assert ("send", "p2", "flood") in from_host(off, GROUP)
    assert ("drop", "p2", "flood-off") in from_host(off, EVE)


def test_the_host_to_a_port_s_address_sends_it_out_of_that_port() -> None:
    assert from_host(bridge(), PORT_MAC) == [("send", "p1", "host-to-port-address")]


def test_the_host_to_the_bridge_s_own_address() -> None:
    assert from_host(bridge(), BRIDGE_MAC) == [("drop", "", "host-to-nowhere")]
